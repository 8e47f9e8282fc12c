//! The load: clients who know each other, and ask for whatever people ask for.

mod client;
mod mix;
mod removals;
mod world;

pub use client::{Ask, Client, Clients};
pub use mix::run as run_mix;
pub use removals::run as run_removals;
pub use world::{Person, World};
