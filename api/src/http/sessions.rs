//! Sessions: sign in, list one's own sessions, and sign out.

use std::cmp::Reverse;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId};
use domain::text::Email;
use identity::sessions::{Device, Sessions};
use identity::sign_in::{SignIns, SignedIn};
use projections::ReadModels;
use serde::{Deserialize, Serialize};
use state::presence::Presences;
use state::sessions::{Ended, Session};
use state::token::Token;
use utoipa::ToSchema;

use super::answer::NO_STORE;
use super::members::PageQuery;
use super::path::SessionPath;
use crate::config::Secret;
use crate::extract::{
    Actor, BearerToken, Body, Checks, Circumstances, Cursor, Page, Query, Visitor, page_limit, parts, reject_unless_line, wrong_token,
};
use crate::problem::Problem;

/// The most characters of a device's kind.
const DEVICE_TYPE_CHARS_MAX: usize = 50;

parts! {
    /// The parts that sign a user out.
    pub struct SignOut {
        pub(super) sessions: Sessions,
        read_models: ReadModels,
        presences: Presences,
    }
}

/// The credentials of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartSession {
    /// The email address or the username.
    #[schema(min_length = 1, max_length = 255, example = "ann@example.org")]
    login: String,
    /// The password.
    #[schema(value_type = String, min_length = 1, max_length = 200, format = Password, example = "correct horse battery")]
    password: Secret,
    /// The kind of this device, as the client names it.
    #[schema(min_length = 1, max_length = 50, example = "desktop")]
    device_type: Option<String>,
    /// The `device_token` of an earlier sign-in from this device. With it, failed attempts of others do not delay this
    /// sign-in.
    #[schema(value_type = Option<String>, min_length = 47, max_length = 47, example = "bsd_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    device_token: Option<Secret>,
}

impl StartSession {
    fn check(&self) -> Result<(), Problem> {
        let mut checks = Checks::default();
        checks.note(reject_unless_line("login", &self.login, Email::CHARS_MAX));
        checks.note(self.device_type.as_deref().map_or(Ok(()), |text| reject_unless_line("device_type", text, DEVICE_TYPE_CHARS_MAX)));
        checks.pass()
    }

    fn device_token(&self) -> Result<Option<Token>, Problem> {
        let Some(text) = &self.device_token else { return Ok(None) };
        let detail = "device_token must be the device_token of an earlier sign-in: leave it out if you have none";
        let token = Token::parse_device(text.expose()).ok_or_else(|| Problem::invalid("input.invalid", "device_token", detail))?;
        Ok(Some(token))
    }
}

/// A session that was started.
#[derive(Serialize, ToSchema)]
pub struct SessionStarted {
    /// The bearer token. Send it with each request: `Authorization: Bearer bs_…`. It is shown only once.
    #[schema(example = "bs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    token: String,
    /// The session.
    #[schema(value_type = Uuid)]
    session_id: SessionId,
    /// The user who signed in.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// The time at which the session ends if it is not used before.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    expires_at: DateTime<Utc>,
    /// Keep it on the device, and send it with the device's next sign-in. It does not authenticate any request.
    #[schema(example = "bsd_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    device_token: String,
}

/// Sign in
///
/// Everybody may try. The token in the answer is shown only once, and goes into the header `Authorization: Bearer …` of
/// later requests. Keep the `device_token`: with it, wrong attempts of others do not delay this device. The server
/// limits the attempts at one account.
#[utoipa::path(tag = "sessions", request_body = StartSession, security(()),
    responses((status = 201, description = "The session is started.", body = SessionStarted)))]
