//! Sessions: sign in, list one's own sessions, and sign out.

use std::cmp::Reverse;
use std::collections::HashSet;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId};
use domain::text::Email;
use identity::sessions::{Device, Sessions};
use identity::sign_in::{SignIns, SignedIn};
use projections::ReadModels;
use serde::{Deserialize, Serialize};
use state::connections::Connections;
use state::presence::Presences;
use state::sessions::{Ended, Session};
use state::token::Token;
use utoipa::ToSchema;

use super::answer::NO_STORE;
use super::members::PageQuery;
use super::path::SessionPath;
use crate::config::{Secret, Settings};
use crate::extract::{
    Actor, Body, Checks, Circumstances, Cursor, Page, Query, SessionToken, Visitor, no_session_cookie, page_limit, parts,
    reject_foreign_page, reject_unless_line, session_cookie, wrong_token,
};
use crate::problem::Problem;
use crate::signals::Signals;

/// The most characters of a device's kind.
const DEVICE_TYPE_CHARS_MAX: usize = 50;

parts! {
    /// The parts that sign a user out.
    pub struct SignOut {
        pub(super) sessions: Sessions,
        read_models: ReadModels,
        presences: Presences,
        signals: Signals,
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
    /// Whether a browser keeps the token as a cookie that no script can read. Then it is not in the answer. Only a page of
    /// this server or of an allowed origin may ask for it.
    #[serde(default)]
    cookie: bool,
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
    /// The bearer token. Send it with each request: `Authorization: Bearer bs_…`. It is shown only once. Absent if the
    /// browser has it as its cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    token: Option<String>,
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
/// limits the attempts at one account. With `"cookie": true`, a browser gets the token as a cookie (`HttpOnly`,
/// `SameSite=Strict`), and sends it by itself. Requests with the cookie that change something must come from a page of this
/// server or of an allowed origin.
#[utoipa::path(tag = "sessions", request_body = StartSession, security(()),
    responses((status = 201, description = "The session is started.", body = SessionStarted)))]
#[post("/sessions")]
pub async fn start_session(
    _: Visitor,
    request: HttpRequest,
    body: Body<StartSession>,
    from: Circumstances,
    sign_ins: Data<SignIns>,
    sessions: Data<Sessions>,
    settings: Data<Settings>,
) -> Result<HttpResponse, Problem> {
    let input = body.input;
    input.check()?;
    if input.cookie {
        reject_foreign_page(&request)?;
    }
    let device = Device { token: input.device_token()?, ..from.device(input.device_type) };
    let SignedIn { token, session, device_token } = sign_ins.with_password(&input.login, input.password, device).await?;
    let mut answer = HttpResponse::Created();
    if input.cookie {
        answer.insert_header(session_cookie(&settings, &token));
    }
    Ok(answer.insert_header(NO_STORE).json(SessionStarted {
        token: (!input.cookie).then(|| token.expose().to_owned()),
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
    /// Whether a connection of it is open (`GET /v1/live`), at any server. Absent if that cannot be known now.
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<bool>,
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
pub async fn list_sessions(
    query: Query<PageQuery>,
    actor: Actor,
    sessions: Data<Sessions>,
    connections: Data<Connections>,
) -> Result<HttpResponse, Problem> {
    let (after, limit) = (Cursor::<Reverse<(DateTime<Utc>, SessionId)>>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let (found, connected) = tokio::join!(sessions.of_user(actor.user_id), connections.sessions_of(actor.user_id));
    let connected = connected.ok();
    let shown = found?.into_iter().map(|session| show(&sessions, &actor, connected.as_ref(), session)).collect();
    let page = Page::<SessionShown>::among(shown, after, limit, |session| Reverse((session.created_at, session.session_id)));
    Ok(HttpResponse::Ok().json(page))
}

fn show(sessions: &Sessions, actor: &Actor, connected: Option<&HashSet<SessionId>>, session: Session) -> SessionShown {
    SessionShown {
        session_id: session.session_id,
        current: session.session_id == actor.session_id,
        connected: connected.map(|connected| connected.contains(&session.session_id)),
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
/// The token of this request ends at once, on every node. The caller's other sessions go on. A browser forgets its cookie.
#[utoipa::path(tag = "sessions", responses((status = 204, description = "The session has ended.")))]
#[delete("/sessions/current")]
pub async fn end_current_session(
    request: HttpRequest,
    sent: SessionToken,
    from: Circumstances,
    sign_out: SignOut,
    settings: Data<Settings>,
) -> Result<HttpResponse, Problem> {
    // Not through `Actor`, which refuses an ended session: a session whose end is not in the log yet must end once
    // more.
    let ended = sign_out.sessions.end(&sent.token, &from.device(None)).await?;
    if ended.is_empty() && !sign_out.sessions.has_ended(&sent.token).await? {
        return Err(wrong_token(&request, Some(&sent.token)));
    }
    sign_out.leave(&ended).await;
    let mut answer = HttpResponse::NoContent();
    if sent.is_cookie {
        answer.insert_header(no_session_cookie(&settings));
    }
    Ok(answer.finish())
}

/// End one of the caller's sessions
///
/// The device must sign in again. The caller can end only their own sessions; `list_sessions` names them.
#[utoipa::path(tag = "sessions", params(SessionPath), responses((status = 204, description = "The session has ended.")))]
#[delete("/sessions/{session_id}")]
pub async fn end_session(
    request: HttpRequest,
    path: Path<SessionPath>,
    actor: Actor,
    sign_out: SignOut,
    settings: Data<Settings>,
) -> Result<HttpResponse, Problem> {
    let ended = sign_out.sessions.end_of_user(&actor.context(), path.session_id).await?;
    if ended.is_empty() && !sign_out.sessions.has_ended_of_user(actor.user_id, path.session_id).await? {
        return Err(Problem::not_found("session.not_found", "you have no such session: GET /v1/sessions lists yours"));
    }
    sign_out.leave(&ended).await;
    let mut answer = HttpResponse::NoContent();
    // Without the header, the caller is the one of the cookie.
    if path.session_id == actor.session_id && !request.headers().contains_key(AUTHORIZATION) {
        answer.insert_header(no_session_cookie(&settings));
    }
    Ok(answer.finish())
}

impl SignOut {
    /// Removes the devices of ended sessions from the presence lists. On an error it stops: their presence expires by
    /// itself within minutes.
    pub(super) async fn leave(&self, ended: &[Ended]) {
        for session in ended {
            let workspaces = self.read_models.workspaces_of(session.user_id()).await.unwrap_or_default();
            for workspace in workspaces {
                let device = session.session_id().into();
                if self.presences.forget(session.user_id(), workspace.workspace_id.into(), device).await.is_err() {
                    return;
                }
            }
            self.signals.presence_changed(session.user_id());
        }
    }
}
