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

/// Has the asker erased, for ever. It is carried out after the server's waiting time, at once where that is 0; until then it can be cancelled.
/// `erasure_due_at` of `GET /v1/users/me` says when.
#[utoipa::path(tag = "erasure", params(CommandHeaders),
    responses((status = 204, description = "The asker is to be erased, or is.")))]
#[delete("/users/me")]
pub async fn erase_me(command: Command, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, command.actor.user_id).await
}

/// Has the asker not erased after all. What an owner or an operator has asked for, only they cancel.
#[utoipa::path(tag = "erasure", params(CommandHeaders),
    responses((status = 204, description = "The asker is not to be erased.")))]
#[delete("/users/me/erasure")]
pub async fn keep_me(command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::quietly(commands.cancel_erasure(&command.asked(), command.actor.user_id).await?))
}

/// Has a user erased, for ever. Operators, and who owns every workspace that the user is in.
#[utoipa::path(tag = "erasure", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The user is to be erased, or is.")))]
#[delete("/users/{user_id}")]
pub async fn erase_user(path: Path<UserPath>, command: Command, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, path.user_id).await
}

/// Has a user not erased after all. Operators, and who asked for it.
#[utoipa::path(tag = "erasure", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The user is not to be erased.")))]
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
