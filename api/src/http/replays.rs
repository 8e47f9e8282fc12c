//! Replays: rebuild a projection from the log, or build a view as of an earlier moment. For the server's operators.

use std::cmp::Reverse;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, LOCATION};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use commands::Commands;
use domain::ids::WorkspaceId;
use futures::stream;
use processes::replays::{Plan, Replays, Scope};
use projections::{Connections, NewView, ReplayRun, View, runs};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::headers::CommandHeaders;
use super::members::PageQuery;
use super::path::{ProjectionPath, ViewPath};
use crate::extract::{Actor, Body, Command, Cursor, Page, Query, page_limit};
use crate::problem::Problem;

/// The name that means every projection.
const ALL: &str = "all";
/// The most replays in a list.
const LISTED_MAX: u16 = 50;
/// The time between two reads of a watched replay's progress.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// After this many polls without progress, the server sends the same event again. So the client knows that the server
/// still answers.
const UNCHANGED_POLLS_MAX: u32 = 20;

/// The part of a projection to rebuild. The default is the whole projection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartReplay {
    /// Stop before the switch, and report the differences.
    #[serde(default)]
    dry_run: bool,
    /// Switch even if the new model differs from the live one. The log keeps the user.
    #[serde(default)]
    accept_differences: bool,
    /// Replaces only the rows of that workspace. `relational` only.
    #[schema(value_type = Option<Uuid>)]
    workspace_id: Option<WorkspaceId>,
    /// Makes a view as of that position: a schema of its own and, for `search`, its own indices. Not for `cache`.
    #[schema(minimum = 0)]
    until_position: Option<i64>,
    /// Makes a view of what had been said and done by that time. Imported messages count from when they were sent.
    until_time: Option<DateTime<Utc>>,
    /// Makes a view as of the last event that was recorded by that time. Imported messages count from when they were
    /// imported.
    until_recorded_time: Option<DateTime<Utc>>,
    /// The name of the view: lowercase letters, digits and `_`. The default is `at_<position>`, or `at_<time>` with
    /// `until_time`.
    #[schema(min_length = 1, max_length = 50, example = "before_the_move")]
    view: Option<String>,
}

impl StartReplay {
    async fn plan(&self, stores: &Connections) -> Result<Plan, Problem> {
        let view = self.new_view(stores).await?;
        if view.is_some() && self.dry_run {
            return Err(contradiction("dry_run", "a view is never switched to: send dry_run or until_…, not both"));
        }
        let scope = match (self.workspace_id, view) {
            (None, None) if self.view.is_some() => {
                return Err(contradiction("view", "a view is as of a moment: send until_position, until_time or until_recorded_time"));
            }
            (None, None) => Scope::Whole,
            (Some(workspace_id), None) => Scope::Workspace(workspace_id),
            (None, Some(view)) => Scope::View(view),
            (Some(_), Some(_)) => {
                return Err(contradiction("workspace_id", "a view has all workspaces: send workspace_id or until_…, not both"));
            }
        };
        Ok(Plan { scope, dry_run: self.dry_run, accept_differences: self.accept_differences })
    }

    /// The view, if one is asked for.
    async fn new_view(&self, stores: &Connections) -> Result<Option<NewView>, Problem> {
        let name = self.view.as_deref();
        let view = match (self.until_position, self.until_time, self.until_recorded_time) {
            (None, None, None) => return Ok(None),
            (Some(position), None, None) => NewView::parse(name, position),
            (None, Some(moment), None) => NewView::of_moment(name, moment, stores::log::head(&stores.pool).await?),
            (None, None, Some(recorded)) => NewView::parse(name, projections::position_at(&stores.pool, recorded).await?),
            (_, until_time, _) => {
                let field = if until_time.is_some() { "until_time" } else { "until_recorded_time" };
                return Err(contradiction(
                    field,
                    "until_position, until_time and until_recorded_time exclude each other: send one of them",
                ));
            }
        };
        let wrong = "view must begin with a letter, and have only lowercase letters, digits and _, at most 50";
        view.map(Some).ok_or_else(|| contradiction("view", wrong))
    }
}

fn contradiction(field: &'static str, detail: &'static str) -> Problem {
    Problem::invalid("replay.plan_invalid", field, detail)
}

/// Start to rebuild a projection from the log
///
/// Operators only. `all` rebuilds one projection after the other. Queries read the old model until the new one is
/// compared and found equal. The answer comes at once; `get_current_replay` shows the progress.
#[utoipa::path(tag = "projections", params(ProjectionPath, CommandHeaders), request_body = StartReplay,
    responses((status = 202, description = "The replay has begun.", body = ReplayRun)))]
#[post("/projections/{name}/replays")]
pub async fn start_replay(
    path: Path<ProjectionPath>,
    command: Command<Body<StartReplay>>,
    commands: Data<Commands>,
    stores: Data<Connections>,
    replays: Data<Replays>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(command.actor.user_id).await?.operator().await?;
    let plan = command.body.input.plan(&stores).await?;
    if path.name == ALL && !matches!(plan.scope, Scope::Whole) {
        return Err(contradiction("name", "all rebuilds whole projections only: name one projection"));
    }
    let mut projections = match path.name.as_str() {
        ALL => projections::replayable(&stores).into_iter(),
        _ => vec![].into_iter(),
    };
    let first = projections.next().unwrap_or(&path.name).to_owned();
    let replay = replays.start(command.asked(), &first, projections.collect(), plan).await?;
    Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("/v1/projections/{first}/replays/current"))).json(replay))
}

