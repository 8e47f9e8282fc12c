//! The load: clients that share a workspace and send every kind of request, and clients on sockets.

mod client;
mod mix;
mod removals;
mod sockets;
mod world;

pub use client::{Ask, Client, Clients};
pub use mix::{post_last, run as run_mix};
pub use removals::run as run_removals;
pub use sockets::{Followed, Follower, Seen};
pub use world::{Person, World};
