//! Counts the connections of each address, so that one client cannot take all connections of the server.
//!
//! An IPv6 client has a whole /64 network of addresses, so that network counts as one address. A trusted proxy connects
//! for many clients: it is not counted, and must itself limit the connections of each client.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use state::limits::client_network;

use crate::config::Network;

/// By default, an address may have this fraction of all connections: one in a hundred.
const CONNECTIONS_FRACTION: usize = 100;
/// The least default limit of an address. A browser opens six connections.
const CONNECTIONS_MIN: usize = 16;

/// The current connections of each address.
pub(super) struct Peers {
    each_max: usize,
    trusted: Vec<Network>,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection. Dropping it releases the place.
pub(super) struct Place(Option<(Arc<Peers>, IpAddr)>);

impl Peers {
    /// Starts without connections. `each_max` is the most connections of an address; 0 means a hundredth of
    /// `connections_max`.
    pub(super) fn new(each_max: usize, connections_max: usize, trusted: Vec<Network>) -> Arc<Self> {
        let each_max = if each_max == 0 { (connections_max / CONNECTIONS_FRACTION).max(CONNECTIONS_MIN) } else { each_max };
        Arc::new(Self { each_max, trusted, counts: Mutex::default() })
    }

    /// Takes a place for a connection of `peer`. Returns `None` if its address has the most connections that it may
    /// have.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<SocketAddr>) -> Option<Place> {
        let counted = peer.map(|peer| peer.ip().to_canonical()).filter(|ip| !self.trusted.iter().any(|network| network.contains(*ip)));
        let Some(ip) = counted else { return Some(Place(None)) };
        let network = client_network(ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_insert(0);
        // A new entry always has room, because at least one connection is allowed.
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Place(Some((self.clone(), network))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((peers, network)) = self.0.take() else { return };
        let mut counts = peers.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(ip.parse().expect("an address"), 1234))
    }

    #[test]
    fn an_address_at_its_limit_is_refused_and_others_are_admitted() {
        let peers = Peers::new(2, 100, Vec::new());
        let held = [peers.admit(at("198.51.100.7")), peers.admit(at("198.51.100.7"))];
        assert!(held.iter().all(Option::is_some) && peers.admit(at("198.51.100.7")).is_none());
        assert!(peers.admit(at("198.51.100.8")).is_some());
        drop(held);
        assert!(peers.admit(at("198.51.100.7")).is_some());
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_address_and_ipv4_through_ipv6_as_ipv4() {
        let peers = Peers::new(1, 100, Vec::new());
        let _held = (peers.admit(at("2001:db8::1")).expect("room"), peers.admit(at("::ffff:198.51.100.7")).expect("room"));
        assert!(peers.admit(at("2001:db8::ffff:ffff:ffff:ffff")).is_none());
        assert!(peers.admit(at("2001:db8:0:1::1")).is_some());
        assert!(peers.admit(at("198.51.100.7")).is_none());
        assert!(peers.admit(at("198.51.100.8")).is_some());
    }

    #[test]
    fn a_trusted_proxy_is_not_counted() {
        let peers = Peers::new(1, 100, vec!["10.0.0.0/8".parse().expect("a network")]);
        let held = (0..50).map(|_| peers.admit(at("10.1.2.3"))).collect::<Vec<_>>();
        assert!(held.iter().all(Option::is_some));
        assert!(peers.counts.lock().expect("the counts").is_empty());
    }

    #[test]
    fn an_address_without_connections_has_no_entry() {
        let peers = Peers::new(0, 20_000, Vec::new());
        for n in 0..1000_u32 {
            drop(peers.admit(Some(SocketAddr::from((n.to_be_bytes(), 1)))));
        }
        assert!(peers.counts.lock().expect("the counts").is_empty());
        assert_eq!((peers.each_max, Peers::new(0, 100, Vec::new()).each_max), (200, CONNECTIONS_MIN));
    }
}
