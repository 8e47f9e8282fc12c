//! Given these events, when this command, then those events.
