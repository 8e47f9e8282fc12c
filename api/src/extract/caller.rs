//! The caller who opens a connection: by the header `Authorization`, by the cookie of a browser, or by a ticket.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use domain::ids::{SessionId, UserId};
use futures::TryFutureExt;
use identity::sessions::Sessions;
use state::sessions::Session;
use state::tickets::Tickets;
use state::token::{Token, TokenHash};

use super::actor::{Actor, session_of};
use super::credential::{Guard, is_of};
use super::{part, wrong_token};
use crate::limit::Limits;
use crate::problem::Problem;

/// The user of a connection. The connection ends with the session.
#[derive(Clone, Copy, Debug)]
pub struct LiveCaller {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The hash of the session's token, to look the session up again.
    token: TokenHash,
}

impl LiveCaller {
    /// Whether the session has ended, as far as Postgres answers.
    pub async fn has_ended(self, sessions: &Sessions) -> bool {
        sessions.take_up_by(self.token).await.is_ok_and(|session| session.is_none())
    }
}

/// Identifies the caller who opens a connection. The header counts before the ticket, and the ticket before the cookie.
/// With the cookie, the page must be one of this server or of an allowed origin. A ticket is used up, and counts only for
/// the origin that asked for it.
///
/// # Errors
/// Nobody is signed in, the page is of another origin, a limit is reached, or a store does not answer.
pub async fn live_caller(request: &HttpRequest, ticket: Option<&str>) -> Result<LiveCaller, Problem> {
    let (session, token) = match ticket {
        Some(ticket) if !request.headers().contains_key(AUTHORIZATION) => of_ticket(request, ticket).await?,
        _ => session_of(request, Guard::Always).await?,
    };
    let actor = Actor::of(request, &session, token)?;
    Ok(LiveCaller { user_id: actor.user_id, session_id: actor.session_id, token })
}

async fn of_ticket(request: &HttpRequest, text: &str) -> Result<(Session, TokenHash), Problem> {
    let refused = || refused(request);
    let (limits, sessions) = (part::<Limits>(request)?, part::<Sessions>(request)?);
    let ticket = Token::parse_ticket(text).ok_or_else(refused)?;
    // An address that has sent too many wrong tokens may be that of many people. A valid ticket is accepted from it.
    let found = part::<Tickets>(request)?.redeem(&ticket).await.map_err(Problem::tickets_unavailable)?;
    let found = found.ok_or_else(refused)?;
    if !is_of(request, found.origin.as_deref())? {
        return Err(refused());
    }
    let session = sessions.take_up_by(found.session).map_err(Problem::from);
    let session = limits.count_session(request, &found.session, session).await?;
    Ok((session.ok_or_else(refused)?, found.session))
}

/// No ticket that counts. It is counted like a wrong token, so that nobody can guess.
fn refused(request: &HttpRequest) -> Problem {
    let counted = wrong_token(request, None);
    if counted.code() == "auth.token_invalid" { Problem::ticket_invalid() } else { counted }
}
