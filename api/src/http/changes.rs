//! The changes in a workspace: the frames of its events behind a cursor. docs/LIVE.md describes the protocol.

use std::time::Duration;

use actix_web::get;
use actix_web::web::{Data, Path};
use live::{Changes, ChangesPage, Cursor};
use projections::{Progress, RELATIONAL, WaitError};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::headers::QueryHeaders;
use super::path::WorkspacePath;
use crate::extract::{Query, QueryAnswer, Reading, no_cursor, page_limit};
use crate::problem::Problem;

/// The longest time that a request waits for the next event, in seconds.
const WAIT_SECONDS_MAX: u8 = 10;

/// The pauses between two looks of a waiting request, if the log has events that its caller does not get.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A page of what changed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The `next` cursor of the previous page. Without it, the page is empty, and its `next` is where the log ends now.
    #[param(example = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b:4711")]
    after: Option<String>,
    /// The most events. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
    /// How many seconds to wait for an event, if there is none. The default is 0.
    #[param(minimum = 0, maximum = 10)]
    wait: Option<u8>,
}

impl ChangesQuery {
    fn after(&self) -> Result<Option<Cursor>, Problem> {
        self.after.as_deref().map(|text| text.parse::<Cursor>().map_err(|_| no_cursor("after"))).transpose()
    }

    fn wait(&self) -> Result<Duration, Problem> {
        match self.wait.unwrap_or(0) {
            seconds @ 0..=WAIT_SECONDS_MAX => Ok(Duration::from_secs(seconds.into())),
            _ => Err(Problem::malformed("request.query_invalid", Some("wait".into()), "wait must be 0 to 10")),
        }
    }
}

/// Get what changed in a workspace behind a cursor, in the order of the log
///
/// Each frame shows the message, channel or person of an event as it is now: a text that was deleted since is not in it.
/// The caller gets an event if they could see it when it happened and can see it now. The removal of the caller from a
/// channel is the last event that they get of the channel. A page may have fewer events than `limit` although there are
/// more: read on while `has_more`. If `reset` is there, read the state again and go on from `next`.
#[utoipa::path(tag = "changes", params(WorkspacePath, ChangesQuery, QueryHeaders),
    responses((status = 200, description = "The events.", body = ChangesPage)))]
#[get("/workspaces/{workspace_id}/changes")]
pub async fn list_changes(
    path: Path<WorkspacePath>,
    query: Query<ChangesQuery>,
    reading: Reading,
    changes: Data<Changes>,
    progress: Data<Progress>,
) -> Result<QueryAnswer<ChangesPage>, Problem> {
    let (after, limit, wait) = (query.after()?, page_limit(query.limit)?, query.wait()?);
    let (deadline, mut pause) = (Instant::now() + wait, PAUSE_MIN);
    let mut page = changes.page(&reading.access, path.workspace_id, after, limit).await?;
    while after.is_some() && page.items.is_empty() && page.reset.is_none() && Instant::now() < deadline {
        if !page.has_more && !more_arrives(&progress, page.position, deadline).await? {
            break;
        }
        if !page.has_more && pause > PAUSE_MIN {
            sleep_until(deadline.min(Instant::now() + pause)).await;
        }
        pause = PAUSE_MAX.min(pause * 2);
        // The caller may have been removed meanwhile.
        let access = reading.access.renewed().await?;
        page = changes.page(&access, path.workspace_id, Some(changes.cursor(page.position)), limit).await?;
    }
    Ok(Reading::answer_at(page.position, page))
}

/// Waits until the log has an event behind `position`. The read tables follow every process's events, within
/// milliseconds.
async fn more_arrives(progress: &Progress, position: i64, deadline: Instant) -> Result<bool, Problem> {
    match progress.wait_for(RELATIONAL, position + 1, deadline.saturating_duration_since(Instant::now())).await {
        Ok(_) => Ok(true),
        Err(WaitError::NotReached { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
