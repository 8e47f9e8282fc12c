//! `backscroll replay …`

use std::fmt::Write;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::ids::WorkspaceId;
use processes::replays::{Plan, Replays, Scope, StartError};
use projections::{DifferingRow, NewView, RebuildError, RebuildReport};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::connection::{asked, commands, read_pool, require_workspace, stores};
use super::progress::Meter;
use super::{Exit, Failure, print};
use crate::config::Settings;
use stores::release::holder;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Rebuild the read tables in Postgres.
    Relational(Arguments),
    /// Rebuild the cache in Redis.
    Cache(Common),
    /// Rebuild the search indices in Elasticsearch.
    Search(Search),
    /// Rebuild all projections, one after the other.
    All(Common),
    /// List the views: models as of an earlier moment.
    Views,
    /// Drop a view.
    Drop {
        /// The view's name.
        name: String,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Common {
    /// Stop before the switch, and report the differences.
    #[arg(long)]
    dry_run: bool,
    /// Switch even if the new model differs from the live one. The log keeps the caller.
    #[arg(long, visible_alias = "accept-difference")]
    accept_differences: bool,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Rebuild only the rows of that workspace, in place.
    #[arg(long, value_name = "ID", conflicts_with = "until")]
    workspace: Option<WorkspaceId>,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Args)]
pub(super) struct Search {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Debug, Args)]
struct AsOf {
    /// Build a view: a model as of that position or time (RFC 3339). It gets a schema of its own, to query with psql,
    /// and for `search` its own indices.
    #[arg(long, value_name = "POSITION|TIME")]
    until: Option<Until>,
    /// The name of the view. The default is at_POSITION.
    #[arg(long, value_name = "NAME", requires = "until")]
    view: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Position(i64),
    Moment(DateTime<Utc>),
}

impl std::str::FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let position = text.parse().map(Self::Position);
        let until = position.or_else(|_| text.parse().map(Self::Moment));
        until.map_err(|_| "must be a position, or a time such as 2026-11-25T12:00:00Z".into())
    }
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Relational(arguments) => {
            let scope = match arguments.as_of.scope(&settings).await? {
                Some(view) => view,
                None => arguments.workspace.map_or(Scope::Whole, Scope::Workspace),
            };
            replay(&settings, vec![projections::RELATIONAL], arguments.common.plan(scope)).await
        }
        Verb::Cache(common) => replay(&settings, vec![projections::CACHE], common.plan(Scope::Whole)).await,
        Verb::Search(search) => {
            let scope = search.as_of.scope(&settings).await?.unwrap_or(Scope::Whole);
            replay(&settings, vec![projections::SEARCH], search.common.plan(scope)).await
        }
        Verb::All(common) => {
            let all = projections::replayable(&stores(&settings).await?);
            replay(&settings, all, common.plan(Scope::Whole)).await
        }
        Verb::Views => views(&settings).await,
        Verb::Drop { name } => {
            if projections::drop_view(&stores(&settings).await?, &name).await.map_err(failed)? {
                return print(&format!("the view {name} is dropped"));
            }
            Err(Failure::new(Exit::Wrong, anyhow::anyhow!("there is no view {name:?}: `backscroll replay views` lists the views")))
        }
    }
}

impl Common {
    fn plan(self, scope: Scope) -> Plan {
        Plan { scope, dry_run: self.dry_run, accept_differences: self.accept_differences }
    }
}

impl AsOf {
    /// The view to build, if `--until` is given.
    async fn scope(&self, settings: &Settings) -> Result<Option<Scope>, Failure> {
        let position = match self.until {
            None => return Ok(None),
            Some(Until::Position(position)) => position,
            Some(Until::Moment(moment)) => projections::position_at(&read_pool(settings).await?, moment).await?,
        };
        let wrong = || anyhow::anyhow!("the name of a view must begin with a letter, and have only lowercase letters, digits and _");
        let view = NewView::parse(self.view.as_deref(), position).ok_or_else(|| Failure::new(Exit::Wrong, wrong()))?;
        Ok(Some(Scope::View(view)))
    }
}

/// Replays the projections one after the other. Stops at the first failure, or at Ctrl-C.
async fn replay(settings: &Settings, names: Vec<&'static str>, plan: Plan) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    if let Scope::Workspace(workspace_id) = plan.scope {
        require_workspace(&commands, workspace_id).await?;
    }
    let replays = Replays::new(stores(settings).await?, commands, Handle::current(), holder());
    let cancel = CancellationToken::new();
    let _listening = listen_for_ctrl_c(cancel.clone());
    for name in names {
        let begun = replays.begin(asked(), name, plan.clone()).await.map_err(not_begun)?;
        let meter = Meter::new("done");
        let observe = |progress: projections::RebuildProgress| meter.at(progress.phase.as_str(), progress.done, progress.total, "");
        let outcome = replays.run(begun, cancel.clone(), observe).await;
        meter.finish();
        print(&summary(name, &plan, &outcome.map_err(failed)?))?;
    }
    Ok(())
}

