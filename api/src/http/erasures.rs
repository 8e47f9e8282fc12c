//! Erasures of users: request one, or cancel it while it waits.

use actix_web::web::{Data, Path};
use actix_web::{delete, put};
use commands::{Commands, ErasureCandidates};
use domain::ids::UserId;
use identity::confirmation::Confirmations;
use processes::erasure::Erasures;
use projections::Progress;

use super::answer::Done;
use super::command_rows;
use super::confirmation::ConfirmPassword;
use super::headers::CommandHeaders;
use super::path::{MemberPath, UserPath};
use crate::config::Settings;
use crate::extract::{Body, Command, parts};
use crate::problem::Problem;

parts! {
    /// The parts that request an erasure.
    pub struct Erasing {
        commands: Commands,
        erasures: Erasures,
        confirmations: Confirmations,
        settings: Settings,
        progress: Progress,
    }
}

/// Erase the caller, after the server's waiting time
///
/// Requires the caller's password. The caller can cancel the erasure until the waiting time is over. If the waiting
/// time is 0, the erasure happens at once. `erasure_due_at` of `get_me` gives the time. The only owner of a workspace
/// hands it over first.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(CommandHeaders),
    responses((status = 204, description = "The erasure is requested, or done.")))]
#[delete("/users/me")]
pub async fn erase_me(command: Command<Body<ConfirmPassword>>, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, command.actor.user_id).await
}

/// Cancel the caller's erasure
///
/// The caller may cancel it even if an operator requested it. After the waiting time nobody can.
#[utoipa::path(tag = "erasure", params(CommandHeaders),
    responses((status = 204, description = "The erasure is cancelled.")))]
#[delete("/users/me/erasure")]
pub async fn keep_me(command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.cancel_erasure(&command.asked(), command.actor.user_id).await?))
}

/// Erase a user, after the server's waiting time
///
/// Operators and the user may do this. Requires the caller's password. The user can cancel it until the waiting time is
/// over. The last operator of the server cannot be erased, and neither can the only owner of a workspace.
#[utoipa::path(tag = "erasure", request_body = ConfirmPassword, params(UserPath, CommandHeaders),
    responses((status = 204, description = "The erasure is requested, or done.")))]
#[delete("/users/{user_id}")]
pub async fn erase_user(path: Path<UserPath>, command: Command<Body<ConfirmPassword>>, erasing: Erasing) -> Result<Done, Problem> {
    erasing.request(&command, path.user_id).await
}

/// Cancel a user's erasure
///
/// Operators and the user may do this, until the waiting time is over.
#[utoipa::path(tag = "erasure", params(UserPath, CommandHeaders),
    responses((status = 204, description = "The erasure is cancelled.")))]
#[delete("/users/{user_id}/erasure")]
pub async fn keep_user(path: Path<UserPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.cancel_erasure(&command.asked(), path.user_id).await?))
}

/// Propose to the operators to erase a user who is or was in the workspace
///
/// Owners of the workspace may do this. The log keeps the proposal, and an operator decides. To remove a member from
/// the workspace, deactivate the member instead.
#[utoipa::path(tag = "erasure", params(MemberPath, CommandHeaders),
    responses((status = 204, description = "The log has the proposal.")))]
#[put("/workspaces/{workspace_id}/members/{user_id}/erasure-proposal")]
pub async fn propose_erasure(path: Path<MemberPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.propose_erasure(&command.asked(), path.workspace_id, path.user_id).await?))
}

impl Erasing {
    async fn request(&self, command: &Command<Body<ConfirmPassword>>, user_id: UserId) -> Result<Done, Problem> {
        self.confirmations.confirm(&command.actor.context(), command.body.input.current_password.clone()).await?;
        let wait = self.settings.erasure_wait;
        let workspaces = self.erasures.affiliations(user_id).await?.workspaces;
        let operators = self.erasures.read_models.operators().await?;
        let candidates = ErasureCandidates { workspaces: &workspaces, operators: &operators };
        let requested = self.commands.request_erasure(&command.asked_without_secret(&[]), user_id, wait, candidates).await?;
        if wait.is_zero() && !requested.replayed {
            return match self.erasures.carry_out(user_id).await {
                Ok(erased) => {
                    // The erasure is the server's command, and not the caller's. So the caller's next query does not
                    // wait for it. If the read model is behind, the person is erased all the same.
                    drop(self.progress.wait_for(projections::RELATIONAL, erased.position, command_rows::WAIT_MAX).await);
                    Ok(Done::no_content(erased))
                }
                // The process that carries out due erasures was faster.
                Err(_) if self.commands.user_state(user_id).await?.erased => Ok(Done::no_content(requested)),
                Err(error) => Err(error.into()),
            };
        }
        Ok(Done::no_content(requested))
    }
}
