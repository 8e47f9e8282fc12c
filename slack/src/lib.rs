//! Slack's formats: reads Slack exports and translates them into events.

pub mod import;
