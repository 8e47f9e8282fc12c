//! The order of a replay, and how it is written to the log and to the table.

use domain::ids::WorkspaceId;
use domain::installation::{ReplayEnd, ReplayOutcome, ReplayScope, ReplayStart};
use projections::{NewView, RebuildError, RebuildReport};
use serde_json::{Value, json};
use stores::error::chain;
use uuid::Uuid;

/// The order of a replay.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which part of the projection.
    pub scope: Scope,
    /// Stop before the switch.
    pub dry_run: bool,
    /// Switch even if the new model differs from the live one.
    pub accept_differences: bool,
}

/// Which part of a projection is rebuilt.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of it.
    Whole,
    /// All of it, because this release has this newer version.
    Upgrade(i32),
    /// The rows of one workspace, in place.
    Workspace(WorkspaceId),
    /// A model as of a position or a moment, for inspection.
    View(NewView),
}

impl Plan {
    /// The order to replay a whole projection.
    #[must_use]
    pub fn whole() -> Self {
        Self { scope: Scope::Whole, dry_run: false, accept_differences: false }
    }

    pub(super) fn start(&self, projection: &str) -> ReplayStart {
        ReplayStart {
            replay_id: Uuid::now_v7(),
            projection: projection.into(),
            scope: match &self.scope {
                Scope::Whole => ReplayScope::Whole,
                Scope::Upgrade(version) => ReplayScope::Upgrade { version: *version },
                Scope::Workspace(workspace_id) => ReplayScope::Workspace(*workspace_id),
                Scope::View(view) => ReplayScope::View { name: view.name().into(), position: view.position(), moment: view.moment() },
            },
            dry_run: self.dry_run,
            accepts_differences: self.accept_differences,
        }
    }

    pub(super) fn end(&self, start: &ReplayStart, outcome: &Result<RebuildReport, RebuildError>) -> ReplayEnd {
        let of = |outcome| ReplayEnd::of(start.replay_id, start.projection.clone(), outcome);
        match outcome {
            Ok(report) => {
                let done = match self.scope {
                    Scope::View(_) => ReplayOutcome::Built,
                    _ if !report.switched => ReplayOutcome::Checked,
                    Scope::Workspace(_) => ReplayOutcome::Repaired,
                    Scope::Whole | Scope::Upgrade(_) => ReplayOutcome::Switched,
                };
                let rows = report.rows.iter().map(|(_, rows)| *rows).sum::<i64>();
                ReplayEnd {
                    position: Some(report.position),
                    rows: u64::try_from(rows).ok().filter(|_| !report.rows.is_empty()),
                    differences: report.differences.iter().map(ToString::to_string).collect(),
                    ..of(done)
                }
            }
            Err(error) => {
                let (outcome, position, differences) = match error {
                    RebuildError::Differs { position, differences } => (ReplayOutcome::Differs, Some(*position), differences.as_slice()),
                    RebuildError::Cancelled => (ReplayOutcome::Cancelled, None, [].as_slice()),
                    _ => (ReplayOutcome::Failed, None, [].as_slice()),
                };
                let differences = differences.iter().map(ToString::to_string).collect();
                ReplayEnd { position, differences, error: Some(chain(error)), ..of(outcome) }
            }
        }
    }
}

/// The result of a replay, as it is stored and shown.
pub(super) fn report_json(report: &RebuildReport) -> Value {
    json!({
        "events": report.events,
        "position": report.position,
        "compared_at": report.compared_at,
        "rows": report.rows.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "differences": report.differences,
        "left_out": {"events": report.left_out.events, "first": report.left_out.first},
        "held_up_seconds": report.held_up.as_secs_f64(),
        "phases": report.phases.iter().map(|(phase, took)| json!({"phase": phase.as_str(), "seconds": took.as_secs_f64()})).collect::<Vec<_>>(),
    })
}
