//! Replays: building a projection anew, and models as of a moment. For the server's operators.

use std::cmp::Reverse;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, LOCATION};
use actix_web::web::{Bytes, Data, Path, Query};
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
use crate::extract::{Actor, Body, Command, Cursor, Page, page_limit};
use crate::problem::Problem;

/// The name that stands for every projection.
const ALL: &str = "all";
/// How many replays are listed.
const LISTED_MAX: u16 = 50;
/// How often it is looked how far a replay is that somebody watches.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After how many looks something is said although nothing has moved: whoever watches learns that the server is there.
const SILENT_LOOKS_MAX: u32 = 20;

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
    /// Makes a view as of that time.
    until_time: Option<DateTime<Utc>>,
    /// The name of the view: lowercase letters, digits and `_`. The default is `at_<position>`.
    #[schema(min_length = 1, max_length = 50, example = "before_the_move")]
    view: Option<String>,
}

impl StartReplay {
    async fn plan(&self, stores: &Connections) -> Result<Plan, Problem> {
        let until = match (self.until_position, self.until_time) {
            (None, None) => None,
            (Some(position), None) => Some(position),
            (None, Some(moment)) => Some(projections::position_at(&stores.pool, moment).await?),
            (Some(_), Some(_)) => return Err(contradiction("until_time", "until_position and until_time exclude each other")),
        };
        let scope = match (self.workspace_id, until) {
            (None, None) if self.view.is_some() => {
                return Err(contradiction("view", "a view is of a position: say until_position or until_time"));
            }
            (None, None) => Scope::Whole,
            (Some(workspace_id), None) => Scope::Workspace(workspace_id),
            (None, Some(position)) => Scope::View(NewView::parse(self.view.as_deref(), position).ok_or_else(|| {
                contradiction("view", "view must begin with a letter, and have lower case letters, digits and _ only, at most 50")
            })?),
            (Some(_), Some(_)) => return Err(contradiction("workspace_id", "workspace_id and until_… exclude each other")),
        };
        Ok(Plan { scope, dry_run: self.dry_run, accept_differences: self.accept_differences })
    }
}

fn contradiction(field: &'static str, detail: &'static str) -> Problem {
    Problem::invalid("replay.plan_invalid", field, detail)
}

/// Start to rebuild a projection from the log
///
/// `all` rebuilds one projection after the other. Queries read the old model until the new one is compared and
/// found equal. Operators only.
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
        return Err(contradiction("name", "all of them can only be built anew whole: name one"));
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
/// Operators only.
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
/// Operators only.
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
/// The old model stays. The new one is removed. Operators only.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses((status = 202, description = "The replay will end soon.", body = ReplayRun)))]
#[delete("/projections/{name}/replays/current")]
pub async fn cancel_replay(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let none = || Problem::conflict("replay.not_running", "no replay of this projection is under way");
    let asked = runs::ask_to_cancel(&stores.pool, &path.name).await?.ok_or_else(none)?;
    Ok(HttpResponse::Accepted().json(asked))
}

/// Stream the progress of a projection's latest replay as server-sent events
///
/// Events of type `progress` report the progress, and one of type `end` the outcome. Operators only.
#[utoipa::path(tag = "projections", params(ProjectionPath), responses(
    (status = 200, description = "Server-sent events; their data are the replay.", body = ReplayRun, content_type = "text/event-stream")))]
#[get("/projections/{name}/replays/current/progress")]
pub async fn watch_replay(
    path: Path<ProjectionPath>,
    actor: Actor,
    commands: Data<Commands>,
    stores: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.operator().await?;
    let replay = current(&stores, &path.name).await?;
    let watch = Watch { stores, replay_id: replay.replay_id, said: None, silent: 0, over: false };
    // What is compressed would wait until there is enough of it.
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_ENCODING, "identity"))
        .streaming(stream::unfold(watch, Watch::next)))
}

/// Somebody who watches a replay.
struct Watch {
    stores: Data<Connections>,
    replay_id: Uuid,
    /// How far it was when something was last said.
    said: Option<(String, i64)>,
    silent: u32,
    over: bool,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<Bytes, sqlx::Error>, Self)> {
        while !self.over {
            if self.said.is_some() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let replay = match runs::find(&self.stores.pool, self.replay_id).await {
                Ok(replay) => replay?,
                Err(error) => {
                    self.over = true;
                    return Some((Err(error), self));
                }
            };
            self.over = replay.ended_at.is_some();
            self.silent += 1;
            let now = Some((replay.phase.clone(), replay.done));
            if self.over || self.said != now || self.silent > SILENT_LOOKS_MAX {
                (self.said, self.silent) = (now, 0);
                let name = if self.over { "end" } else { "progress" };
                let data = serde_json::to_string(&replay).unwrap_or_default();
                return Some((Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n"))), self));
            }
        }
        None
    }
}

/// List the views: read models as of an earlier moment
///
/// Each is a database schema to query with `psql`, with its search indices. Operators only.
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
    views.sort_by_key(built);
    Ok(HttpResponse::Ok().json(Page::among(views, after, limit, built)))
}

/// When a view was built, and its name: the latest comes first.
fn built(view: &View) -> Reverse<(DateTime<Utc>, String)> {
    Reverse((view.created_at, view.name.clone()))
}

/// Drop a view
///
/// Operators only.
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
    Err(Problem::not_found("replay.view_not_found", "there is no view of that name: GET /v1/replay-views lists them"))
}

async fn current(stores: &Connections, projection: &str) -> Result<ReplayRun, Problem> {
    let none = || Problem::not_found("replay.not_found", "nobody has replayed that projection yet");
    runs::latest(&stores.pool, Some(projection), 1).await?.pop().ok_or_else(none)
}
