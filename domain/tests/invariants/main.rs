//! The invariants of the aggregates under random commands in random order. For each aggregate the tests also check that
//! `decide` and `handle` agree, that a refusal changes nothing, that every event survives JSON, and that a snapshot
//! with the later events equals the whole fold.
#![expect(clippy::expect_used, clippy::panic, reason = "a panic in a test is a failed test, with its line; the helpers are tests too")]

mod channels;
mod messages;
mod permissions;
mod users;
mod walk;
mod workspaces;
