//! Extractors: the parts of a request that handlers take. The caller ([`Actor`] or [`Visitor`]), the body ([`Body`]), a
//! command ([`Command`]), a query string ([`Query`]), or a query ([`Reading`]).
//!
//! Each parses a request into values, or returns a problem that names the invalid part of the request.

mod actor;
mod body;
mod caller;
mod canonical;
mod checks;
mod command;
mod condition;
mod credential;
#[cfg(test)]
mod foreign_input;
mod host;
mod input;
mod list;
mod part;
mod query;
mod reading;
mod shape;
mod visitor;

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::{HttpRequest, web};

pub use actor::{Actor, Circumstances, SessionToken, wrong_token};
pub use body::{Body, MERGE_PATCH, NoBody, RequestBody};
pub use caller::{LiveCaller, live_caller};
pub use checks::Checks;
pub use command::{Command, Key};
pub use condition::{IF_MATCH, Tagged, condition_tag, is_known};
pub use credential::{no_session_cookie, origin_of, reject_foreign_page, session_cookie};
pub use host::RequestedHost;
pub use input::{Change, merge, reject_unless_line, reject_unless_moment};
pub use list::List;
pub use part::part;
pub(crate) use part::parts;
pub use query::Query;
pub use reading::{
    Cursor, PAGE_ROWS_MAX, Page, QueryAnswer, Reading, ReadingNow, WAIT_MAX, catch_up, no_cursor, page_limit, read_place, row_limit,
};
pub use visitor::{Visitor, count_visitor};

use crate::config::Network;
use crate::problem::Problem;

/// The most characters that are kept of a client's `User-Agent`.
const USER_AGENT_CHARS_MAX: usize = 400;

/// The header with the position that a command reached, or that a query read at.
pub const POSITION: &str = "Backscroll-Position";
/// The header with the position that a query must have reached.
pub const MIN_POSITION: &str = "Backscroll-Min-Position";
/// The header with the idempotency key of a command.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The header that marks the answer of an earlier request with the same key.
pub const REPLAYED: &str = "Idempotency-Replayed";

/// The address that the request came from: the peer's, or the one that trusted proxies name.
pub fn client_ip(request: &HttpRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let forwarded = request.headers().get_all("X-Forwarded-For").filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let hops = forwarded.map(|hop| hop.trim().parse().ok()).collect::<Vec<_>>();
    Some(last_untrusted(peer, &hops, trusted).to_canonical())
}

/// Goes from the peer towards the client, as long as a trusted proxy names the next hop.
fn last_untrusted(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut address = peer;
    for hop in hops.iter().rev() {
        match hop {
            Some(hop) if trusted.iter().any(|network| network.contains(address)) => address = *hop,
            _ => break,
        }
    }
    address
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_CHARS_MAX).collect())
}

/// The text of a header.
pub(crate) fn header<'r>(request: &'r HttpRequest, name: &'static str) -> Result<Option<&'r str>, Problem> {
    let Some(value) = request.headers().get(name) else {
        return Ok(None);
    };
    let text =
        value.to_str().map_err(|_| Problem::malformed("request.header_invalid", Some(name.into()), format!("{name} must be ASCII")))?;
    Ok(Some(text))
}

/// Sets the limits of actix's own extractors.
pub fn configure(config: &mut web::ServiceConfig, body_bytes_max: usize) {
    config.app_data(web::PayloadConfig::new(body_bytes_max));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_header_of_an_untrusted_peer_is_ignored() {
        assert_eq!(last_untrusted(ip("203.0.113.9"), &[Some(ip("1.2.3.4"))], &[]), ip("203.0.113.9"));
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_the_clients_own_header_is_ignored() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let hops = [Some(ip("1.2.3.4")), Some(ip("198.51.100.7")), Some(ip("10.0.0.2"))];
        assert_eq!(last_untrusted(ip("10.0.0.1"), &hops, &trusted), ip("198.51.100.7"));
    }
}
