//! The channels and conversations of the export, and the channels that they become.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::channel::MemberRole;
use domain::ids::{ChannelId, UserId};
use domain::{StreamId, Workspace};

use super::ImportError;
use super::export::{Day, Folder};
use super::maker::{ChannelWriter, joined};
use super::markup::Names;
use super::model::{SlackChannel, some};
use super::names::composed;
use super::people::{People, UnlistedPerson};
use super::run::Run;
use super::sink::Sink;

/// The list of the export that a channel is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// `channels.json`
    Public,
    /// `groups.json`
    Private,
    /// `dms.json`
    Direct,
    /// `mpims.json`
    Group,
    /// No list: the archive has a folder that no list names.
    Unlisted,
}

/// A channel of the export that is being imported.
pub(super) struct ImportedChannel {
    pub list: List,
    pub slack_id: String,
    pub slack: SlackChannel,
    /// Its folder in the archive, and the days in it.
    pub folder: String,
    pub days: Vec<Day>,
    /// The identifier that it gets.
    pub channel_id: ChannelId,
    /// The version of its stream after everything gathered so far is written.
    pub version: i64,
    /// Whether it is archived after its messages are imported.
    pub to_archive: bool,
}

/// The channels' new identifiers, by those of the export.
pub(super) type ChannelIds = HashMap<String, ChannelId>;

/// The users and channels that texts of the export refer to.
pub(super) struct Directory<'a> {
    pub people: &'a People,
    pub channels: &'a ChannelIds,
}

impl Names for Directory<'_> {
    fn user(&self, slack_id: &str) -> Option<UserId> {
        self.people.find(slack_id)
    }

    fn channel(&self, slack_id: &str) -> Option<ChannelId> {
        self.channels.get(slack_id).copied()
    }
}

/// The channels of the lists, with their folders, and one more channel for each folder that no list names.
pub(super) fn listed<S>(
    run: &mut Run<'_, S>,
    lists: Vec<(List, Vec<SlackChannel>)>,
    mut folders: BTreeMap<String, Folder>,
) -> Vec<ImportedChannel> {
    let mut seen = HashSet::new();
    let mut listed = Vec::new();
    for (list, slack) in lists.into_iter().flat_map(|(list, channels)| channels.into_iter().map(move |channel| (list, channel))) {
        run.report.channels.in_file += 1;
        let Some(slack_id) = some(slack.id.as_ref()).map(str::to_owned).filter(|id| seen.insert(id.clone())) else {
            run.report.channels.skipped += 1;
            run.report.skip("channel without an identifier of its own", || slack.name.clone().unwrap_or_default());
            continue;
        };
        let list = if list == List::Public && slack.is_private { List::Private } else { list };
        listed.push((list, slack_id, slack));
    }
    let found = folders_of(&listed, &mut folders);
    let mut channels = Vec::with_capacity(listed.len());
    for ((list, slack_id, slack), folder) in listed.into_iter().zip(found) {
        let name = || some(slack.name.as_ref()).unwrap_or(&slack_id).to_owned();
        let folder = folder.unwrap_or_else(|| Folder { name: name(), days: Vec::new() });
        channels.push(ImportedChannel::new(run, list, slack_id, slack, folder));
    }
    for folder in folders.into_values() {
        run.report.channels.in_file += 1;
        run.report.turned("folder that no list names into a private channel of who imports", || folder.name.clone());
        let slack = SlackChannel { name: Some(folder.name.clone()), ..SlackChannel::default() };
        channels.push(ImportedChannel::new(run, List::Unlisted, format!("folder:{}", folder.name), slack, folder));
    }
    channels
}

/// Takes the folder of each listed channel. A channel's folder has the channel's name, and a direct conversation's
/// folder its identifier. Names are compared in composed form; folders that are then left, without case, because some
/// file systems change it; and then by the earlier names of a channel that was renamed while it was exported.
fn folders_of(listed: &[(List, String, SlackChannel)], folders: &mut BTreeMap<String, Folder>) -> Vec<Option<Folder>> {
    let names =
        |(_, slack_id, slack): &(List, String, SlackChannel)| [some(slack.name.as_ref()).unwrap_or(slack_id), slack_id].map(composed);
    let mut found =
        listed.iter().map(|channel| names(channel).iter().find_map(|name| folders.remove(name))).collect::<Vec<Option<Folder>>>();
    let mut folded = BTreeMap::<String, Vec<String>>::new();
    for name in folders.keys() {
        folded.entry(without_case(name)).or_default().push(name.clone());
    }
    for (channel, folder) in listed.iter().zip(&mut found).filter(|(_, folder)| folder.is_none()) {
        let alike = names(channel).iter().find_map(|name| folded.remove(&without_case(name)));
        // Two folders that differ only in case are of two channels.
        *folder = alike.filter(|alike| alike.len() == 1).and_then(|alike| folders.remove(alike.first()?));
    }
    for ((_, _, slack), folder) in listed.iter().zip(&mut found).filter(|(_, folder)| folder.is_none()) {
        *folder = slack.previous_names.iter().rev().find_map(|name| folders.remove(&composed(name)));
    }
    found
}

