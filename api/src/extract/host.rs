//! The host that a client asked for.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;
use actix_web::{FromRequest, HttpRequest};

use super::part;
use crate::config::{Network, Settings};
use crate::problem::Problem;

/// The header in which a proxy passes the host that its client asked for.
const FORWARDED_HOST: &str = "X-Forwarded-Host";

/// The host that the client asked for: lower case, without the port. `None` if the request names none.
pub struct RequestedHost(pub Option<String>);

impl FromRequest for RequestedHost {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(part::<Settings>(request).map(|settings| Self(requested_host(request, &settings.trusted_proxies))))
    }
}

fn requested_host(request: &HttpRequest, trusted: &[Network]) -> Option<String> {
    let authority = requested_authority(request, trusted)?;
    Some(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// The host and the port that the client asked for. A header of the peer counts only if the peer is a trusted proxy. If
/// several proxies have added a host, the last one counts: a trusted proxy wrote it.
pub(super) fn requested_authority(request: &HttpRequest, trusted: &[Network]) -> Option<Authority> {
    let is_proxy = request.peer_addr().is_some_and(|peer| trusted.iter().any(|network| network.contains(peer.ip())));
    let forwarded = request.headers().get_all(FORWARDED_HOST).last().filter(|_| is_proxy);
    let forwarded = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()).map(str::trim);
    let named = || request.headers().get(HOST)?.to_str().ok();
    // An address with a host overrides the header (RFC 9112, 3.2.2).
    let authority = forwarded.or_else(|| request.uri().authority().map(Authority::as_str)).or_else(named)?;
    authority.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn host(trusted: &[Network], headers: &[(&str, &str)]) -> Option<String> {
        let request = TestRequest::default().peer_addr(([10, 0, 0, 1], 4711).into());
        let request = headers.iter().fold(request, |request, header| request.append_header(*header));
        requested_host(&request.to_http_request(), trusted)
    }

    #[test]
    fn the_host_has_one_form_whatever_its_case_its_port_and_its_last_dot() {
        for text in ["acme.example.org", "ACME.example.org", "acme.example.org:8080", "acme.example.org."] {
            assert_eq!(host(&[], &[("Host", text)]).as_deref(), Some("acme.example.org"), "{text}");
        }
        assert_eq!(host(&[], &[("Host", "a b")]), None);
        assert_eq!(host(&[], &[]), None);
    }

    #[test]
    fn only_a_trusted_proxy_may_name_another_host() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let headers = [("Host", "10.0.0.2:8080"), ("X-Forwarded-Host", "forged.example.org, acme.example.org:443")];
        assert_eq!(host(&trusted, &headers).as_deref(), Some("acme.example.org"));
        assert_eq!(host(&[], &headers).as_deref(), Some("10.0.0.2"));
    }
}
