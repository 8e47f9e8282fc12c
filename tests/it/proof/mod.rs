//! The proof that nobody tampered with the log: signed heads, the detection of changes, and verifiers of others.

mod command_line;
mod heads;
mod keys;
mod others;
mod outside;
mod tampering;
mod world;
