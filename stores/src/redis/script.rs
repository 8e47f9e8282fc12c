//! Scripts that Redis runs as one step. A script is sent once, and then called by its digest.

use redis::Cmd;
use redis::cluster_routing::Slot;
use uuid::Uuid;

/// A Lua script. All its keys must have the same hash tag, so that one node of a cluster has them all.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) text: String,
    pub(super) digest: String,
}

impl Script {
    /// A script that all processes share.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { digest: redis::Script::new(text).get_hash().to_owned(), text: text.to_owned() }
    }

    /// A script of this process alone. Redis forgets scripts when it restarts or fails over, and keeps them when its
    /// data is deleted. So a server that no longer knows a script may have lost its last writes, and each process
    /// notices this for itself ([`super::Redis::losses`]).
    #[must_use]
    pub fn own(text: &str) -> Self {
        Self::new(&format!("-- {}\n{text}", Uuid::now_v7()))
    }

    /// Begins a call on a key. The caller adds the arguments, and [runs](super::Redis::run) it.
    #[must_use]
    pub fn on(&self, key: &str) -> Cmd {
        self.on_all([key].into_iter())
    }

    /// Begins a call on several keys. They must have the same hash tag; a debug build checks that.
    #[must_use]
    pub fn on_all<'k>(&self, keys: impl ExactSizeIterator<Item = &'k str> + Clone) -> Cmd {
        debug_assert!(share_a_slot(keys.clone()), "the keys of a script are on several nodes of a cluster");
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.digest).arg(keys.len());
        for key in keys {
            call.arg(key);
        }
        call
    }
}

/// Whether all keys have the same hash tag, and so are on one node of a cluster.
fn share_a_slot<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    let mut slots = keys.map(Slot::for_key);
    let first = slots.next();
    slots.all(|slot| Some(slot) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_share_a_slot_by_their_hash_tag() {
        assert!(share_a_slot(["a:rate_limit:{ann}:read", "a:message_rate:{ann}:general"].into_iter()));
        assert!(!share_a_slot(["a:rate_limit:{ann}:read", "a:rate_limit:{ben}:read"].into_iter()));
        assert!(!share_a_slot(["rate_limit:ann:read", "rate_limit:ann:write"].into_iter()));
    }

    #[test]
    #[should_panic(expected = "several nodes")]
    fn a_script_on_several_nodes_is_refused_before_it_is_sent() {
        let _ = Script::new("return 1").on_all(["one", "another"].into_iter());
    }
}
