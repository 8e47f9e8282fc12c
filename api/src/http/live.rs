//! Live connections: each event as it happens, in all workspaces of the caller. docs/LIVE.md describes the protocol.

use std::sync::Arc;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use actix_web::http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use actix_web::http::{StatusCode, Version};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use identity::sessions::Sessions;
use live::{ClientFrames, Close, Connected, Cursor, Hub, OpenError, Opening, Subscription, Transport};
use projections::{Progress, RELATIONAL, ReadModels};
use serde::Deserialize;
use state::limits::client_network;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::config::Settings;
use crate::extract::{LiveCaller, Query, client_ip, header, live_caller, no_cursor, part};
use crate::live::serve::{Rules, serve};
use crate::live::sse::Events;
use crate::live::websocket::{Socket, SocketLimits, accept_key, is_key};
use crate::live::wire::{Buffers, Wire, hand_over};
use crate::problem::Problem;

/// The cursor of an `EventSource` that comes back.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Proxies must not collect the events (nginx).
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The most bytes of a message of a client whose connection is refused.
const REFUSED_BYTES_MAX: usize = 1024;

/// How a live connection begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// The cursor of the last frame that the client has. The client gets the later events, and then each new one. Without a
    /// cursor, it gets the new events only.
    #[param(example = "0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b:4711")]
    after: Option<String>,
    /// A ticket, in place of the header `Authorization`.
    ticket: Option<String>,
}

/// The parts that serve live connections.
#[derive(Clone)]
pub struct Live {
    /// The connections of this node.
    pub hub: Hub,
    /// Handles what clients send.
    pub frames: Arc<dyn ClientFrames>,
    /// Lists the workspaces that a user may be a member of.
    pub read_models: ReadModels,
    /// The position of these read models.
    pub progress: Progress,
}

/// Get everything that happens, as it happens: over a WebSocket, or as server-sent events
///
/// With `Upgrade: websocket`, the connection becomes a WebSocket (RFC 6455). With `Accept: text/event-stream`, the answer
/// is a stream of server-sent events. Both have the same frames, of all workspaces of the caller: `hello` first, then the
/// events that the caller missed since `after` (or `Last-Event-ID`), then the new ones. docs/LIVE.md describes the frames
/// and the close codes.
#[utoipa::path(tag = "changes", params(LiveQuery, ("Last-Event-ID" = Option<String>, Header, description = "As `after`, for server-sent events.")),
    responses(
        (status = 101, description = "The connection is a WebSocket now."),
        (status = 200, description = "The frames, as server-sent events.", body = String, content_type = "text/event-stream")))]
#[get("/live")]
pub async fn open_live(
    request: HttpRequest,
    query: Query<LiveQuery>,
    live: Data<Live>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, Problem> {
    let caller = live_caller(&request, query.ticket.as_deref()).await?;
    let transport = transport_of(&request)?;
    let settings = part::<Settings>(&request)?;
    let opening = Opening {
        connected: Connected { connection_id: Uuid::now_v7(), user_id: caller.user_id, session_id: caller.session_id, transport },
        address: client_ip(&request, &settings.trusted_proxies).map(client_network),
        after: after(&request, &query, transport)?,
        // The position is read first, so that the list is complete up to there.
        as_of: live.progress.position(RELATIONAL).await?,
        workspaces: live.read_models.workspaces_ever(caller.user_id).await?,
    };
    let frames_per_second_max = settings.live_frames_per_second_max;
    let rules = Rules { frames: live.frames.clone(), sessions: sessions.clone(), frames_per_second_max };
    let subscription = match live.hub.open(opening).await {
        Err(OpenError::TooMany) if transport == Transport::WebSocket => return Ok(refused(&request)),
        opened => opened?,
    };
    Ok(match transport {
        Transport::WebSocket => websocket(&request, subscription, caller, rules),
        Transport::ServerSentEvents => events(&request, subscription, caller, rules),
    })
}

fn websocket(request: &HttpRequest, subscription: Subscription, caller: LiveCaller, rules: Rules) -> HttpResponse {
    let mut response = switching(request);
    hand_over(&mut response, Box::new(move |wire| Box::pin(serve(wire, subscription, caller, rules))));
    response
}

fn events(request: &HttpRequest, subscription: Subscription, caller: LiveCaller, rules: Rules) -> HttpResponse {
    if let Some(buffers) = request.conn_data::<Buffers>() {
        buffers.bound();
    }
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_ACCEL_BUFFERING, "no"))
        // Compression would hold events back until there are enough bytes.
        .insert_header((CONTENT_ENCODING, "identity"))
        .streaming(Events::of(subscription, caller, rules))
}

/// A script in a browser sees the close code of a WebSocket, but not the status of a refused handshake.
fn refused(request: &HttpRequest) -> HttpResponse {
    let mut response = switching(request);
    hand_over(&mut response, Box::new(|wire| Box::pin(refuse(wire))));
    response
}

async fn refuse(wire: Box<dyn Wire>) {
    let mut socket = Socket::over(wire, SocketLimits { message_bytes_max: REFUSED_BYTES_MAX });
    let close = Close::TooManyConnections;
    socket.close(close.code(), close.reason()).await;
}

/// The answer to a handshake (RFC 6455, 4.2.2).
fn switching(request: &HttpRequest) -> HttpResponse {
    let key = text_of(request.headers(), &SEC_WEBSOCKET_KEY);
    HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
        .upgrade("websocket")
        .insert_header((SEC_WEBSOCKET_ACCEPT, accept_key(key)))
        .finish()
}

/// How the client wants the connection to be carried.
fn transport_of(request: &HttpRequest) -> Result<Transport, Problem> {
    let headers = request.headers();
    if has_word(headers, &UPGRADE, "websocket") {
        return reject_unless_handshake(request).map(|()| Transport::WebSocket);
    }
    if text_of(headers, &ACCEPT).contains("text/event-stream") {
        return Ok(Transport::ServerSentEvents);
    }
    let detail = "send Upgrade: websocket for a WebSocket, or Accept: text/event-stream for server-sent events";
    Err(Problem::malformed("request.header_invalid", Some("Accept".into()), detail))
}

/// RFC 6455, 4.2.1.
fn reject_unless_handshake(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let refused = |field: &str, detail: &str| Err(Problem::malformed("request.header_invalid", Some(field.into()), detail));
    if !has_word(headers, &CONNECTION, "upgrade") || request.version() != Version::HTTP_11 {
        return refused("Connection", "a WebSocket begins with HTTP/1.1 and Connection: Upgrade");
    }
    if text_of(headers, &SEC_WEBSOCKET_VERSION) != "13" {
        return refused("Sec-WebSocket-Version", "the version of WebSockets must be 13 (RFC 6455)");
    }
    if !is_key(text_of(headers, &SEC_WEBSOCKET_KEY)) {
        return refused("Sec-WebSocket-Key", "the key must be 16 random bytes in base64");
    }
    Ok(())
}

/// The cursor of a client that comes back. An `EventSource` sends the last identifier with the address that it began with,
/// so the identifier is the later one.
fn after(request: &HttpRequest, query: &LiveQuery, transport: Transport) -> Result<Option<Cursor>, Problem> {
    let last = if transport == Transport::ServerSentEvents { header(request, LAST_EVENT_ID)? } else { None };
    let (field, text) = match last {
        Some(last) => (LAST_EVENT_ID, Some(last)),
        None => ("after", query.after.as_deref()),
    };
    text.map(|text| text.parse::<Cursor>().map_err(|_| no_cursor(field))).transpose()
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}
