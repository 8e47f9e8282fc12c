//! The events that a connection missed: those behind its cursor, of all workspaces of its user, in the order of the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use commands::{CommandError, Commands, Past, ReadAccess};
use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, Channel, Event, Recorded, Workspace};

use super::sent::Sent;
use crate::changes::Changes;
use crate::error::ChangesError;
use crate::frame::EventFrame;
use crate::make::Present;

/// The events of the first part, and of the others.
const FIRST_EVENTS: usize = 200;
const PART_EVENTS_MIN: usize = 20;
const PART_EVENTS_MAX: usize = 2_000;

/// A part should have about this many bytes: it waits in memory while its client reads slowly.
const PART_BYTES: usize = 512 * 1024;

/// A part ends with the frame that reaches this many bytes. The events behind it are read again.
const PART_BYTES_MAX: usize = 2 * PART_BYTES;

/// Reads the missed events, part by part.
pub(super) struct Missed {
    changes: Changes,
    commands: Commands,
    access: ReadAccess,
    /// The workspaces that the user is a member of, and those that the user is out of.
    workspaces: BTreeSet<WorkspaceId>,
    former: BTreeSet<WorkspaceId>,
    /// The frames of removals from workspaces that the user is out of.
    removals: BTreeMap<i64, EventFrame>,
    /// The states that decided what of a workspace was shown in the last part.
    pasts: HashMap<WorkspaceId, Past>,
    /// The events of the next part.
    read: usize,
    reached: i64,
    end: i64,
}

impl Missed {
    /// Reads the events behind `after`, up to `end`.
    pub(super) fn new(changes: Changes, commands: Commands, access: ReadAccess, after: i64, end: i64) -> Self {
        let (workspaces, former, removals, pasts) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new(), HashMap::new());
        Self { changes, commands, access, workspaces, former, removals, pasts, read: FIRST_EVENTS, reached: after, end }
    }

    /// Reads on, up to `end`.
    pub(super) fn extend(&mut self, end: i64) {
        self.end = end;
        // The user may have joined again, and may have been removed again.
        self.former.clear();
        self.removals.clear();
    }

    /// Everything up to here was read, or known to the client.
    pub(super) fn reached(&self) -> i64 {
        self.reached
    }

    /// Whether everything was read.
    pub(super) fn is_over(&self) -> bool {
        self.reached >= self.end
    }

    /// Returns the frames of the next part, of these workspaces.
    ///
    /// # Errors
    /// The user is suspended, or a store failed.
    pub(super) async fn part(&mut self, workspaces: Vec<WorkspaceId>) -> Result<Vec<Arc<Sent>>, ChangesError> {
        self.access = self.access.renewed().await?;
        for workspace_id in workspaces {
            self.sort(workspace_id).await?;
        }
        let now = self.workspaces.iter().copied().collect::<Vec<_>>();
        let part = self.changes.part(&now, self.reached, self.end, self.read).await?;
        let mut frames = BTreeMap::new();
        for workspace_id in now {
            let is_here = |event: &&Arc<Recorded<Event>>| {
                let is_of_person = event.stream.aggregate == AggregateType::User;
                event.workspace_id == Some(workspace_id) || (is_of_person && !frames.contains_key(&event.position))
            };
            let here = part.events.iter().filter(is_here).map(AsRef::as_ref).collect::<Vec<_>>();
            let mut past = self.pasts.remove(&workspace_id);
            match self.changes.frames(&self.access, workspace_id, (self.reached, part.to), &here, &mut past).await {
                Ok(found) => {
                    frames.extend(found.into_iter().map(|frame| (frame.position(), frame)));
                    self.pasts.extend(past.map(|past| (workspace_id, past)));
                }
                // The user was removed meanwhile.
                Err(ChangesError::Commands(CommandError::Refused(_))) => self.leave(workspace_id).await?,
                Err(error) => return Err(error),
            }
        }
        self.reached = self.reached.max(part.to);
        frames.extend(self.removals.range(..=self.reached).map(|(position, frame)| (*position, frame.clone())));
        let (mut sent, mut bytes) = (Vec::with_capacity(frames.len()), 0);
        for (position, frame) in frames {
            if bytes >= PART_BYTES_MAX {
                self.reached = position - 1;
                break;
            }
            let frame = Sent::event(self.changes.cursor(position), &frame);
            bytes += frame.json().len();
            sent.push(frame);
        }
        self.removals.retain(|position, _| *position > self.reached);
        let fitting = self.read.saturating_mul(PART_BYTES) / bytes.max(1);
        self.read = fitting.min(self.read * 4).clamp(PART_EVENTS_MIN, PART_EVENTS_MAX);
        Ok(sent)
    }

    /// Notes whether the user is a member of a workspace now.
    async fn sort(&mut self, workspace_id: WorkspaceId) -> Result<(), ChangesError> {
        match self.access.active_member(workspace_id).await {
            Ok(_) => {
                self.former.remove(&workspace_id);
                self.workspaces.insert(workspace_id);
                Ok(())
            }
            Err(CommandError::Refused(_)) if self.former.contains(&workspace_id) => Ok(()),
            Err(CommandError::Refused(_)) => self.leave(workspace_id).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the removals of a user who is out of a workspace. The user gets nothing else of it.
    async fn leave(&mut self, workspace_id: WorkspaceId) -> Result<(), ChangesError> {
        // A suspended user is in no workspace either. Then this is refused, and the connection ends: if it left out
        // what it missed, and went on, the cursor of its next frame would lie after events that the client never got.
        self.access = self.access.renewed().await?;
        self.workspaces.remove(&workspace_id);
        self.former.insert(workspace_id);
        // The connection may read on later, further than to `end`.
        let events = self.access.removals(workspace_id, self.reached, i64::MAX).await?;
        let workspace = Left(self.commands.workspace_state(workspace_id).await?);
        let events = events.iter().collect::<Vec<_>>();
        let (shown, none) = (self.access.shown(), HashMap::new());
        let frames = self.changes.material().make(&shown, workspace_id, &workspace, &events, &none).await?;
        self.removals.extend(frames.into_iter().map(|frame| (frame.position(), frame)));
        Ok(())
    }
}

/// A workspace, for a user who is no longer a member.
struct Left(Arc<Workspace>);

impl Present for Left {
    fn workspace(&self) -> &Workspace {
        &self.0
    }

    fn channel(&self, _: ChannelId) -> Option<&Channel> {
        None
    }

    fn reads(&self, _: ChannelId) -> bool {
        false
    }
}
