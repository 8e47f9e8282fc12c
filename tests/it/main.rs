//! One binary for every test that needs a real server. The folders mirror the system.

mod architecture;
mod docs;
mod event_store;
mod http;
mod import;
mod laws;
mod projections;
mod relay;
mod support;
