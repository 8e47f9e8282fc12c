//! Upcasting: turns an old payload into its present form. Events are kept for ever. A payload that must change gets a
//! new version and a step here, and the old JSON stays in `domain/fixtures` as a test that it can still be read.
//!
//! A step leads from one version to the next. A payload that is three versions old takes three steps.

use serde_json::{Value, json};

/// One step: the event's name on the wire, the old version, the new version, and the conversion.
type Step = (&'static str, &'static str, &'static str, fn(Value) -> Value);

/// All steps.
const STEPS: &[Step] = &[
    ("message.posted", "1", "2", |payload| payload),
    ("workspace.settings_changed", "1", "2", days_become_a_policy),
    ("installation.replay_started", "1", "2", |payload| payload),
];

/// Old versions whose payloads are valid in the present form as they are. They are still written where they suffice.
/// `message.posted` of version 1 has no `moment`: the message's moment is `sent_at`. `installation.replay_started` of
/// version 1 has none either: a view is as of its position.
const VALID_AS_THEY_ARE: &[(&str, &str)] = &[("message.posted", "1"), ("installation.replay_started", "1")];

/// Version 1 gave the number of days only, and no action. The new policy archives messages, and keeps pinned ones.
fn days_become_a_policy(mut payload: Value) -> Value {
    if let Some(settings) = payload.get_mut("workspace.settings_changed").and_then(Value::as_object_mut)
        && let Some(days) = settings.remove("retention_days")
        && !days.is_null()
    {
        settings.insert("retention_policy".into(), json!({ "days": days }));
    }
    payload
}

/// The error that no step starts from a version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no upcaster reads version {version} of {event_type}: was it written by a newer release?")]
pub struct UpcastError {
    /// The event's name on the wire.
    pub event_type: String,
    /// The version.
    pub version: String,
}

impl UpcastError {
    /// Whether the version is newer than the newest one that this release knows.
    #[must_use]
    pub fn is_of_later_release(&self) -> bool {
        let number = |version: &str| version.parse::<u32>().ok();
        number(&self.version) > number(current(STEPS, &self.event_type))
    }
}

/// Whether a payload of this version is already in the present form.
#[must_use]
pub fn is_current(event_type: &str, version: &str) -> bool {
    version == current(STEPS, event_type) || VALID_AS_THEY_ARE.contains(&(event_type, version))
}

/// Turns an old payload into its present form.
///
/// # Errors
/// No step starts from the version.
pub fn upcast(event_type: &str, version: &str, payload: Value) -> Result<Value, UpcastError> {
    upcast_by(STEPS, event_type, version, payload)
}

fn current(steps: &[Step], event_type: &str) -> &'static str {
    steps.iter().rev().find(|step| step.0 == event_type).map_or("1", |step| step.2)
}

fn upcast_by(steps: &[Step], event_type: &str, version: &str, mut payload: Value) -> Result<Value, UpcastError> {
    let mut version = version.to_owned();
    while version != current(steps, event_type) {
        let unknown = || UpcastError { event_type: event_type.into(), version: version.clone() };
        let step = steps.iter().find(|step| step.0 == event_type && step.1 == version).ok_or_else(unknown)?;
        payload = step.3(payload);
        step.2.clone_into(&mut version);
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &[Step] = &[
        ("thing.done", "1", "2", |mut p| {
            p["b"] = p["a"].take();
            p
        }),
        ("thing.done", "2", "3", |mut p| {
            p["c"] = json!(true);
            p
        }),
    ];

    #[test]
    fn an_old_payload_takes_every_step_to_today() {
        let today = upcast_by(EXAMPLE, "thing.done", "1", json!({"a": 1})).expect("two steps");
        assert_eq!(today, json!({"a": null, "b": 1, "c": true}));
        assert_eq!(current(EXAMPLE, "thing.done"), "3");
    }

    #[test]
    fn a_version_of_the_future_is_refused() {
        let refused = upcast_by(EXAMPLE, "thing.done", "9", json!({})).expect_err("no step");
        assert_eq!(refused.version, "9");
    }

    #[test]
    fn a_future_version_is_distinguished_from_one_that_never_existed() {
        let later = |version: &str| upcast("workspace.settings_changed", version, json!({})).expect_err("no step").is_of_later_release();
        assert!(later("3") && later("10"));
        assert!(!later("0") && !later("two"));
    }
}
