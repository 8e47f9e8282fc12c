//! Erasing people: asking for it, and cancelling it while it can be.

use actix_web::delete;
use actix_web::web::{Data, Path};
use commands::Commands;
use domain::ids::UserId;
use processes::erasure::Erasures;

use super::answer::Done;
use super::headers::CommandHeaders;
use super::path::UserPath;
use crate::config::Settings;
use crate::extract::{Command, parts};
use crate::problem::Problem;

parts! {
    /// What erases somebody.
    pub struct Erasing {
        commands: Commands,
        erasures: Erasures,
        settings: Settings,
    }
}

/// Erase the caller, after the server's waiting time
///
/// Until then the caller can cancel it. If the waiting time is 0, the erasure happens at once. `erasure_due_at` in
/// `GET /v1/users/me` gives the time.
#[utoipa::path(tag = "erasure", params(CommandHeaders),
    responses((status = 204, description = "The erasure is requested, or done.")))]
#[delete("/users/me")]
pub async fn erase_me(command: Command, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, command.actor.user_id).await
}

/// Cancel the caller's erasure, if the caller asked for it
///
/// If an owner or an operator asked for the erasure, only they can cancel it.
#[utoipa::path(tag = "erasure", params(CommandHeaders),
    responses((status = 204, description = "The erasure is cancelled.")))]
#[delete("/users/me/erasure")]
pub async fn keep_me(command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::quietly(commands.cancel_erasure(&command.asked(), command.actor.user_id).await?))
}

/// Erase a user, after the server's waiting time
///
/// Operators may do this, and users who own every workspace that the user is in.
#[utoipa::path(tag = "erasure", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The erasure is requested, or done.")))]
#[delete("/users/{user_id}")]
pub async fn erase_user(path: Path<UserPath>, command: Command, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, path.user_id).await
}

/// Cancel a user's erasure
///
/// Operators may do this, and the user who asked for the erasure.
#[utoipa::path(tag = "erasure", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The erasure is cancelled.")))]
#[delete("/users/{user_id}/erasure")]
pub async fn keep_user(path: Path<UserPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::quietly(commands.cancel_erasure(&command.asked(), path.user_id).await?))
}

impl Erasing {
    async fn request(&self, command: &Command, user_id: UserId) -> Result<Done, Problem> {
        let wait = self.settings.erasure_wait;
        let workspaces = self.erasures.traces(user_id).await?.workspaces;
        let requested = self.commands.request_erasure(&command.asked(), user_id, wait, &workspaces).await?;
        if wait.is_zero() && !requested.replayed {
            return match self.erasures.carry_out(user_id).await {
                Ok(erased) => Ok(Done::quietly(erased)),
                // The process that carries out due erasures was quicker.
                Err(_) if self.commands.user_state(user_id).await?.erased => Ok(Done::quietly(requested)),
                Err(error) => Err(error.into()),
            };
        }
        Ok(Done::quietly(requested))
    }
}
