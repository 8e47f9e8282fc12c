//! The HTTP interface, through the front door: per resource, each command's success beside its refusals.

mod caps;
mod channel_members;
mod channels;
mod conventions;
mod erasure;
mod freshness;
mod health;
mod holds;
mod idempotency;
mod invitations;
mod log;
mod members;
mod messages;
mod pages;
mod permissions;
mod presence;
mod projections;
mod proof;
mod rate_limits;
mod replays;
mod retention;
mod sessions;
mod strangers;
mod typing;
mod users;
mod workspaces;
