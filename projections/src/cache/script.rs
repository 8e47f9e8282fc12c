//! Scripts that Redis runs in one go. They are sent once, and called by their digest from then on.

use redis::Cmd;
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

    /// A call of it on those keys, which must have one hash tag.
    #[must_use]
    pub fn on_all<'k>(&self, keys: impl ExactSizeIterator<Item = &'k str>) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.digest).arg(keys.len());
        for key in keys {
            call.arg(key);
        }
        call
    }
}
