//! `backscroll replay …`

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use processes::replays::{Plan, Replays, Scope, StartError};
use projections::{DifferingRow, NewView, RebuildError, RebuildReport};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::connection::{NamedWorkspace, asked, commands, read_pool, require_workspace, stores};
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
    /// Rebuild the search indices in Elasticsearch. Only if `search_backend` is `elasticsearch`.
    Search(Search),
    /// Rebuild relational, cache and, with Elasticsearch, search: one after the other.
    All(Common),
    /// List the views: models as of a position or an earlier moment.
    Views,
    /// Drop a view.
    Drop {
        /// The view's name.
        name: String,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Common {
    /// Stop before the switch, and report the differences. Exits with 4 if there are any.
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
    #[arg(long, value_name = "ID|DOMAIN", conflicts_with = "past")]
    workspace: Option<NamedWorkspace>,
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
    /// Build a view: a model as of that position, or of what had been said and done by that time (RFC 3339). Imported
    /// messages count from when they were sent. The view gets a schema of its own, to query with psql, and for `search`
    /// its own indices.
    #[arg(long, value_name = "POSITION|TIME", group = "past", conflicts_with = "dry_run")]
    until: Option<Until>,
    /// Build a view as of the last event that was recorded by that time (RFC 3339). Imported messages count from when
    /// they were imported.
    #[arg(long, value_name = "TIME", group = "past", conflicts_with = "dry_run")]
    until_recorded: Option<DateTime<Utc>>,
    /// The name of the view. The default is at_POSITION or at_TIME.
    #[arg(long, value_name = "NAME", requires = "past")]
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
                None => NamedWorkspace::id_of(arguments.workspace.as_ref(), &settings).await?.map_or(Scope::Whole, Scope::Workspace),
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
    /// The view to build, if one is asked for.
    async fn scope(&self, settings: &Settings) -> Result<Option<Scope>, Failure> {
        let name = self.view.as_deref();
        let view = match (self.until, self.until_recorded) {
            (None, None) => return Ok(None),
            (Some(Until::Position(position)), _) => NewView::parse(name, position),
            (Some(Until::Moment(moment)), _) => {
                let head = stores::log::head(&read_pool(settings).await?).await?;
                NewView::of_moment(name, moment, head)
            }
            (None, Some(recorded)) => NewView::parse(name, projections::position_at(&read_pool(settings).await?, recorded).await?),
        };
        let wrong = || anyhow::anyhow!("the name of a view must begin with a letter, and have only lowercase letters, digits and _");
        Ok(Some(Scope::View(view.ok_or_else(|| Failure::new(Exit::Wrong, wrong()))?)))
    }
}

/// Replays the projections one after the other. Stops at the first failure, or at Ctrl-C. A dry run goes on after
/// differences, so that it reports those of every projection, and is refused at the end.
async fn replay(settings: &Settings, names: Vec<&'static str>, plan: Plan) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    if let Scope::Workspace(workspace_id) = plan.scope {
        require_workspace(&commands, workspace_id).await?;
    }
    let replays = Replays::new(stores(settings).await?, commands, Handle::current(), holder());
    let cancel = CancellationToken::new();
    let _listening = listen_for_ctrl_c(cancel.clone());
    let mut different = Vec::new();
    for name in names {
        let begun = replays.begin(asked(), name, plan.clone()).await.map_err(not_begun)?;
        let meter = Meter::new("done");
        let observe = |progress: projections::RebuildProgress| meter.at(progress.phase.as_str(), progress.done, progress.total, "");
        let outcome = replays.run(begun, cancel.clone(), observe).await;
        meter.finish();
        let report = outcome.map_err(failed)?;
        print(&summary(name, &plan, &report))?;
        if plan.dry_run && !plan.accept_differences && !report.differences.is_empty() {
            different.push(format!("{name} differs at position {}", report.position));
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, anyhow::anyhow!("{}: a replay would not switch without --accept-differences", different.join(", "))))
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
    let mut text = format!("{:<32} {:>12}  {:<34} {:<27} as of\n", "view", "position", "schema, indices", "built");
    for view in projections::views(&read_pool(settings).await?).await? {
        let as_of = view.moment.map_or_else(|| "the position".to_owned(), rfc3339);
        let (name, position, schema, built) = (view.name, view.position, view.schema_name, rfc3339(view.created_at));
        let _ = writeln!(text, "{name:<32} {position:>12}  {schema:<34} {built:<27} {as_of}");
        for index in view.indices {
            let _ = writeln!(text, "{:<46}  {index}", "");
        }
    }
    print(&text)
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
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

/// Which events the view has.
fn shown_by(view: &NewView) -> String {
    let position = view.position();
    match view.moment() {
        Some(moment) => format!(
            "it has what had been said and done by {}, according to the log up to position {position}; imported messages count from \
             when they were sent\n",
            rfc3339(moment)
        ),
        None => format!("it has what had been recorded up to position {position}; imported messages count from when they were imported\n"),
    }
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
            text.push_str(&shown_by(view));
            writeln!(text, "it is in the schema view_{}{where_else}: backscroll replay drop {} removes it", view.name(), view.name())
        }
        (_, _, None) => writeln!(text, "not compared: the old model was too far behind, or did not exist"),
        (_, true, _) => writeln!(text, "equal to {other}"),
        (_, false, _) => writeln!(text, "differs from {other}:"),
    };
    if report.left_out.events > 0 {
        let first = report.left_out.first.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "left out, because they change what happened later: {} events, such as {first}", report.left_out.events);
    }
    for difference in &report.differences {
        let _ = writeln!(text, "  {difference}");
        difference.rows.iter().for_each(|row| text.push_str(&side_by_side(row)));
    }
    text
}
