//! Slack's language: reads Slack exports, and translates them into commands.

pub mod import;
