//! Whatever anybody asks in whatever order: what must always hold, holds. And of every aggregate: `decide` and `handle` agree, a refusal
//! changes nothing, every event survives JSON, and a snapshot taken anywhere and folded on equals the whole fold.

mod channels;
mod messages;
mod users;
mod walk;
mod workspaces;
