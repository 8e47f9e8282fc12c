//! The session that a request names: by the header `Authorization`, or by the cookie of a browser.
//!
//! A browser sends the cookie with each request to this server, also if another page causes it. So a cookie counts only
//! if the request comes from a page of this server, or of an origin that the setting `allowed_origins` names. The cookie
//! is `SameSite=Strict` too, but a page of another host of the same site could still send it. The header needs no guard:
//! a page of another origin does not know the token.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use state::token::Token;

use super::host::requested_authority;
use super::part;
use crate::config::Settings;
use crate::problem::Problem;

/// The relation of the page that sent a request to the server: the same origin, the same site, or another one. Only browsers
/// send it, and no page can change it.
const SEC_FETCH_SITE: &str = "Sec-Fetch-Site";

/// How a request names its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Header,
    Cookie,
}

/// The session that a request names.
#[derive(Debug)]
pub(super) struct Credential {
    /// `None` if the text cannot be a token.
    pub(super) token: Option<Token>,
    pub(super) way: Way,
}

/// Whether a request with the cookie must come from a page of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// If it may change something.
    Changes,
    /// Always: a connection that stays open is more than a query.
    Always,
}

/// Reads what a request names. The header comes first: a client that sends it means it.
pub(super) fn credential_of(request: &HttpRequest, guard: Guard) -> Result<Credential, Problem> {
    if request.headers().contains_key(AUTHORIZATION) {
        return Ok(Credential { token: token_of_header(request)?, way: Way::Header });
    }
    let settings = part::<Settings>(request)?;
    let Some(text) = cookie_of(request, &settings) else { return Err(missing()) };
    if guard == Guard::Always || !request.method().is_safe() {
        reject_foreign_page(request)?;
    }
    Ok(Credential { token: Token::parse_session(text), way: Way::Cookie })
}

fn token_of_header(request: &HttpRequest) -> Result<Option<Token>, Problem> {
    let Ok(text) = request.headers().get(AUTHORIZATION).ok_or_else(missing)?.to_str() else { return Ok(None) };
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    Ok(Token::parse_session(token.trim()))
}

fn missing() -> Problem {
    Problem::unauthenticated("auth.token_missing", "sign in (POST /v1/sessions) and send the token: Authorization: Bearer bs_…")
}

/// Refuses a request that does not come from a page of this server or of an allowed origin. A browser says so in
/// `Sec-Fetch-Site`, or, on pages without TLS and in old browsers, in `Origin` alone. A request with neither is refused: a
/// program that is no browser has no need of a cookie.
///
/// # Errors
/// It comes from another page, or does not say where from.
pub fn reject_foreign_page(request: &HttpRequest) -> Result<(), Problem> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let site = request.headers().get(SEC_FETCH_SITE).and_then(text);
    if site.as_deref() == Some("same-origin") {
        return Ok(());
    }
    let settings = part::<Settings>(request)?;
    let origin = origin_of(request).ok_or_else(Problem::foreign_page)?;
    let is_allowed = settings.allowed_origins.iter().any(|allowed| allowed.as_str() == origin);
    if is_allowed || is_own(request, &settings, origin) { Ok(()) } else { Err(Problem::foreign_page()) }
}

/// The origin of the page that sent a request, as the browser names it.
pub fn origin_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get(ORIGIN)?.to_str().ok()
}

/// Whether a page of `asked` may send the request, which used what a page of that origin asked for. A browser leaves the
/// origin out if a page of the server itself sends a query.
pub(super) fn is_of(request: &HttpRequest, asked: Option<&str>) -> Result<bool, Problem> {
    match (asked, origin_of(request)) {
        (Some(asked), None) => Ok(is_own(request, &*part::<Settings>(request)?, asked)),
        (asked, sent) => Ok(asked == sent),
    }
}

/// Whether the origin is that of this server. Without `public_url`, that is the host that the client asked for: a browser
/// sends cookies to the host that they are from.
fn is_own(request: &HttpRequest, settings: &Settings, origin: &str) -> bool {
    if let Some(own) = settings.public_origin() {
        return own == origin;
    }
    let Some(authority) = requested_authority(request, &settings.trusted_proxies) else { return false };
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str()))
}

/// The text of the session cookie.
fn cookie_of<'r>(request: &'r HttpRequest, settings: &Settings) -> Option<&'r str> {
    let name = cookie_name(settings);
    // Another program of this host may have set a cookie that is not ASCII. It must not hide the session's.
    let pairs = request.headers().get_all(COOKIE).flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    texts.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The name of the cookie. With TLS, its prefix makes browsers take it only from this very host, and only over TLS (RFC
/// 6265bis, 4.1.3.2).
fn cookie_name(settings: &Settings) -> &'static str {
    if settings.is_public_over_tls() { "__Host-backscroll_session" } else { "backscroll_session" }
}

/// The header that gives a browser the session cookie. No script of a page can read it, and no page of another site sends it.
pub fn session_cookie(settings: &Settings, token: &Token) -> (HeaderName, String) {
    set_cookie(settings, token.expose(), settings.session_age_max.as_secs())
}

/// The header that takes the session cookie from a browser.
pub fn no_session_cookie(settings: &Settings) -> (HeaderName, String) {
    set_cookie(settings, "", 0)
}

fn set_cookie(settings: &Settings, value: &str, max_age: u64) -> (HeaderName, String) {
    let (name, secure) = (cookie_name(settings), if settings.is_public_over_tls() { "; Secure" } else { "" });
    (SET_COOKIE, format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age}{secure}"))
}
