//! A page of a channel's history over HTTP, compared with its SQL alone.

use chrono::{TimeDelta, Utc};
use domain::ids::ChannelId;
use identity::sessions::Device;
use projections::relational::messages::Cursor;
use serde_json::Value;
use sqlx::PgPool;
use tests::Place;
use uuid::Uuid;

use crate::client::Client;
use crate::furnish::{Furnished, messages_path};
use crate::load::{Caller, rate, rate_of};
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs, sized};
use crate::served::Served;

const CLIENTS: usize = 32;
/// The number of rows of a page.
const ROWS: usize = 50;
/// The server's own statement. It reads one row more, to know whether there is an earlier page.
const STATEMENT: &str = include_str!("../../../projections/src/relational/sql/history_before.sql");
const WRITERS: usize = 100;
/// The messages are spread over this number of days.
const DAYS: i64 = 90;

pub async fn measure(report: &mut Report) {
    let messages = sized(100_000, 10_000);
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), WRITERS).await;
    let head = furnished.fill(app.commands.store(), messages, DAYS).await;
    let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
    let connections = app.pool.options().get_max_connections();
    report.over(format!(
        "the newest page of a channel of {messages} messages in {DAYS} days by {WRITERS} people; the reference fetches the rows of the \
         server's own statement over as many connections as the server reads with ({connections}), and does not use them"
    ));
    drop(app);
    let (served, path) = (Served::at(&place, &[]), messages_path(furnished.channel_id));
    served.has_projected(head, token.expose(), &path).await;
    let pool = place.database.read_pool(connections).await;
    sqlx::raw_sql("VACUUM ANALYZE read.messages").execute(&pool).await.expect("the vacuum");

    let (mut pages, mut bare) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        pages.push(rate_of(readers(&served, token.expose(), &path).await).await);
        bare.push(bare_rate(&pool, furnished.channel_id).await);
    }
    report.compare("http-history, 32 clients", "pages/s", &pages, ("the bare SQL", &bare), Goal::AtLeast(0.6));
}

async fn bare_rate(pool: &PgPool, channel_id: ChannelId) -> f64 {
    let pool = pool.clone();
    rate(CLIENTS, move |_| {
        let pool = pool.clone();
        // The server reads the newest page with this cursor.
        let end = Cursor { created_at: Utc::now() + TimeDelta::days(1), message_id: Uuid::max() };
        async move {
            let query = sqlx::query(STATEMENT).bind(channel_id.0).bind(end.created_at).bind(end.message_id).bind(ROWS as i64 + 1);
            assert_eq!(query.fetch_all(&pool).await.expect("rows").len(), ROWS + 1, "a page and one row");
        }
    })
    .await
}

async fn readers(served: &Served, token: &str, path: &str) -> Vec<Reader> {
    let mut readers = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut client = Client::connect(served.address, Some(token)).await;
        let page = serde_json::from_slice::<Value>(&client.get(path).await.body).expect("JSON");
        assert_eq!(page["items"].as_array().map(Vec::len), Some(ROWS), "a page");
        readers.push(Reader { client, path: path.into() });
    }
    readers
}

struct Reader {
    client: Client,
    path: String,
}

impl Caller for Reader {
    type Answer = ();

    async fn call(&mut self, _: u64) {
        assert_eq!(self.client.get(&self.path).await.status, 200, "a page");
    }
}
