//! The support that all tests with real servers share: separate databases, servers and users, and waiting for a
//! condition.
//!
//! Nothing is mocked: Postgres, NATS and Redis are real servers.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

pub mod answer;
pub mod app;
pub mod cached;
pub mod cluster;
pub mod contract;
pub mod database;
pub mod debian;
pub mod elastic;
pub mod eventually;
pub mod objects;
pub mod other_release;
pub mod person;
pub mod place;
pub mod program;
pub mod raw;
pub mod release;
pub mod searches;
pub mod secured;
pub mod servers;
pub mod socket;
pub mod spare;
pub mod successes;
pub mod team;
pub mod tls;
pub mod tour;

pub use app::TestApp;
pub use cluster::RedisCluster;
pub use database::TestDatabase;
pub use debian::{DebianServer, DebianServers, Nginx};
pub use eventually::eventually;
pub use person::Person;
pub use place::{Place, keyring};
pub use program::Program;
pub use raw::Raw;
pub use secured::SecuredElasticsearch;
pub use socket::Socket;
pub use spare::SpareServer;
pub use team::Team;
