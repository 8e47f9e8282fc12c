//! How long messages are kept, and which of two policies applies. It is a value type, because it is a setting of
//! workspaces and of channels.
//!
//! Not here: the messages that a policy has removed (`retention`).

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::refusal::OutOfRange;

/// In days. The maximum is a hundred years.
pub(crate) const RETENTION_DAYS: RangeInclusive<u64> = 1..=36_500;

/// How long messages are kept, and which action follows. Unknown keys are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// How many days. `None` means for ever.
    pub days: Option<u32>,
    /// The action for older messages.
    #[serde(default, skip_serializing_if = "RetentionAction::is_archive")]
    pub action: RetentionAction,
    /// Whether pinned messages stay, whatever their age.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub keep_pinned: bool,
}

/// The action for messages that are old enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionAction {
    /// They are moved to the archive, for members who may read it.
    #[default]
    Archive,
    /// Their texts are removed everywhere.
    Purge,
}

impl RetentionAction {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Purge => "purge",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_archive(&self) -> bool {
        *self == Self::Archive
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { days: None, action: RetentionAction::default(), keep_pinned: true }
    }
}

impl RetentionPolicy {
    /// A policy that archives messages after this number of days.
    #[must_use]
    pub fn days(days: u32) -> Self {
        Self { days: Some(days), ..Self::default() }
    }

    /// Checks the number of days.
    ///
    /// # Errors
    /// It is out of range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        self.days.map_or(Ok(()), |days| OutOfRange::check("retention_policy.days", days, RETENTION_DAYS))
    }

    /// Messages that were sent before this moment are old enough. `None` if the policy keeps messages for ever.
    #[must_use]
    pub fn cut_off(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.days?)))
    }
}

/// The policy that applies to a channel: its own, or else the workspace's. Without either, messages are kept for ever.
#[must_use]
pub fn policy_of(workspace: Option<RetentionPolicy>, channel: Option<RetentionPolicy>) -> RetentionPolicy {
    channel.or(workspace).unwrap_or_default()
}
