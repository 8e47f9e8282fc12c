//! The memory of the real binary: idle, after an archive, and under a steady load.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use super::archive::{self, archive};
use crate::load::open_loop;
use crate::posters::Posters;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, sized};
use crate::served::{backscroll, log};

const A_SECOND: u32 = 1_000;
const CONNECTIONS: usize = 64;
const MEMBERS: usize = 1_000;
const MINUTES: u32 = 10;
/// The minute that is compared with the last one. By then the caches of the start are full; otherwise their growth
/// would count.
const FIRST: u32 = 2;

pub async fn measure(report: &mut Report) {
    let minute = sized(Duration::from_secs(60), Duration::from_secs(2));
    let rest = sized(Duration::from_secs(10), Duration::from_secs(1));
    let posters = Posters::start(MEMBERS, CONNECTIONS).await;
    sleep(rest).await;
    report.state("memory, idle after its start", "MB", &one(posters.served.memory()), Goal::Stated);

    let archive = archive();
    import(&posters, &archive).await;
    sleep(rest).await;
    report.state("memory, idle after an archive", "MB", &one(posters.served.memory()), Goal::Stated);

    let began = Instant::now();
    let load = tokio::spawn(open_loop(posters.connect(CONNECTIONS).await, A_SECOND, minute * MINUTES));
    let mut minutes = Vec::new();
    for n in 1..=MINUTES {
        sleep_until(began + minute * n).await;
        minutes.push(posters.served.memory());
        println!("minute {n}: {:.1} MB", minutes[n as usize - 1]);
    }
    let served = load.await.expect("the load");
    let latencies = Latencies::of(served.iter().map(|served| served.latency()));
    let refused = posters.tally.refused.load(Ordering::Relaxed);
    report.over(format!(
        "resident memory of the server; one run, minute by minute: {}; {} posts, {refused} refused; the archive is {}, \
         imported by the command line beside the server, which projects it",
        minutes.iter().map(|megabytes| format!("{megabytes:.0}")).collect::<Vec<_>>().join(", "),
        served.len(),
        archive::name(&archive),
    ));
    let of = |minute: u32| one(minutes[minute as usize - 1]);
    let reference = format!("minute {FIRST}");
    report.compare(
        format!("memory, minute {MINUTES} of 1,000 posts a second"),
        "MB",
        &of(MINUTES),
        (&reference, &of(FIRST)),
        Goal::AtMost(1.1),
    );
    report.state("posts over ten minutes at 1,000 a second: p99", "ms", &one(latencies.percentile(0.99)), Goal::AtMost(10.0));
}

async fn import(posters: &Posters, archive: &std::path::Path) {
    let (archive, workspace_id) = (archive.display().to_string(), posters.workspace_id.to_string());
    let mut command = backscroll(&posters.place, &["import", "slack", &archive, "--workspace", &workspace_id, "--json"]);
    let done = spawn_blocking(move || command.stderr(log()).output()).await.expect("a thread").expect("an import");
    assert!(done.status.success(), "the import fails: target/bench-server.log");
    // When one more post is projected, the archive is projected, too.
    posters.post_once().await;
    posters.are_projected().await;
}

fn one(figure: f64) -> Runs {
    Runs(vec![figure])
}
