//! Whatever comes from outside, and whoever means no good: every answer is a documented one, every limit has a name, and the server goes on
//! serving the others.

mod schemathesis;
