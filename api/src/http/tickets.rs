//! Tickets, each of which opens one connection to `GET /v1/live`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use chrono::{DateTime, Utc};
use serde::Serialize;
use state::tickets::Tickets;
use utoipa::ToSchema;

use super::answer::NO_STORE;
use crate::extract::{Actor, origin_of};
use crate::problem::Problem;

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct LiveTicket {
    /// The ticket, for the address of one connection: `GET /v1/live?ticket=bst_…`.
    #[schema(example = "bst_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")]
    ticket: String,
    /// The time until which it can be used: thirty seconds from now.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    expires_at: DateTime<Utc>,
}

/// Get a ticket for one connection
///
/// A page that keeps its token itself cannot send it with a WebSocket or an event stream. It sends a ticket instead. A ticket
/// can be used once, within thirty seconds, by a page of the same origin. The connection belongs to the session of this
/// request, and ends with it.
#[utoipa::path(tag = "sessions", responses((status = 201, description = "The ticket.", body = LiveTicket)))]
#[post("/live/tickets")]
pub async fn create_live_ticket(request: HttpRequest, actor: Actor, tickets: Data<Tickets>) -> Result<HttpResponse, Problem> {
    let (ticket, expires_at) = tickets.issue(actor.token, origin_of(&request)).await.map_err(Problem::tickets_unavailable)?;
    let ticket = LiveTicket { ticket: ticket.expose().to_owned(), expires_at };
    Ok(HttpResponse::Created().insert_header(NO_STORE).json(ticket))
}
