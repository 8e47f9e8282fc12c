//! One run of an import: first people, then channels, then messages, channel by channel and day by day.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use domain::permission::Role;
use domain::{Event, MessageEvent, StreamId, Workspace, WorkspaceEvent};

use super::archive::{Archive, Entry};
use super::channels::{self, ChannelIds, ImportedChannel, List};
use super::export::{Day, Layout};
use super::ids::Ids;
use super::messages::Conversation;
use super::model::{SlackChannel, SlackUser, second};
use super::outbox::{Outbox, original};
use super::people::People;
use super::report::Report;
use super::sink::Sink;
use super::{ImportError, Limits, Settings, blocking, reader};
use commands::event_store::PendingEvent;

/// One run of an import.
pub(super) struct Run<'a, S> {
    pub sink: &'a S,
    pub settings: &'a Settings,
    /// The actor and owner where the export names none: the importer, or else the workspace's owner.
    pub fallback_user: UserId,
    pub ids: Ids,
    /// When the team began: the time of things that have no time in the export.
    pub began_at: DateTime<Utc>,
    pub report: Report,
    pub outbox: Outbox<'a, S>,
    /// The users added to #general in this run.
    pub general: BTreeSet<UserId>,
}

/// The lists of an export.
struct Lists {
    users: reader::List<SlackUser>,
    channels: Vec<(List, reader::List<SlackChannel>)>,
    /// The files of lists that say nothing.
    empty: Vec<String>,
}

pub(super) async fn read<S: Sink, R: Read + Seek + Send + 'static>(
    mut run: Run<'_, S>,
    archive: Archive<R>,
    entries: Vec<Entry>,
) -> Result<Report, ImportError> {
    let layout = Layout::of(entries, &mut run.report)?;
    if !layout.is_an_export() {
        return Err(ImportError::NotAnExport);
    }
    let (workspace, mut version) = run.sink.workspace(run.settings.workspace_id).await?;
    if !workspace.exists() {
        return Err(ImportError::NoWorkspace(run.settings.workspace_id));
    }
    run.fallback_user = fallback_user(&workspace, run.settings.importer);
    run.outbox.progress.bytes_total = layout.bytes_of_days();
    let limits = run.settings.limits;
    let (archive, layout, lists) = blocking(move || read_lists(archive, layout, &limits)).await??;
    let (users, lists) = run.understood(lists, &layout);
    run.began_at = began_at(&lists).unwrap_or(run.settings.at);
    let mut people = People::import(&mut run, users, &workspace, &mut version).await?;
    let mut channels = channels::listed(&mut run, lists, layout.folders);
    let channel_ids = channels::import(&mut run, &mut channels, &mut people, &workspace).await?;
    channels::everybody_into_general(&mut run, &channels, &people, &workspace).await?;
    run.messages(archive, &channels, &mut people, &channel_ids).await?;
    run.outbox.seal().await?;
    run.emojis(version).await?;
    run.outbox.seal().await?;
    Ok(run.report)
}

/// An import from the command line has no importer who is a member.
fn fallback_user(workspace: &Workspace, importer: UserId) -> UserId {
    let owner = || workspace.members.iter().find(|(_, member)| member.active && member.role == Role::Owner).map(|(id, _)| *id);
    if workspace.active_member(importer).is_some() { importer } else { owner().unwrap_or(importer) }
}

fn read_lists<R: Read + Seek>(
    mut archive: Archive<R>,
    layout: Layout,
    limits: &Limits,
) -> Result<(Archive<R>, Layout, Lists), ImportError> {
    let users = match &layout.users {
        Some(entry) => reader::list(&mut archive, entry, limits)?,
        None => Vec::new(),
    };
    let (mut channels, mut empty) = (Vec::new(), Vec::new());
    for (list, entry) in layout.channel_lists() {
        match reader::list_or_nothing(&mut archive, entry, limits)? {
            Some(read) => channels.push((list, read)),
            None => empty.push(entry.path.clone()),
        }
    }
    Ok((archive, layout, Lists { users, channels, empty }))
}

/// The team is as old as its first channel.
fn began_at(lists: &[(List, Vec<SlackChannel>)]) -> Option<DateTime<Utc>> {
    lists.iter().flat_map(|(_, channels)| channels).filter_map(|channel| second(channel.created)).min()
}

