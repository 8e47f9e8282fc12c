//! Queries of the audit over HTTP with one client: each kind of query in turn, over the log of a whole archive. A page
//! has 50 entries with their changes and causes. The reference is the bare SQL that finds the same positions, and reads
//! the log's rows there.

use std::time::Instant;

use identity::sessions::Device;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use sqlx::PgPool;
use tests::Place;
use uuid::Uuid;

use super::archive;
use crate::client::Client;
use crate::furnish::Furnished;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

/// The number of entries of a page.
const ROWS: i64 = 50;
/// The server's own statement.
const STATEMENT: &str = include_str!("../../../ledger/src/audit/sql/positions_newest_first.sql");

/// A query: its part of the URL, and the arguments of the statement.
#[derive(Clone, Default)]
struct Question {
    query: String,
    actor: Option<Uuid>,
    aggregate_type: Option<&'static str>,
    aggregate_id: Option<Uuid>,
    event_type: Option<&'static str>,
    before: Option<i64>,
}

pub async fn measure(report: &mut Report) {
    let archive = archive::archive();
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), 1).await;
    archive::import_into(&app.commands, furnished.workspace_id, &archive).await;
    rebuild(&app.stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("the read tables");
    let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
    let pool = app.pool.clone();
    sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await.expect("the vacuum");
    let questions = questions(&pool).await;
    let events = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events").fetch_one(&pool).await.expect("a count");
    report.over(format!("{}: {events} events, {} questions in turn, a page of {ROWS} entries", archive::name(&archive), questions.len()));
    drop(app);
    let served = Served::at(&place, &[]);
    let head = place.app().await.commands.store().catch_up().await.expect("the head");
    let path = format!("/v1/workspaces/{}/audit", furnished.workspace_id);
    served.has_projected(head, token.expose(), &path).await;
    let [mut middle, mut slow, mut bare] = [const { Runs(Vec::new()) }; 3];
    for _ in 0..runs() {
        let answered = asked(&served, token.expose(), &path, &questions).await;
        middle.push(answered.percentile(0.5));
        slow.push(answered.percentile(0.95));
        bare.push(found(&pool, furnished.workspace_id.0, &questions).await.percentile(0.95));
    }
    report.state("audit, a page over HTTP, p50", "ms", &middle, Goal::Stated);
    report.state("audit, a page over HTTP, p95", "ms", &slow, Goal::AtMost(50.0));
    report.compare("audit, a page over HTTP, p95", "ms", &slow, ("the bare SQL", &bare), Goal::Stated);
}

/// Queries without a filter, by user, by aggregate and by event type, and pages from all parts of the log.
async fn questions(pool: &PgPool) -> Vec<Question> {
    let mut questions = vec![Question::default()];
    let actors = sqlx::query_scalar::<_, Uuid>("SELECT actor_id FROM audit_log GROUP BY 1 ORDER BY count(*) DESC LIMIT 5");
    for actor in actors.fetch_all(pool).await.expect("people") {
        questions.push(Question { query: format!("&actor={actor}"), actor: Some(actor), ..Question::default() });
    }
    let channels = "SELECT aggregate_id FROM audit_log WHERE aggregate_type = 'channel' GROUP BY 1 ORDER BY count(*) DESC LIMIT 5";
    for channel in sqlx::query_scalar::<_, Uuid>(channels).fetch_all(pool).await.expect("channels") {
        let query = format!("&aggregate_type=channel&aggregate_id={channel}");
        questions.push(Question { query, aggregate_type: Some("channel"), aggregate_id: Some(channel), ..Question::default() });
    }
    for kind in ["message.posted", "message.reacted", "channel.created", "channel.member_joined"] {
        questions.push(Question { query: format!("&type={kind}"), event_type: Some(kind), ..Question::default() });
    }
    let head = sqlx::query_scalar::<_, i64>("SELECT max(position) FROM audit_log").fetch_one(pool).await.expect("the head");
    for part in 1..=25 {
        let before = head * part / 25;
        questions.push(Question { query: format!("&before={before}"), before: Some(before), ..Question::default() });
    }
    questions
}

async fn asked(served: &Served, token: &str, path: &str, questions: &[Question]) -> Latencies {
    let mut client = Client::connect(served.address, Some(token)).await;
    let mut took = Vec::new();
    for question in questions.iter().cycle().take(questions.len() * sized(5, 2)) {
        let began = Instant::now();
        let status = client.get(&format!("{path}?limit={ROWS}{}", question.query)).await.status;
        took.push(began.elapsed());
        assert_eq!(status, 200, "{}", question.query);
    }
    Latencies::of(took)
}

async fn found(pool: &PgPool, workspace_id: Uuid, questions: &[Question]) -> Latencies {
    let mut took = Vec::new();
    for question in questions.iter().cycle().take(questions.len() * sized(5, 2)) {
        let began = Instant::now();
        let mut tx = pool.begin().await.expect("a connection");
        sqlx::query("SET LOCAL plan_cache_mode = force_custom_plan").execute(&mut *tx).await.expect("a setting");
        let positions = sqlx::query_scalar::<_, i64>(STATEMENT)
            .bind(workspace_id)
            .bind(question.actor)
            .bind(question.aggregate_type)
            .bind(question.aggregate_id)
            .bind(question.event_type)
            .bind(None::<Vec<String>>)
            .bind(None::<Uuid>)
            .bind(None::<String>)
            .bind(None::<Uuid>)
            .bind(0_i64)
            .bind(question.before.unwrap_or(i64::MAX))
            .bind(ROWS + 1)
            .bind(None::<String>)
            .fetch_all(&mut *tx)
            .await
            .expect("positions");
        let rows = sqlx::query("SELECT * FROM events WHERE position = ANY ($1)").bind(&positions).fetch_all(&mut *tx).await.expect("rows");
        assert_eq!(rows.len(), positions.len());
        took.push(began.elapsed());
    }
    Latencies::of(took)
}
