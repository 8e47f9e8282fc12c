//! Hostile input and hostile clients: every answer is a documented one, every limit has a name, and the server keeps
//! serving the other clients.

mod crowds;
mod forged_zip;
mod hostile_zips;
mod invalid_http;
mod malformed;
mod raw;
mod rude_clients;
mod schemathesis;
mod stateful;
mod surface;
mod tampered;
