//! How many connections each address has: one client alone must not hold all that the server has.
//!
//! An IPv6 client has a whole /64 network of addresses, so that network counts as one. A trusted proxy connects for many clients: it is not
//! counted, and must itself limit the connections of each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Network;

/// Of all connections, the part that one address may have unless the settings say a number.
const SHARE: usize = 100;
/// As many connections an address may have in any case: a browser opens six.
const LEAST: usize = 16;

/// The connections of each address at this moment.
pub(super) struct Peers {
    each_max: usize,
    trusted: Vec<Network>,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection, which is free again when this is dropped.
pub(super) struct Place(Option<(Arc<Peers>, IpAddr)>);

impl Peers {
    /// Nobody is connected. `each_max` is the most connections of an address; 0 is a hundredth of `connections_max`.
    pub(super) fn new(each_max: usize, connections_max: usize, trusted: Vec<Network>) -> Arc<Self> {
        let each_max = if each_max == 0 { (connections_max / SHARE).max(LEAST) } else { each_max };
        Arc::new(Self { each_max, trusted, counts: Mutex::default() })
    }

    /// A place for a connection of `peer`; `None` where its address has as many as it may.
    pub(super) fn admit(self: &Arc<Self>, peer: Option<SocketAddr>) -> Option<Place> {
        let counted = peer.map(|peer| peer.ip().to_canonical()).filter(|ip| !self.trusted.iter().any(|network| network.contains(*ip)));
        let Some(ip) = counted else { return Some(Place(None)) };
        let network = network_of(ip);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_insert(0);
        // An entry that is new has room: at least one connection is allowed.
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

/// An IPv4 address; of an IPv6 address, the first address of its /64 network.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(ip.parse().expect("an address"), 1234))
    }

    #[test]
    fn an_address_has_no_more_connections_than_it_may_and_others_are_admitted() {
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
    fn who_has_left_is_not_remembered() {
        let peers = Peers::new(0, 20_000, Vec::new());
        for n in 0..1000_u32 {
            drop(peers.admit(Some(SocketAddr::from((n.to_be_bytes(), 1)))));
        }
        assert!(peers.counts.lock().expect("the counts").is_empty());
        assert_eq!((peers.each_max, Peers::new(0, 100, Vec::new()).each_max), (200, LEAST));
    }
}
