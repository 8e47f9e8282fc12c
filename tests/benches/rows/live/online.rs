//! People who come online one after the other, and watch each other: the cost of one person must not grow with the
//! number of the others.

use std::time::Duration;

use domain::ids::UserId;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::iter;
use identity::sessions::Device;
use tests::Place;
use tokio::time::{Instant, interval};

use crate::furnish::{Furnished, messages_path};
use crate::listeners::Listener;
use crate::report::{Goal, Report};
use crate::runs::{Runs, sized};
use crate::served::Served;

/// The people who come online in a second: 10,000 in a minute.
const A_SECOND: f64 = 167.0;
/// The people whom everybody watches, and the neighbours that each person watches too.
const KNOWN: usize = 10;
const NEIGHBOURS: usize = 40;
/// How long the last changes may take.
const SETTLES_IN: Duration = Duration::from_secs(5);
/// The sessions that are started at once.
const AT_ONCE: usize = 16;

/// What it cost that people came online, for each of them.
struct Cost {
    processor_ms: f64,
    presences: f64,
}

pub async fn measure(report: &mut Report) {
    let (many, few) = (sized(10_000, 400), sized(2_500, 100));
    report.over(format!(
        "{many} people of one workspace, in turn with {few} of another one, come online at {A_SECOND} a second; each has a WebSocket, and \
         watches {KNOWN} people whom everybody watches and {NEIGHBOURS} neighbours; until {} s after the last one; processor time of the \
         server's process, divided by the number of people",
        SETTLES_IN.as_secs()
    ));
    let (of_few, of_many) = (come_online(few).await, come_online(many).await);
    let one = |figure: f64| Runs(vec![figure]);
    let row = format!("live, {many} people come online in a minute");
    let reference = format!("{few} people at the same pace");
    report.compare(
        format!("{row}: processor time of one"),
        "ms",
        &one(of_many.processor_ms),
        (&reference, &one(of_few.processor_ms)),
        Goal::AtMost(1.5),
    );
    report.state(format!("{row}: presences sent to one"), "presences", &one(of_many.presences), Goal::Stated);
}

async fn come_online(people: usize) -> Cost {
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let store = app.commands.store();
    let furnished = Furnished::with(store, people).await;
    let head = furnished.fill(store, 1, 1).await;
    let starting = furnished.users.iter().map(|user| async {
        let (token, _) = app.sessions.start(*user, Device::default()).await.expect("a session");
        token.expose().to_owned()
    });
    let tokens = iter(starting).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let served = Served::at(&place, &[]);
    served.has_projected(head, &tokens[0], &messages_path(furnished.channel_id)).await;

    let before = served.processor_time();
    let ends_at = Instant::now() + Duration::from_secs_f64(people as f64 / A_SECOND) + SETTLES_IN;
    let (mut ticks, mut counting) = (interval(Duration::from_secs_f64(1.0 / A_SECOND)), Vec::with_capacity(people));
    for (n, token) in tokens.into_iter().enumerate() {
        ticks.tick().await;
        let (address, watched) = (served.address, watched(&furnished.users, n));
        counting.push(tokio::spawn(async move {
            let mut listener = Listener::open(address, &token, "").await;
            listener.watch(&watched).await;
            listener.count_presences(ends_at).await
        }));
    }
    let counts = join_all(counting).await.into_iter().map(|count| count.expect("a listener"));
    let presences = counts.sum::<usize>() as f64 / people as f64;
    let processor_ms = (served.processor_time() - before).as_secs_f64() * 1_000.0 / people as f64;
    // The first frame after `watch` has everybody's presence.
    assert!(presences >= (KNOWN + NEIGHBOURS) as f64, "{presences} presences of {} watched people", KNOWN + NEIGHBOURS);
    Cost { processor_ms, presences }
}

/// The people whom the person with this number watches: those whom everybody knows, and the next ones.
fn watched(users: &[UserId], n: usize) -> Vec<UserId> {
    let next = (n + 1..=n + NEIGHBOURS).map(|neighbour| users[KNOWN + neighbour % (users.len() - KNOWN)]);
    users[..KNOWN].iter().copied().chain(next).collect()
}