impl<S> Run<'_, S> {
    /// Counts what is handed to the writer. How much of it already existed is known at the end.
    pub(super) fn handed_over(&mut self, events: &[PendingEvent]) {
        for pending in events {
            match pending.event {
                Event::Message(MessageEvent::Posted(_)) => self.report.messages.already_there += 1,
                Event::Message(MessageEvent::Reacted { .. }) => self.report.reactions.already_there += 1,
                Event::Message(MessageEvent::Pinned { .. }) => self.report.pins.already_there += 1,
                _ => {}
            }
        }
    }
}

impl<S: Sink> Run<'_, S> {
    /// Returns the understood parts of the lists, and reports the others.
    fn understood(&mut self, lists: Lists, layout: &Layout) -> (Vec<SlackUser>, Vec<(List, Vec<SlackChannel>)>) {
        let lists_read = layout.users.iter().chain(layout.channel_lists().map(|(_, entry)| entry));
        for entry in lists_read {
            self.report.read.files += 1;
            self.report.read.bytes += entry.bytes;
        }
        let Run { report, .. } = self;
        report.users.in_file += lists.users.len() as u64;
        for path in lists.empty {
            report.skip("file: a list that says nothing", || path);
        }
        let users = lists.users.into_iter().filter_map(|user| {
            user.map_err(|json| {
                report.users.skipped += 1;
                report.skip("user that is no object", || json);
            })
            .ok()
        });
        let users = users.collect();
        let mut understood = Vec::new();
        for (list, channels) in lists.channels {
            let channels = channels.into_iter().filter_map(|channel| {
                channel
                    .map_err(|json| {
                        report.channels.in_file += 1;
                        report.channels.skipped += 1;
                        report.skip("channel that is no object", || json);
                    })
                    .ok()
            });
            understood.push((list, channels.collect()));
        }
        (users, understood)
    }

    /// Imports the messages, channel by channel and day by day.
    async fn messages<R: Read + Seek + Send + 'static>(
        &mut self,
        archive: Archive<R>,
        channels: &[ImportedChannel],
        people: &mut People,
        channel_ids: &ChannelIds,
    ) -> Result<(), ImportError> {
        let plan =
            |(at, channel): (usize, &ImportedChannel)| channel.days.iter().map(move |day| (at, day.clone())).collect::<Vec<(usize, Day)>>();
        let plan = channels.iter().enumerate().flat_map(plan).collect();
        let mut days = reader::start(archive, plan, self.settings.limits);
        let mut next = days.recv().await.transpose()?;
        for (at, channel) in channels.iter().enumerate() {
            let mut conversation = Conversation::new(channel);
            while let Some(day) = next.take_if(|day| day.channel == at) {
                self.count(&day);
                let bytes = day.bytes;
                conversation.day(self, day, people, channel_ids).await?;
                self.outbox.progress.bytes_done += bytes;
                next = days.recv().await.transpose()?;
            }
            conversation.end(self, people, channel_ids).await?;
        }
        Ok(())
    }

    /// Adds the emojis of the imported reactions to the workspace, as long as it has room for them.
    async fn emojis(&mut self, mut version: i64) -> Result<(), ImportError> {
        let (workspace, _) = self.sink.workspace(self.settings.workspace_id).await?;
        let (by, at) = (self.fallback_user, self.began_at);
        let mut events = Vec::new();
        for name in std::mem::take(&mut self.outbox.emojis) {
            if workspace.emojis.contains(&name) {
                continue;
            }
            if !workspace.has_room_for_emojis(events.len() + 1) {
                self.report.skip("emoji that the workspace has no room for: reactions show its name", || name.to_string());
                continue;
            }
            events.push(original(WorkspaceEvent::EmojiAdded { name, added_by: by }, by, at));
        }
        let stream = StreamId::workspace(self.settings.workspace_id);
        self.outbox.push_many(stream, self.settings.workspace_id, &mut version, events).await
    }

    fn count(&mut self, day: &reader::ReadDay) {
        self.report.read.files += 1;
        self.report.read.bytes += day.bytes;
        if let Some(why) = &day.odd {
            self.report.skip("file: a day that is no list of messages", || format!("{}: {why}", day.path));
        }
        if day.replaced {
            self.report.turned("bytes that are not UTF-8 into U+FFFD", || day.path.clone());
        }
    }
}
