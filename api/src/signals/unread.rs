//! Read markers and unread counts, for the devices of their user.
//!
//! The counts are those of `GET …/unread` at the same position. They are read at the node of the device, and only if there
//! is one: if the user has no connection, a marker costs one notice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::{ChannelId, UserId, WorkspaceId};
use live::{EphemeralFrame, EphemeralKind, Recipients};
use projections::RELATIONAL;

use super::Signals;
use super::frames::{ReadMarkerFields, UnreadFields, frame};
use super::notice::{Marker, Notice};
use crate::extract::WAIT_MAX;
use crate::http::counts::{readable_unread, totals};
use crate::problem::Problem;

/// The most rows of channels in a frame.
const CHANNELS_MAX: usize = 500;

/// The channels whose counts are due, of a user in a workspace. `None` is all of them.
type Due = HashMap<(UserId, WorkspaceId), Option<BTreeSet<ChannelId>>>;

/// The counts that are due. Those of one user in one workspace are counted one time after the other: so the frames come
/// in the order of their positions, and if the stores are slow, no more counts begin than there are users.
#[derive(Default)]
pub(super) struct DueUnread(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    due: Due,
    /// Those that are being counted now.
    running: HashSet<(UserId, WorkspaceId)>,
}

impl DueUnread {
    fn add(&self, user_id: UserId, workspace_id: WorkspaceId, channel_id: Option<ChannelId>) {
        let mut counts = self.lock();
        let channels = counts.due.entry((user_id, workspace_id)).or_insert_with(|| Some(BTreeSet::new()));
        match (channels.as_mut(), channel_id) {
            (Some(channels), Some(channel_id)) => drop(channels.insert(channel_id)),
            (_, None) => *channels = None,
            (None, Some(_)) => {}
        }
    }

    /// Takes what is due, except of users whose earlier counts are not done. Each must get a [`Running`] at once.
    fn take(&self) -> Due {
        let mut counts = self.lock();
        let (later, now): (Due, Due) = std::mem::take(&mut counts.due).into_iter().partition(|(of, _)| counts.running.contains(of));
        counts.due = later;
        counts.running.extend(now.keys());
        now
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of a user in a workspace, while they are counted. They are done when it is dropped: after a panic too, so
/// that the user's later counts do not wait for ever.
struct Running<'d> {
    due: &'d DueUnread,
    of: (UserId, WorkspaceId),
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.due.lock().running.remove(&self.of);
    }
}

impl Signals {
    /// The user has moved the read marker of a channel, or, without one, all of a workspace.
    pub fn marker_moved(&self, user_id: UserId, workspace_id: WorkspaceId, marker: Option<Marker>) {
        self.send_everywhere(&Notice::Marker { user_id, workspace_id, marker });
    }

    pub(super) fn send_marker(&self, user_id: UserId, workspace_id: WorkspaceId, marker: Option<&Marker>) {
        if !self.0.local.has(user_id) {
            return;
        }
        let fields = ReadMarkerFields {
            workspace_id,
            channel_id: marker.map(|marker| marker.channel_id),
            message_id: marker.map(|marker| marker.message_id),
            created_at: marker.map(|marker| marker.created_at),
        };
        if let Some(frame) = frame(EphemeralKind::ReadMarker, &fields) {
            self.0.parts.hub.send(Recipients::User(user_id), frame);
        }
        self.0.due_unread.add(user_id, workspace_id, fields.channel_id);
    }

    /// Reads the counts that are due, in the background. Moves that come together are counted once.
    pub(super) fn count_due(&self) {
        for ((user_id, workspace_id), channels) in self.0.due_unread.take() {
            let signals = self.clone();
            tokio::spawn(async move {
                let _running = Running { due: &signals.0.due_unread, of: (user_id, workspace_id) };
                match signals.unread_frame(user_id, workspace_id, channels.as_ref()).await {
                    Ok(Some(frame)) => signals.0.parts.hub.send(Recipients::User(user_id), frame),
                    Ok(None) => {}
                    // The client has the marker, and can ask for the counts.
                    Err(problem) => tracing::debug!(%problem, "unread counts could not be sent"),
                }
            });
        }
    }

    /// The frame with the counts of a user, as of the end of the log or later: of some channels, or of all.
    pub(super) async fn unread_frame(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        channels: Option<&BTreeSet<ChannelId>>,
    ) -> Result<Option<EphemeralFrame>, Problem> {
        let parts = &self.0.parts;
        let access = parts.commands.read_access(user_id).await?;
        access.active_member(workspace_id).await?;
        // The client has seen events up to here, and expects that the counts have them.
        parts.progress.wait_for(RELATIONAL, access.position(), WAIT_MAX).await?;
        let _place = self.0.counting.acquire().await;
        let found = readable_unread(&parts.caches, &access, workspace_id, access.position()).await?;
        let (unread, mentions) = totals(&found.channels);
        let is_told = |channel_id| channels.is_none_or(|channels| channels.contains(&channel_id));
        let mut rows = found.channels.into_iter().filter(|row| is_told(row.channel_id.into())).collect::<Vec<_>>();
        let more = rows.len() > CHANNELS_MAX;
        rows.truncate(CHANNELS_MAX);
        let fields = UnreadFields { workspace_id, position: found.position, unread, mentions, channels: rows, more };
        Ok(frame(EphemeralKind::Unread, &fields))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn moves_that_come_together_are_counted_once_and_everything_includes_each() {
        let (due, ann, home) = (DueUnread::default(), UserId(Uuid::from_u128(1)), WorkspaceId(Uuid::from_u128(2)));
        let channels = [3, 4].map(|n| ChannelId(Uuid::from_u128(n)));
        channels.iter().for_each(|channel| due.add(ann, home, Some(*channel)));
        assert_eq!(due.take(), Due::from([((ann, home), Some(BTreeSet::from(channels)))]));
        due.add(ann, home, Some(channels[0]));
        due.add(ann, home, None);
        assert_eq!(due.take(), Due::new(), "the first counts are not done");
        due.add(ann, home, Some(channels[1]));
        drop(Running { due: &due, of: (ann, home) });
        assert_eq!(due.take(), Due::from([((ann, home), None)]));
        drop(Running { due: &due, of: (ann, home) });
        assert_eq!(due.take(), Due::new());
    }

    #[test]
    fn counts_that_panic_do_not_stop_the_next_ones() {
        let (due, ann, home) = (DueUnread::default(), UserId(Uuid::from_u128(1)), WorkspaceId(Uuid::from_u128(2)));
        due.add(ann, home, None);
        assert_eq!(due.take().len(), 1);
        let count = || -> usize {
            let _running = Running { due: &due, of: (ann, home) };
            panic!("a defect")
        };
        std::thread::scope(|scope| scope.spawn(count).join().expect_err("a panic"));
        due.add(ann, home, None);
        assert_eq!(due.take(), Due::from([((ann, home), None)]));
    }
}
