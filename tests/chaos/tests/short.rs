//! The short campaign, as a test.

use anyhow::{Result, ensure};
use chaos::campaign::{Campaign, folder};
use chaos::plan;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_wrong_whatever_breaks() -> Result<()> {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| rand::random_range(1..1_000_000));
    println!("chaos: seed {seed}");
    let rounds = plan::short(seed);
    let report = Campaign::start(seed, "short", &rounds).await?.run(&rounds).await?;
    println!("{report:?}");
    ensure!(report.events > 0 && report.tally.acks > 0, "no command was acknowledged");
    ensure!(report.violations.is_empty(), "seed {seed}, {}: {:#?}", folder("short").display(), report.violations);
    Ok(())
}
