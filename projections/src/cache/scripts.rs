//! The scripts of the cache, and how each is called. Each process has scripts of its own, so that it notices a Redis
//! that has lost its last second of writes.

use std::sync::LazyLock;

use domain::ids::WorkspaceId;
use redis::Cmd;
use stores::redis::Script;
use stores::redis::{Redis, RedisDown};
use uuid::Uuid;

/// Every script.
pub(super) struct Scripts {
    pub(super) read_recent: Script,
    pub(super) fill_recent: Script,
    pub(super) read_unread: Script,
    pub(super) fill_places: Script,
    pub(super) fill_log: Script,
    pub(super) begin_marking: Script,
    pub(super) end_marking: Script,
    pub(super) read_members: Script,
    pub(super) fill_members: Script,
    pub(super) apply_messages: Script,
    pub(super) forget: Script,
}

/// The scripts of this process.
pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
    let common = include_str!("lua/common.lua");
    let log = include_str!("lua/log.lua");
    let plain = |text: &str| Script::own(&format!("{common}\n{text}"));
    let counting = |text: &str| Script::own(&format!("{common}\n{log}\n{text}"));
    Scripts {
        read_recent: plain(include_str!("lua/read_recent.lua")),
        fill_recent: plain(include_str!("lua/fill_recent.lua")),
        read_unread: counting(include_str!("lua/read_unread.lua")),
        fill_places: plain(include_str!("lua/fill_places.lua")),
        fill_log: counting(include_str!("lua/fill_log.lua")),
        begin_marking: plain(include_str!("lua/begin_marking.lua")),
        end_marking: plain(include_str!("lua/end_marking.lua")),
        read_members: plain(include_str!("lua/read_members.lua")),
        fill_members: plain(include_str!("lua/fill_members.lua")),
        apply_messages: counting(include_str!("lua/apply_messages.lua")),
        forget: plain(include_str!("lua/forget.lua")),
    }
});

impl Scripts {
    /// Sends all scripts. From then on, a server that lacks one of them has lost data.
    pub(super) async fn send(&self, redis: &Redis) -> Result<(), RedisDown> {
        let all = [
            &self.read_recent,
            &self.fill_recent,
            &self.read_unread,
            &self.fill_places,
            &self.fill_log,
            &self.begin_marking,
            &self.end_marking,
            &self.read_members,
            &self.fill_members,
            &self.apply_messages,
            &self.forget,
        ];
        redis.send(&all).await
    }
}

/// The cached data of one workspace in one generation.
pub(super) struct WorkspaceCache<'a> {
    redis: &'a Redis,
    root: String,
    tag: String,
    /// A token that is new with each call: the workspace's new token, or the token of a fill.
    pub(super) token: String,
}

impl<'a> WorkspaceCache<'a> {
    pub(super) fn workspace(redis: &'a Redis, generation: i64, workspace_id: WorkspaceId) -> Self {
        let tag = format!("{{{workspace_id}}}");
        Self { root: redis.key(&format!("cache:{generation}:{tag}")), tag, token: Uuid::now_v7().simple().to_string(), redis }
    }

    /// The key of the root.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Begins a call of a script. The caller adds the script's arguments from the fourth on.
    pub(super) fn call(&self, script: &Script) -> Cmd {
        let mut call = script.on(&self.root);
        call.arg(self.redis.key("")).arg(&self.tag).arg(&self.token);
        call
    }
}

/// The answer of a script that reads: the outcome, and what it found.
pub(super) type ScriptAnswer = (String, Vec<String>);
