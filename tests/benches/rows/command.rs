//! A whole command, compared with its append alone.

use crate::appenders::Ours;
use crate::command_path::CommandPath;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs, sized};

const CALLERS: usize = 128;

pub async fn measure(report: &mut Report) {
    let members = sized(10_000, 1_000);
    report.over(format!("posts in a channel of {members} members, by {CALLERS} of them at once"));
    let (path, append) = (CommandPath::start(members).await, Ours::start().await);
    let (mut posts, mut appends) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        posts.push(path.rate(CALLERS).await);
        appends.push(append.rate(CALLERS).await);
    }
    report.compare("command, 128 callers", "posts/s", &posts, ("append, 128 callers", &appends), Goal::AtLeast(0.7));
}
