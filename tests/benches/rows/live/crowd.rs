//! Ten thousand sockets in one process: the time to open them, and the cost of one socket and of deliveries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::iter;
use identity::sessions::Device;
use tests::Place;

use crate::furnish::{Furnished, messages_path};
use crate::listeners::{Listener, latencies};
use crate::load::open_loop;
use crate::posters::{Poster, Tally};
use crate::report::{Goal, Report};
use crate::rows::live::log_of;
use crate::runs::{Runs, is_trial, sized};
use crate::served::Served;

/// The workspaces, each with as many people, who all have a socket.
const ROOMS: usize = 10;
/// The posts a second in each room.
const A_SECOND: u32 = 5;
/// The events that each socket has missed when it is opened.
const MISSED: u64 = 10;
/// The sessions that are started at once.
const AT_ONCE: usize = 16;

struct Room {
    furnished: Furnished,
    tokens: Vec<String>,
}

pub async fn measure(report: &mut Report) {
    let people = sized(1_000, 100);
    let sockets = ROOMS * people;
    report.over(format!(
        "{sockets} people in {ROOMS} workspaces, each with a WebSocket, whose clients are in another process on the same cores; each \
         socket is opened with a cursor {MISSED} events back; then {A_SECOND} posts a second in each workspace, from the moment at which \
         a post was due; memory is that of the server's process with the sockets and without, processor time that of the whole process, \
         posts included"
    ));
    let place = Place::create(&[]).await;
    let (rooms, head) = furnish(&place, people).await;
    let served = Served::at(&place, &[]);
    let all = rooms.iter().flat_map(|room| room.tokens.iter().cloned()).collect::<Vec<_>>();
    served.has_projected(head, &rooms[0].tokens[0], &messages_path(rooms[0].furnished.channel_id)).await;
    let (mut opening, mut memory) = (Runs::default(), Runs::default());
    let log_id = log_of(&served, &rooms[0].tokens[0], rooms[0].furnished.workspace_id).await;
    let query = format!("?after={log_id}:{}", head - i64::try_from(MISSED).expect("a number") * i64::try_from(ROOMS).expect("a number"));
    let before = served.memory();
    let began = Instant::now();
    let listeners = Listener::open_all(served.address, &all, &query, None).await;
    opening.push(began.elapsed().as_secs_f64());
    memory.push((served.memory() - before) * 1_048.576 / sockets as f64);
    report.state(format!("live, {sockets} sockets: to open, with resume"), "s", &opening, Goal::AtMost(5.0));
    report.state(format!("live, {sockets} sockets: memory of one"), "kB", &memory, Goal::AtMost(12.0));
    deliver(report, &served, &rooms, listeners).await;
}

async fn deliver(report: &mut Report, served: &Served, rooms: &[Room], listeners: Vec<Listener>) {
    let lasts = Duration::from_secs(sized(10, 3));
    let deliveries = f64::from(A_SECOND) * (listeners.len()) as f64;
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let noting = listeners.into_iter().map(|listener| listener.note(Arc::clone(&last))).collect::<Vec<_>>();
    let tally = Arc::new(Tally::default());
    let mut posters = Vec::new();
    // Posts go to the rooms in turn: a free poster takes the next post, and with several posters of each room, nearly in turn.
    for room in rooms.iter().chain(rooms) {
        posters.push(Poster::connect(served.address, &room.tokens[0], &messages_path(room.furnished.channel_id), &tally).await);
    }
    let cpu = served.processor_time();
    let sent = open_loop(posters, A_SECOND * u32::try_from(rooms.len()).expect("a number"), lasts).await;
    let head = tally.head.load(Ordering::Relaxed);
    last.store(head.unsigned_abs() + 1, Ordering::Relaxed);
    let cpu = served.processor_time() - cpu;
    for room in rooms {
        let path = messages_path(room.furnished.channel_id);
        let mut poster = Poster::connect(served.address, &room.tokens[0], &path, &tally).await;
        crate::load::Caller::call(&mut poster, 0).await;
    }
    let latencies = latencies(noting, &sent).await;
    let row = format!("live, {deliveries:.0} deliveries a second");
    let one = |figure: f64| Runs(vec![figure]);
    report.state(format!("{row}: p50"), "ms", &one(latencies.percentile(0.5)), Goal::Stated);
    report.state(format!("{row}: p99"), "ms", &one(latencies.percentile(0.99)), Goal::AtMost(250.0));
    let micros = cpu.as_secs_f64() * 1e6 / latencies.len() as f64;
    report.state(format!("{row}: processor time of one"), "µs", &one(micros), if is_trial() { Goal::Stated } else { Goal::AtMost(12.0) });
}

/// Makes the workspaces, their people with a session each, and the events that the sockets have missed.
async fn furnish(place: &Place, people: usize) -> (Vec<Room>, i64) {
    let app = place.app().await;
    let (store, mut rooms, mut head) = (app.commands.store(), Vec::new(), 0);
    for _ in 0..ROOMS {
        let furnished = Furnished::with(store, people).await;
        let starting = furnished.users.iter().map(|user| async {
            let (token, _) = app.sessions.start(*user, Device::default()).await.expect("a session");
            token.expose().to_owned()
        });
        let tokens = iter(starting).buffered(AT_ONCE).collect().await;
        rooms.push(Room { furnished, tokens });
    }
    for room in &rooms {
        head = room.furnished.fill(store, MISSED, 1).await;
    }
    (rooms, head)
}