/// List a projection's latest replays, newest first; `all` for every projection
///
/// Operators only. The list has the latest fifty replays, on all nodes.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 200, description = "The replays.", body = Page<ReplayRun>)))]
#[get("/projections/{name}/replays")]
pub async fn list_replays(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let projection = (path.name != ALL).then_some(path.name.as_str());
    Ok(HttpResponse::Ok().json(Page::whole(runs::latest(&stores.pool, projection, LISTED_MAX).await?)))
}

/// Get the progress or the outcome of a projection's latest replay, on any node
///
/// Operators only. It shows the latest replay, whether it runs or has ended.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 200, description = "The replay.", body = ReplayRun)))]
#[get("/projections/{name}/replays/current")]
pub async fn get_current_replay(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    Ok(HttpResponse::Ok().json(current(&stores, &path.name).await?))
}

/// Cancel the running replay of a projection, on any node
///
/// Operators only. The old model stays, and the new one is removed. The replay ends some moments after the answer.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 202, description = "The replay will end soon.", body = ReplayRun)))]
#[delete("/projections/{name}/replays/current")]
pub async fn cancel_replay(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let none = || Problem::conflict("replay.not_running", "no replay of this projection is running");
    let asked = match runs::ask_to_cancel(&stores.pool, &path.name).await? {
        Some(asked) => asked,
        // Cancelled before: a repeated request gets the same answer.
        None => runs::latest(&stores.pool, Some(&path.name), 1).await?.pop().filter(|run| run.state == "cancelled").ok_or_else(none)?,
    };
    Ok(HttpResponse::Accepted().json(asked))
}

/// Stream the progress of a projection's latest replay as server-sent events
///
/// Operators only. Events of type `progress` report the progress, and one of type `end` the outcome. Then the stream
/// ends. A browser's `EventSource` cannot send the token, so use a request that can.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses(
    (status = 200, description = "Server-sent events. The data of each is a `ReplayRun` as JSON.", body = String, content_type = "text/event-stream")))]
#[get("/projections/{name}/replays/current/progress")]
pub async fn watch_replay(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let replay = current(&stores, &path.name).await?;
    let progress = ProgressStream { stores, replay_id: replay.replay_id, last_sent: None, unchanged_polls: 0, ended: false };
    // Compression would hold events back until there are enough bytes.
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CONTENT_ENCODING, "identity"))
        .streaming(stream::unfold(progress, ProgressStream::next)))
}

/// A stream of one replay's progress.
struct ProgressStream {
    stores: Data<Connections>,
    replay_id: Uuid,
    /// The phase and the progress in the last event that was sent.
    last_sent: Option<(String, i64)>,
    unchanged_polls: u32,
    ended: bool,
}

impl ProgressStream {
    async fn next(mut self) -> Option<(Result<Bytes, sqlx::Error>, Self)> {
        while !self.ended {
            if self.last_sent.is_some() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            let replay = match runs::find(&self.stores.pool, self.replay_id).await {
                Ok(replay) => replay?,
                Err(error) => {
                    self.ended = true;
                    return Some((Err(error), self));
                }
            };
            self.ended = replay.ended_at.is_some();
            self.unchanged_polls += 1;
            let now = Some((replay.phase.clone(), replay.done));
            if self.ended || self.last_sent != now || self.unchanged_polls > UNCHANGED_POLLS_MAX {
                (self.last_sent, self.unchanged_polls) = (now, 0);
                let name = if self.ended { "end" } else { "progress" };
                let data = serde_json::to_string(&replay).unwrap_or_default();
                return Some((Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n"))), self));
            }
        }
        None
    }
}

/// List the views: read models as of an earlier moment
///
/// Operators only. Each view is a database schema to query with `psql`, with its search indices.
#[utoipa::path(tag = "projections", params(PageQuery), responses((status = 200, description = "The views.", body = Page<View>)))]
#[get("/replay-views")]
pub async fn list_views(
    query: Query<PageQuery>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let (after, limit) = (Cursor::<Reverse<(DateTime<Utc>, String)>>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let mut views = projections::views(&stores.pool).await?;
    views.sort_by_key(latest_first);
    Ok(HttpResponse::Ok().json(Page::among(views, after, limit, latest_first)))
}

/// The key of the list's order, latest first: the time when the view was built, and its name.
fn latest_first(view: &View) -> Reverse<(DateTime<Utc>, String)> {
    Reverse((view.created_at, view.name.clone()))
}

/// Drop a view
///
/// Operators only. Its schema and its search indices are removed. The live read models are not touched.
#[utoipa::path(tag = "projections", params(ViewPath), responses((status = 204, description = "The view is dropped.")))]
#[delete("/replay-views/{view}")]
pub async fn drop_view(
    path: Path<ViewPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    if projections::drop_view(&stores, &path.view).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::not_found("replay.view_not_found", "no view has that name: GET /v1/replay-views lists the views"))
}

async fn current(stores: &Connections, projection: &str) -> Result<ReplayRun, Problem> {
    let none = || Problem::not_found("replay.not_found", "that projection has not been replayed yet");
    runs::latest(&stores.pool, Some(projection), 1).await?.pop().ok_or_else(none)
}
