//! One binary for every test with real servers. The folders mirror the system.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that panics has failed, and says where")]

mod architecture;
mod audit;
mod cache;
mod circles;
mod clients;
mod command_line;
mod docs;
mod elasticsearch;
mod erasure;
mod event_store;
mod following;
mod handlers;
mod http;
mod identity;
mod import;
mod laws;
mod live;
mod names;
mod operators;
mod projections;
mod proof;
mod redis;
mod relay;
mod retention;
mod sealing;
mod search;
mod strangers;
mod support;
mod upgrade;