/// Cancels at Ctrl-C. The task ends when the returned handle is dropped.
fn listen_for_ctrl_c(cancel: CancellationToken) -> tokio_util::task::AbortOnDropHandle<()> {
    tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("cancelling: the unfinished model is removed");
            cancel.cancel();
        }
    }))
}

async fn views(settings: &Settings) -> Result<(), Failure> {
    let mut text = format!("{:<32} {:>12}  {:<34} built\n", "view", "position", "schema, indices");
    for view in projections::views(&read_pool(settings).await?).await? {
        let _ = writeln!(text, "{:<32} {:>12}  {:<34} {}", view.name, view.position, view.schema_name, view.created_at.to_rfc3339());
        for index in view.indices {
            let _ = writeln!(text, "{:<46}  {index}", "");
        }
    }
    print(&text)
}

fn not_begun(error: StartError) -> Failure {
    match error {
        StartError::Rebuild(error) => failed(error),
        StartError::Database(error) => error.into(),
        StartError::RelationalOnly | StartError::NoView(_) => Failure::new(Exit::Wrong, error),
        StartError::Command(_) | StartError::Again => Failure::new(Exit::Failed, error),
    }
}

fn failed(error: RebuildError) -> Failure {
    let exit = match &error {
        RebuildError::Unknown(_) | RebuildError::BeyondLog { .. } => Exit::Wrong,
        RebuildError::UnderWay(_) | RebuildError::Newer { .. } | RebuildError::NewerColumns(_) | RebuildError::ViewExists(_) => {
            Exit::Refused
        }
        RebuildError::Differs { differences, .. } => {
            for difference in differences {
                eprintln!("{difference}");
                difference.rows.iter().for_each(|row| eprint!("{}", side_by_side(row)));
            }
            Exit::Refused
        }
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

/// A row that differs: its columns, their values in both models, and the events that made the row.
fn side_by_side(row: &DifferingRow) -> String {
    let whose = match (row.in_live, row.in_new) {
        (true, false) => " (only live)",
        (false, true) => " (only rebuilt)",
        _ => "",
    };
    let mut text = format!("  {}{whose}\n", row.key);
    let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or_else(|| "-".into(), ToString::to_string);
    for column in &row.columns {
        let _ = writeln!(text, "    {:<20} live {}  rebuilt {}", column.column, shown(&column.live), shown(&column.new));
    }
    let events = row.events.iter().map(|event| format!("{} {}", event.position, event.event_type)).collect::<Vec<_>>();
    let _ = writeln!(text, "    events: {}", if events.is_empty() { "none".into() } else { events.join(", ") });
    text
}

fn summary(name: &str, plan: &Plan, report: &RebuildReport) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { report.events as f64 / seconds } else { 0.0 };
    let (what, table, other) = match name {
        projections::SEARCH => ("documents", "documents", "the rows, index by index"),
        _ => ("events", "rows", "the old model, table by table"),
    };
    let done = match (&plan.scope, plan.dry_run) {
        (_, true) => "was rebuilt beside the live model, and the copy was dropped",
        (Scope::Workspace(_), false) => "has the workspace's rows rebuilt",
        (Scope::View(_), false) => "was built as a view",
        (Scope::Whole | Scope::Upgrade(_), false) => "was rebuilt",
    };
    let mut text =
        format!("{name} {done} from {} {what} in {seconds:.2} s ({rate:.0} {what}/s), at position {}\n", report.events, report.position);
    for (name, rows) in &report.rows {
        let _ = writeln!(text, "  {name:<24} {rows:>12} {table}");
    }
    let _ = match (&plan.scope, report.differences.is_empty(), report.compared_at) {
        (Scope::View(view), ..) => {
            let where_else = if name == projections::SEARCH { " and in these indices" } else { "" };
            writeln!(text, "it is in the schema view_{}{where_else}: backscroll replay drop {} removes it", view.name(), view.name())
        }
        (_, _, None) => writeln!(text, "not compared: the old model was too far behind, or did not exist"),
        (_, true, _) => writeln!(text, "equal to {other}"),
        (_, false, _) => writeln!(text, "differs from {other}:"),
    };
    for difference in &report.differences {
        let _ = writeln!(text, "  {difference}");
        difference.rows.iter().for_each(|row| text.push_str(&side_by_side(row)));
    }
    text
}
