//! The caller of a request.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::Utc;
use domain::Context;
use domain::ids::{SessionId, UserId};
use futures::TryFutureExt;
use futures::future::LocalBoxFuture;
use identity::sessions::{Device, Sessions};
use state::token::Token;
use tracing::Span;
use uuid::Uuid;

use super::{client_ip, part, user_agent};
use crate::config::Settings;
use crate::limit::Limits;
use crate::problem::Problem;
use crate::telemetry::{RequestActor, RequestId};

/// The token of a request to sign out, valid or not. The request counts in its own class. So a flood of sign-ins or of
/// wrong tokens from the same address cannot stop a user from signing out.
pub struct BearerToken(pub Token);

impl FromRequest for BearerToken {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(token) = token_of(&request)? else { return Err(wrong_token(&request, None)) };
            part::<Limits>(&request)?.count_sign_out(&request, address(&request)?, &token).await?;
            Ok(Self(token))
        })
    }
}

fn address(request: &HttpRequest) -> Result<Option<IpAddr>, Problem> {
    Ok(client_ip(request, &part::<Settings>(request)?.trusted_proxies))
}

/// The session token in the request, or `None` if its text cannot be one.
pub(super) fn token_of(request: &HttpRequest) -> Result<Option<Token>, Problem> {
    let missing =
        || Problem::unauthenticated("auth.token_missing", "sign in (POST /v1/sessions) and send the token: Authorization: Bearer bs_…");
    let Ok(text) = request.headers().get(AUTHORIZATION).ok_or_else(missing)?.to_str() else { return Ok(None) };
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    Ok(Token::parse_session(token.trim()))
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
            let Some(token) = token_of(&request)? else { return Err(wrong_token(&request, None)) };
            let (limits, sessions) = (part::<Limits>(&request)?, part::<Sessions>(&request)?);
            if limits.is_wrong(&request, address(&request)?, &token)? {
                return Err(expired());
            }
            let session = sessions.take_up(&token).map_err(Problem::from);
            let Some(session) = limits.count_session(&request, &token, session).await? else {
                return Err(wrong_token(&request, Some(&token)));
            };
            Span::current().record("actor.id", session.user_id.to_string());
            request.extensions_mut().insert(RequestActor(session.user_id));
            let circumstances = Circumstances::of(&request, &*part::<Settings>(&request)?);
            Ok(Self { user_id: session.user_id, session_id: session.session_id, circumstances })
        })
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
