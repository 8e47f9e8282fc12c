//! Where lookups by identifier search: the window of time in which the message's moment lies, and with it the months.

use chrono::{DateTime, Utc};
use domain::ids::MessageId;
use uuid::Uuid;

/// Identifiers, each with the first and the last time that its message's moment can be: the columns for `unnest`.
#[derive(Default)]
pub(crate) struct Windows {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) earliest: Vec<DateTime<Utc>>,
    pub(crate) latest: Vec<DateTime<Utc>>,
}

impl FromIterator<Uuid> for Windows {
    fn from_iter<I: IntoIterator<Item = Uuid>>(ids: I) -> Self {
        let mut windows = Self::default();
        for id in ids {
            let (earliest, latest) = MessageId(id).window();
            windows.ids.push(id);
            windows.earliest.push(earliest);
            windows.latest.push(latest);
        }
        windows
    }
}
