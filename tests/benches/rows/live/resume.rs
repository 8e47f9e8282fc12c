//! A socket that comes back far behind, and reads all events that it missed.

use std::time::Instant;

use identity::sessions::Device;
use tests::Place;

use crate::furnish::{Furnished, messages_path};
use crate::listeners::Listener;
use crate::report::{Goal, Report};
use crate::rows::live::log_of;
use crate::runs::{Runs, runs};
use crate::served::Served;

/// The events that were missed: as many as the setting `changes_behind_max` allows.
const MISSED: u64 = 10_000;
const PEOPLE: usize = 33;

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "one socket, {MISSED} messages of {PEOPLE} people behind: from the begin of the connection until its client had the last frame"
    ));
    let place = Place::create(&[]).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), PEOPLE).await;
    let head = furnished.fill(app.commands.store(), MISSED, 1).await;
    let (token, _) = app.sessions.start(furnished.users[1], Device::default()).await.expect("a session");
    drop(app);
    let served = Served::at(&place, &[]);
    served.has_projected(head, token.expose(), &messages_path(furnished.channel_id)).await;
    let query = format!("?after={}:{}", log_of(&served, token.expose(), furnished.workspace_id).await, head - MISSED.cast_signed());
    let mut all = Runs::default();
    for _ in 0..=runs() {
        let began = Instant::now();
        Listener::open(served.address, token.expose(), &query).await.read_up_to(head).await;
        all.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    // The first one warms the caches.
    all.0.remove(0);
    report.state(format!("live, resume over {MISSED} events"), "ms", &all, Goal::AtMost(200.0));
}
