//! Whatever anybody asks in whatever order: what must always hold, holds. And of every aggregate: `decide` and `handle` agree, a refusal
//! changes nothing, every event survives JSON, and a snapshot taken anywhere and folded on equals the whole fold.
#![expect(clippy::expect_used, clippy::panic, reason = "a panic in a test is a failed test, with its line; the helpers are tests too")]

mod channels;
mod messages;
mod permissions;
mod users;
mod walk;
mod workspaces;
