//! The doors: HTTP and the command line. Wiring, and nothing else: no business rule lives here.
//!
//! [`app`] is the only place where the parts of the house meet; [`http`] is the route table; [`problem`] is the only place where an error
//! becomes an answer; [`cli`] has one file per verb.

pub mod app;
pub mod cli;

pub mod config;
pub mod extract;
pub mod http;
pub mod limit;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod telemetry;
