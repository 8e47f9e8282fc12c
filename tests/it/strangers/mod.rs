//! Whatever comes from outside, and whoever means no good: every answer is a documented one, every limit has a name, and the server goes on
//! serving the others.

mod crowds;
mod forged_zip;
mod hostile_zips;
mod invalid_http;
mod raw;
mod rude_clients;
mod schemathesis;
mod surface;
mod tampered;
