//! The proof that the log was not tampered with: what is signed and what is not, what of it is found out, and what others make of it.

mod command_line;
mod heads;
mod keys;
mod others;
mod outside;
mod tampering;
mod world;
