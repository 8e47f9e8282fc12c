//! The load: clients that share a workspace and send every kind of request.

mod client;
mod mix;
mod removals;
mod world;

pub use client::{Ask, Client, Clients};
pub use mix::run as run_mix;
pub use removals::run as run_removals;
pub use world::{Person, World};