fn without_case(name: &str) -> String {
    composed(&name.to_lowercase())
}

impl ImportedChannel {
    fn new<S>(run: &mut Run<'_, S>, list: List, slack_id: String, slack: SlackChannel, folder: Folder) -> Self {
        let Folder { name: folder, days } = folder;
        let count = match list {
            List::Public => &mut run.report.read.public_channels,
            List::Private | List::Unlisted => &mut run.report.read.private_channels,
            List::Direct => &mut run.report.read.direct_conversations,
            List::Group => &mut run.report.read.group_conversations,
        };
        *count += 1;
        let channel_id = run.ids.channel(&slack_id);
        Self { list, slack_id, slack, folder, days, channel_id, version: 0, to_archive: false }
    }

    pub(super) fn label(&self) -> String {
        format!("{} {}", self.slack_id, self.folder)
    }
}

/// Creates the channels that do not exist yet. The export's #general is merged into the workspace's.
pub(super) async fn import<S: Sink>(
    run: &mut Run<'_, S>,
    channels: &mut [ImportedChannel],
    people: &mut People,
    workspace: &Workspace,
) -> Result<ChannelIds, ImportError> {
    make_users_of_conversations(run, channels, people).await?;
    let general = general_of(channels);
    let streams = channels.iter().map(|channel| StreamId::channel(channel.channel_id)).collect::<Vec<_>>();
    let versions = run.sink.versions(&streams).await?;
    let mut ids = channels.iter().map(|channel| (channel.slack_id.clone(), channel.channel_id)).collect::<ChannelIds>();
    if let (Some(at), Some(general_id)) = (general, workspace.general_channel_id) {
        ids.insert(channels[at].slack_id.clone(), general_id);
    }
    let mut maker = ChannelWriter::new(run, people, ids);
    for (at, channel) in channels.iter_mut().enumerate() {
        match (versions.get(&StreamId::channel(channel.channel_id)), workspace.general_channel_id) {
            (_, Some(general_id)) if general == Some(at) => maker.map_onto_general(channel, general_id).await?,
            (Some(version), _) => maker.complete(channel, *version).await?,
            (None, _) => maker.create(channel).await?,
        }
    }
    Ok(maker.ids)
}

/// Adds all members to #general, except guests and bots.
pub(super) async fn everybody_into_general<S: Sink>(
    run: &mut Run<'_, S>,
    channels: &[ImportedChannel],
    people: &People,
    workspace: &Workspace,
) -> Result<(), ImportError> {
    let Some(general_id) = workspace.general_channel_id else { return Ok(()) };
    let (state, version) = run.sink.channel(general_id).await?;
    let listed = channels.iter().find(|channel| channel.channel_id == general_id);
    let mut version = listed.map_or(version, |channel| channel.version);
    let active = |id: &UserId| workspace.members.get(id).is_none_or(|member| member.active);
    let missing =
        people.general_members().filter(|id| !state.has_member(*id) && !run.general.contains(id) && active(id)).collect::<BTreeSet<_>>();
    for user_id in &missing {
        run.report.turned("member who was not in #general into a member of it, as everybody is here", || user_id.to_string());
    }
    let at = run.began_at;
    let events = missing.into_iter().map(|user_id| joined(user_id, MemberRole::Member, at)).collect();
    run.outbox.push_many(StreamId::channel(general_id), run.settings.workspace_id, &mut version, events).await
}

/// The channel that is marked as #general, or else the public one with that name.
fn general_of(channels: &[ImportedChannel]) -> Option<usize> {
    let public = |channel: &&(usize, &ImportedChannel)| channel.1.list == List::Public;
    let all = channels.iter().enumerate().collect::<Vec<_>>();
    let says = all.iter().filter(public).find(|(_, channel)| channel.slack.is_general);
    let named = || all.iter().filter(public).find(|(_, channel)| channel.slack.name.as_deref() == Some("general"));
    says.or_else(named).map(|(at, _)| *at)
}

/// The people of a direct conversation become users, even if the list of users lacks them: without them it would be
/// another conversation.
async fn make_users_of_conversations<S: Sink>(
    run: &mut Run<'_, S>,
    channels: &[ImportedChannel],
    people: &mut People,
) -> Result<(), ImportError> {
    let conversations = channels.iter().filter(|channel| matches!(channel.list, List::Direct | List::Group));
    let unlisted = conversations.flat_map(|channel| &channel.slack.members).filter(|id| !id.is_empty() && people.find(id).is_none());
    let unlisted = unlisted.map(|id| UnlistedPerson { slack_id: id.clone(), name: None, is_bot: false, avatar: None }).collect();
    people.make(run, unlisted).await
}
