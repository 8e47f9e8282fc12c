//! `backscroll projections`

use std::fmt::Write;

use anyhow::Context;
use projections::ProjectionState;

use super::connection::read_pool;
use super::{Failure, print};
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    let pool = read_pool(&settings).await?;
    let states = projections::states(&pool).await.context("the projections cannot be read")?;
    print(&table(&states))
}

fn table(states: &[ProjectionState]) -> String {
    let mut text = format!("{:<14} {:>12} {:>12} {:>8}  {:<24} parked\n", "projection", "position", "head", "lag", "holder");
    for state in states {
        let holder = state.holder.as_deref().unwrap_or("-");
        let _ = writeln!(
            text,
            "{:<14} {:>12} {:>12} {:>8}  {holder:<24} {}",
            state.name,
            state.position,
            state.head,
            state.lag,
            state.parked.len()
        );
        if let Some(fill) = &state.filling {
            let _ = writeln!(text, "  filling: {}, {} of {}, {:.0} a second", fill.phase, fill.done, fill.total, fill.per_second);
        }
        for parked in &state.parked {
            let _ = writeln!(text, "  {}: {} events from {} on: {}", parked.park_key, parked.events, parked.first_position, parked.error);
        }
        for rejected in &state.rejected {
            let _ =
                writeln!(text, "  refused:  {} {} at {}: {}", rejected.family, rejected.document_id, rejected.position, rejected.reason);
        }
    }
    text
}
