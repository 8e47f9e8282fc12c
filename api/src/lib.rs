//! The doors: HTTP and the command line. Wiring, and nothing else: no business rule lives here.
//!
//! [`app`] is the only place where the parts of the house meet; [`http`] is the route table; [`problem`] is the only place where an error
//! becomes an answer; [`cli`] has one file per verb.

pub mod app;
pub mod auth;
pub mod cli;

pub mod config;
pub mod extract;
pub mod http;
pub mod limit;
pub mod metrics;
pub mod openapi;
pub mod parked;
pub mod personal_data;
pub mod presence;
pub mod problem;
pub mod process;
pub mod replays;
pub mod telemetry;
pub mod typing;