#[post("/sessions")]
pub async fn start_session(
    _: Visitor,
    body: Body<StartSession>,
    from: Circumstances,
    sign_ins: Data<SignIns>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, Problem> {
    let input = body.input;
    input.check()?;
    let device = Device { token: input.device_token()?, ..from.device(input.device_type) };
    let SignedIn { token, session, device_token } = sign_ins.with_password(&input.login, input.password, device).await?;
    Ok(HttpResponse::Created().insert_header(NO_STORE).json(SessionStarted {
        token: token.expose().to_owned(),
        session_id: session.session_id,
        user_id: session.user_id,
        expires_at: sessions.expiry(&session),
        device_token: device_token.expose().to_owned(),
    }))
}

/// A session of the caller.
#[derive(Serialize, ToSchema)]
pub struct SessionShown {
    /// The session.
    #[schema(value_type = Uuid)]
    session_id: SessionId,
    /// Whether it is the session of this request.
    current: bool,
    /// The kind of device, as the client names it.
    device_type: String,
    /// The address from which it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    /// The client's `User-Agent` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// The time at which it started.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    created_at: DateTime<Utc>,
    /// The time of its last use, to the minute.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    last_activity: DateTime<Utc>,
    /// The time at which the session ends if it is not used before.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    expires_at: DateTime<Utc>,
}

/// List the caller's sessions, newest first
///
/// A session is a sign-in of one device. The caller sees only their own, with the address and the client of each.
#[utoipa::path(tag = "sessions", params(PageQuery), responses((status = 200, description = "The caller's sessions.", body = Page<SessionShown>)))]
#[get("/sessions")]
pub async fn list_sessions(query: Query<PageQuery>, actor: Actor, sessions: Data<Sessions>) -> Result<HttpResponse, Problem> {
    let (after, limit) = (Cursor::<Reverse<(DateTime<Utc>, SessionId)>>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let found = sessions.of_user(actor.user_id).await?;
    let shown = found.into_iter().map(|session| show(&sessions, &actor, session)).collect();
    let page = Page::<SessionShown>::among(shown, after, limit, |session| Reverse((session.created_at, session.session_id)));
    Ok(HttpResponse::Ok().json(page))
}

fn show(sessions: &Sessions, actor: &Actor, session: Session) -> SessionShown {
    SessionShown {
        session_id: session.session_id,
        current: session.session_id == actor.session_id,
        expires_at: sessions.expiry(&session),
        device_type: session.device_type,
        ip_address: session.ip_address,
        user_agent: session.user_agent,
        created_at: session.created_at,
        last_activity: session.last_activity,
    }
}

/// Sign out
///
/// The token of this request ends at once, on every node. The caller's other sessions go on.
#[utoipa::path(tag = "sessions", responses((status = 204, description = "The session has ended.")))]
#[delete("/sessions/current")]
pub async fn end_current_session(
    request: HttpRequest,
    token: BearerToken,
    from: Circumstances,
    sign_out: SignOut,
) -> Result<HttpResponse, Problem> {
    // Not through `Actor`, which refuses an ended session: a session whose end is not in the log yet must end once
    // more.
    let ended = sign_out.sessions.end(&token.0, &from.device(None)).await?;
    if ended.is_empty() && !sign_out.sessions.has_ended(&token.0).await? {
        return Err(wrong_token(&request, Some(&token.0)));
    }
    sign_out.leave(&ended).await;
    Ok(HttpResponse::NoContent().finish())
}

/// End one of the caller's sessions
///
/// The device must sign in again. The caller can end only their own sessions; `list_sessions` names them.
#[utoipa::path(tag = "sessions", params(SessionPath), responses((status = 204, description = "The session has ended.")))]
#[delete("/sessions/{session_id}")]
pub async fn end_session(path: Path<SessionPath>, actor: Actor, sign_out: SignOut) -> Result<HttpResponse, Problem> {
    let ended = sign_out.sessions.end_of_user(&actor.context(), path.session_id).await?;
    if ended.is_empty() && !sign_out.sessions.has_ended_of_user(actor.user_id, path.session_id).await? {
        return Err(Problem::not_found("session.not_found", "you have no such session: GET /v1/sessions lists yours"));
    }
    sign_out.leave(&ended).await;
    Ok(HttpResponse::NoContent().finish())
}

impl SignOut {
    /// Removes the devices of ended sessions from the presence lists. On an error it stops: their presence expires by
    /// itself within minutes.
    pub(super) async fn leave(&self, ended: &[Ended]) {
        for session in ended {
            let workspaces = self.read_models.workspaces_of(session.user_id()).await.unwrap_or_default();
            for workspace in workspaces {
                if self.presences.forget(session.user_id(), workspace.workspace_id.into(), session.session_id()).await.is_err() {
                    return;
                }
            }
        }
    }
}
