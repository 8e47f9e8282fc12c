//! The caller of a request.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::Utc;
use domain::Context;
use domain::ids::{SessionId, UserId};
use futures::TryFutureExt;
use futures::future::LocalBoxFuture;
use identity::sessions::{Device, Sessions};
use state::sessions::Session;
use state::token::{Token, TokenHash};
use tracing::Span;
use uuid::Uuid;

use super::credential::{Credential, Guard, Way, credential_of};
use super::{client_ip, part, user_agent};
use crate::config::Settings;
use crate::limit::Limits;
use crate::problem::Problem;
use crate::telemetry::{RequestActor, RequestId};

/// The token of a request to sign out, valid or not. The request counts in its own class. So a flood of sign-ins or of
/// wrong tokens from the same address cannot stop a user from signing out.
pub struct SessionToken {
    /// The token.
    pub token: Token,
    /// Whether a browser sent it as its cookie.
    pub is_cookie: bool,
}

impl FromRequest for SessionToken {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Credential { token, way } = credential_of(&request, Guard::Changes)?;
            let Some(token) = token else { return Err(wrong_token(&request, None)) };
            part::<Limits>(&request)?.count_sign_out(&request, address(&request)?, &token).await?;
            Ok(Self { token, is_cookie: way == Way::Cookie })
        })
    }
}

fn address(request: &HttpRequest) -> Result<Option<IpAddr>, Problem> {
    Ok(client_ip(request, &part::<Settings>(request)?.trusted_proxies))
}

/// Counts an invalid token, and returns the problem.
pub fn wrong_token(request: &HttpRequest, token: Option<&Token>) -> Problem {
    let counted = || part::<Limits>(request)?.count_wrong(request, address(request)?, token);
    counted().err().unwrap_or_else(expired)
}

/// No session has the token: it never existed, or it has ended.
fn expired() -> Problem {
    Problem::unauthenticated("auth.token_invalid", "the token is invalid, or its session has ended: sign in again")
}

/// A signed-in user, with the circumstances of the request.
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
    /// The hash of the session's token.
    pub token: TokenHash,
    circumstances: Circumstances,
}

impl Actor {
    /// The context of the user's command.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { session: Some(self.session_id), ..self.circumstances.context_of(self.user_id) }
    }
}

impl FromRequest for Actor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (session, token) = session_of(&request, Guard::Changes).await?;
            Self::of(&request, &session, token)
        })
    }
}

impl Actor {
    pub(super) fn of(request: &HttpRequest, session: &Session, token: TokenHash) -> Result<Self, Problem> {
        Span::current().record("actor.id", session.user_id.to_string());
        request.extensions_mut().insert(RequestActor(session.user_id));
        let circumstances = Circumstances::of(request, &*part::<Settings>(request)?);
        Ok(Self { user_id: session.user_id, session_id: session.session_id, token, circumstances })
    }
}

/// The session that a request names, and the hash of its token. The request counts.
pub(super) async fn session_of(request: &HttpRequest, guard: Guard) -> Result<(Session, TokenHash), Problem> {
    let Some(token) = credential_of(request, guard)?.token else { return Err(wrong_token(request, None)) };
    let (limits, sessions) = (part::<Limits>(request)?, part::<Sessions>(request)?);
    if limits.is_wrong(request, address(request)?, &token)? {
        return Err(expired());
    }
    let (hash, session) = (token.hash(), sessions.take_up(&token).map_err(Problem::from));
    match limits.count_session(request, &hash, session).await? {
        Some(session) => Ok((session, hash)),
        None => Err(wrong_token(request, Some(&token))),
    }
}

/// The address, the client and the identifier of a request.
pub struct Circumstances {
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
}

impl Circumstances {
    /// Those of `request`.
    fn of(request: &HttpRequest, settings: &Settings) -> Self {
        Self {
            address: client_ip(request, &settings.trusted_proxies).map(|address| address.to_string()),
            user_agent: user_agent(request.headers()),
            request_id: RequestId::of_request(request).map(|id| id.as_str().to_owned()),
        }
    }

    /// The context of a command by `actor` in these circumstances.
    #[must_use]
    pub fn context_of(&self, actor: UserId) -> Context {
        Context {
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            ..Context::of(actor, Utc::now(), Uuid::now_v7())
        }
    }

    /// The device of a sign-in.
    #[must_use]
    pub fn device(&self, device_type: Option<String>) -> Device {
        let (ip_address, user_agent) = (self.address.clone(), self.user_agent.clone());
        Device { device_type, ip_address, user_agent, request_id: self.request_id.clone(), token: None }
    }
}

impl FromRequest for Circumstances {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(part::<Settings>(request).map(|settings| Self::of(request, &settings)))
    }
}
