//! The cost of a thousand open sockets for people who post.

use identity::sessions::Device;

use crate::furnish::Furnished;
use crate::listeners::Listener;
use crate::load::rate_of;
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs, sized};

/// The people who post, all in one channel.
const CLIENTS: usize = 32;

pub async fn measure(report: &mut Report) {
    let sockets = sized(1_000, 100);
    report.over(format!(
        "{CLIENTS} clients post into one channel as fast as they can; {sockets} people of another workspace have a socket each; and \
         {CLIENTS} sockets of the people of the channel itself, each of which gets every post; each in turn, after the sockets of the \
         run before are closed"
    ));
    let posters = Posters::start(CLIENTS, CLIENTS).await;
    let others = tokens_of_others(&posters, sockets).await;
    let [mut none, mut idle, mut busy] = [const { Runs(Vec::new()) }; 3];
    rate_of(posters.connect(CLIENTS).await).await;
    for _ in 0..runs() {
        none.push(once(&posters, &[]).await);
        idle.push(once(&posters, &others).await);
        busy.push(once(&posters, &posters.tokens).await);
    }
    let row = format!("live, posts of {CLIENTS} clients");
    report.compare(format!("{row} with {sockets} sockets open"), "posts/s", &idle, ("no socket", &none), Goal::AtLeast(0.8));
    report.compare(format!("{row}, each to {CLIENTS} sockets"), "posts/s", &busy, ("no socket", &none), Goal::Stated);
}

async fn once(posters: &Posters, tokens: &[String]) -> f64 {
    let listeners = Listener::open_all(posters.served.address, tokens, "", None).await;
    let reading = listeners.into_iter().map(|listener| tokio::spawn(listener.closed())).collect::<Vec<_>>();
    let rate = rate_of(posters.connect(CLIENTS).await).await;
    for task in reading {
        task.abort();
    }
    posters.are_projected().await;
    rate
}

/// The sessions of people of another workspace.
async fn tokens_of_others(posters: &Posters, number: usize) -> Vec<String> {
    let app = posters.place.app().await;
    let others = Furnished::with(app.commands.store(), number).await;
    let mut tokens = Vec::with_capacity(number);
    for user in others.users {
        let (token, _) = app.sessions.start(user, Device::default()).await.expect("a session");
        tokens.push(token.expose().to_owned());
    }
    tokens
}
