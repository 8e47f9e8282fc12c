//! Scripts that Redis runs in one go. They are sent once, and called by their digest from then on.

use redis::Cmd;
use redis::cluster_routing::Slot;
use uuid::Uuid;

/// A script in Lua. All keys that it touches must carry one hash tag, so that one node of a cluster has them all.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) text: String,
    pub(super) digest: String,
}

impl Script {
    /// One that all processes share.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { digest: redis::Script::new(text).get_hash().to_owned(), text: text.to_owned() }
    }

    /// One that is this process's own. Redis forgets scripts when it restarts or fails over, and keeps them when it is emptied: so a server
    /// that does not know a script any more may have forgotten the last things that it was told, and this process is the first to notice
    /// for itself ([`super::Redis::losses`]).
    #[must_use]
    pub fn own(text: &str) -> Self {
        Self::new(&format!("-- {}\n{text}", Uuid::now_v7()))
    }

    /// A call of it on that key, to be completed with arguments and [run](super::Redis::run).
    #[must_use]
    pub fn on(&self, key: &str) -> Cmd {
        self.on_all([key].into_iter())
    }

    /// A call of it on those keys, which must have one hash tag: every test would notice two.
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

/// Whether one node of a cluster has all those keys, however it is cut up.
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
