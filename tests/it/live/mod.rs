//! What changed, sent to those who may see it.

mod law;
