//! The entry points: HTTP and the command line. This crate connects the parts. It has no business rules.
//!
//! [`app`] is the only place that combines the parts of the server. [`http`] is the route table. Only [`problem`] turns
//! an error into an answer. [`cli`] has one file per command.

pub mod app;
pub mod cli;
pub mod config;
pub mod extract;
pub mod health;
pub mod http;
pub mod limit;
pub mod live;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod roles;
pub mod signals;
pub mod telemetry;
