//! All that a client needs when it starts, in one answer: as of one position, and in about 50 kB for a user in 50
//! channels. The client then asks for the changes after that position.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use actix_web::get;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use commands::{ReadAccess, Sight};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::permission::{Permission, Role};
use domain::text::EmojiName;
use live::Changes;
use projections::ReadModels;
use projections::cache::ChannelUnread;
use projections::relational::channels::ChannelRow;
use projections::relational::messages::HistoryPage;
use projections::relational::people::PersonRow;
use projections::start::{StartQuery, StartRows};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shapes::CustomStatus;
use state::presence::{Device, PEOPLE_MAX, Presences};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::headers::QueryHeaders;
use super::messages::MessagePage;
use super::path::WorkspacePath;
use super::presence::Presence;
use super::schema;
use super::sight::sight_of;
use super::with::{MessagePart, Shown};
use crate::extract::{Cursor, List, Query, QueryAnswer, Reading};
use crate::problem::Problem;

/// The most channels whose messages are in the answer: as many as may be named, and as many of the latest.
const OPENED_MAX: usize = 20;
/// How many channels' messages are in the answer if the client does not say.
const OPENED: u16 = 3;
/// The most messages of each channel.
const MESSAGES_MAX: u16 = 50;
/// How many messages of each channel are in the answer if the client does not say.
const MESSAGES: u16 = 15;

/// The parameters of a client's start.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StartParameters {
    /// Channels whose newest messages to answer, such as the one that was open last. Channels that the caller may not read
    /// are left out.
    #[param(value_type = Vec<Uuid>, style = Form, explode = false, required = false, max_items = 20)]
    channels: Option<List<ChannelId>>,
    /// The number of further channels whose newest messages to answer: those of the caller with the latest messages. The
    /// default is 3, or 0 with `channels`.
    #[param(minimum = 0, maximum = 20)]
    recent: Option<u16>,
    /// The number of messages of each of these channels. The default is 15.
    #[param(minimum = 1, maximum = 50)]
    messages: Option<u16>,
    /// The parts that the messages have: `names` of people, `workspace`, or `none`. By default they have none: `people` has
    /// the names.
    #[param(inline, value_type = Vec<MessagePart>, style = Form, explode = false, required = false)]
    with: Option<List<MessagePart>>,
    /// The `emojis.version` that the client has. If it is the present one, the answer leaves out the emojis.
    #[param(max_length = 16)]
    emojis: Option<String>,
}

impl StartParameters {
    fn query(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<StartQuery<'_>, Problem> {
        let channels = self.channels.as_ref().map_or(Ok(&[][..]), |channels| channels.at_most("channels", OPENED_MAX))?;
        let recent = usize::from(self.recent.unwrap_or(if self.channels.is_some() { 0 } else { OPENED }));
        if recent > OPENED_MAX {
            return Err(Problem::malformed("request.query_invalid", Some("recent".into()), format!("recent must be 0 to {OPENED_MAX}")));
        }
        Ok(StartQuery { user_id, workspace_id, channels, recent, messages: self.messages_each()? + 1 })
    }

    fn messages_each(&self) -> Result<u16, Problem> {
        match self.messages.unwrap_or(MESSAGES) {
            messages @ 1..=MESSAGES_MAX => Ok(messages),
            _ => Err(Problem::malformed("request.query_invalid", Some("messages".into()), format!("messages must be 1 to {MESSAGES_MAX}"))),
        }
    }
}

/// All that a client needs when it starts.
#[derive(Serialize, ToSchema)]
pub struct Start {
    /// The position in the log that everything here is as of, but the presence, the read markers and the caller's rights,
    /// which are as of now.
    position: i64,
    /// The cursor of the changes after that position.
    cursor: String,
    /// The caller's rights.
    me: OwnRights,
    /// The caller's channels and conversations that are not archived, in order of their identifiers: 500 at most. Channels
    /// that `channels` names follow if they are not among them.
    channels: Vec<StartChannel>,
    /// The cursor (`after`) with which `GET …/channels?archived=false` goes on. It is absent if all channels are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The newest messages of some channels.
    messages: Vec<StartMessages>,
    /// The people who occur here, by identifier.
    #[schema(value_type = BTreeMap<String, StartPerson>)]
    people: BTreeMap<Uuid, StartPerson>,
    /// The emojis of the workspace's own.
    emojis: StartEmojis,
}

/// The caller's rights in a workspace. In a channel, its `admin` may also rename, archive and configure it, and remove
/// members, as may everybody with `channel.manage`.
#[derive(Serialize, ToSchema)]
pub struct OwnRights {
    /// The caller.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// The caller's role.
    #[schema(value_type = schema::Role)]
    role: Role,
    /// The permissions that the caller has, by role or in spite of it.
    #[schema(value_type = Vec<String>, example = json!(["message.post", "message.react"]))]
    permissions: Vec<Permission>,
}

/// A channel or conversation, with the caller's own settings and counts.
#[derive(Serialize, ToSchema)]
pub struct StartChannel {
    /// The channel.
    channel_id: Uuid,
    /// `public`, `private`, `dm` or `group_dm`.
    channel_type: String,
    /// The name. Direct and group conversations have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The name as it is displayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    /// Whether the channel is archived.
    is_archived: bool,
    /// Whether it is the workspace's #general.
    is_general: bool,
    /// Whether messages may be answered in threads.
    allow_threads: bool,
    /// Whether the caller is in it.
    is_member: bool,
    /// The caller's role in it: `admin` or `member`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The caller's notification level in it: `all`, `mentions` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_level: Option<String>,
    /// When the latest message was sent, answers in threads aside.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    last_message_at: Option<DateTime<Utc>>,
    /// The people of a direct or group conversation, the caller too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 9)]
    member_ids: Option<Vec<Uuid>>,
    /// The caller's unread counts. Absent if the caller is not in the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<StartUnread>,
}

/// The caller's unread counts in a channel. `GET …/unread` says which messages count.
#[derive(Serialize, ToSchema)]
pub struct StartUnread {
    /// Messages.
    #[schema(minimum = 0, maximum = 1000)]
    messages: i64,
    /// Messages that mention the caller, or everyone.
    #[schema(minimum = 0)]
    mentions: i64,
    /// Whether there are more than the newest thousand messages.
    more: bool,
    /// The last message that the caller has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_read_message_id: Option<Uuid>,
}

/// The newest messages of a channel.
#[derive(Serialize, ToSchema)]
pub struct StartMessages {
    /// The channel.
    #[schema(value_type = Uuid)]
    channel_id: ChannelId,
    /// The messages.
    page: MessagePage,
}

/// A person. A guest sees the role, the status and the presence of the people of the guest's channels only.
#[derive(Serialize, ToSchema)]
pub struct StartPerson {
    /// The user.
    user_id: Uuid,
    /// The name that others mention. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The display name. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    /// Whether the user is a bot.
    is_bot: bool,
    /// Whether the user was erased.
    is_erased: bool,
    /// The role in the workspace. Absent if the user is not an active member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Role>)]
    role: Option<String>,
    /// The presence. Absent if the user is not an active member.
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
    /// The user's custom status. Absent if it has ended, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<CustomStatus>,
}

/// The emojis of a workspace's own.
#[derive(Serialize, ToSchema)]
pub struct StartEmojis {
    /// Changes with the emojis.
    #[schema(min_length = 16, max_length = 16)]
    version: String,
    /// Their names, in order. Absent if the client has this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, max_items = 2000)]
    names: Option<BTreeSet<EmojiName>>,
}

/// Get all that a client needs when it starts
///
/// One answer has the caller's channels with their unread counts, the newest messages of some of them, the people who occur
/// there with their presence, the caller's rights, and the emojis. Everything is as of one position. For a user in 50
/// channels it has about 50 kB. The client then follows the changes after `cursor`.
#[utoipa::path(tag = "workspaces", params(WorkspacePath, StartParameters, QueryHeaders),
    responses((status = 200, description = "The start.", body = Start)))]
#[get("/workspaces/{workspace_id}/start")]
pub async fn get_start(
    path: Path<WorkspacePath>,
    parameters: Query<StartParameters>,
    reading: Reading,
    read_models: Data<ReadModels>,
    presences: Data<Presences>,
    changes: Data<Changes>,
) -> Result<QueryAnswer<Start>, Problem> {
    let (workspace_id, access) = (path.workspace_id, &reading.access);
    let (role, permissions) = access.rights(workspace_id).await?;
    let emojis = StartEmojis::of(access.emojis(workspace_id).await?, parameters.emojis.as_deref());
    let query = parameters.query(reading.actor, workspace_id)?;
    let rows = read_models.start(query).await?;
    let sight = sight_of(&read_models, access, workspace_id).await?;
    let rows = readable(access, workspace_id, &sight, rows).await?;
    let people = people(rows.people, &sight, &presences, workspace_id).await;
    let (limit, shown) = (query.messages - 1, Shown::of(parameters.with.as_ref(), Shown::NOTHING));
    let page = |(channel_id, rows)| StartMessages { channel_id, page: MessagePage::cut(rows, HistoryPage::Latest, limit).showing(shown) };
    let start = Start {
        position: rows.position,
        cursor: changes.cursor(rows.position).to_string(),
        me: OwnRights { user_id: reading.actor, role, permissions },
        channels: with_counts(rows.channels, rows.unread),
        next: rows.last.map(|last| Cursor(last).to_string()),
        messages: rows.messages.into_iter().map(page).collect(),
        people,
        emojis,
    };
    Ok(Reading::answer_at(rows.position, start))
}

/// Removes the rows that the caller may not read, and the people who occur nowhere else. The read model may be behind, so
/// the write side decides. A guest learns the names that rows show, and of those whom texts mention, the people in sight.
async fn readable(access: &ReadAccess, workspace_id: WorkspaceId, sight: &Sight, mut rows: StartRows) -> Result<StartRows, Problem> {
    let ids = rows.channels.iter().map(|row| row.channel_id.into()).collect::<Vec<_>>();
    let readable = access.recent().await?.readable_in(workspace_id, &ids).await?;
    rows.channels.retain(|row| readable.contains(&row.channel_id.into()));
    rows.messages.retain(|(channel_id, _)| readable.contains(channel_id));
    let mentioned = rows.mentioned().filter(|person| sight.sees((*person).into()));
    let shown = rows.named().chain(mentioned).chain([access.user_id().0]).collect::<BTreeSet<_>>();
    rows.people.retain(|person| shown.contains(&person.user_id));
    Ok(rows)
}

fn with_counts(channels: Vec<ChannelRow>, unread: Vec<ChannelUnread>) -> Vec<StartChannel> {
    let mut unread = unread.into_iter().map(|row| (row.channel_id, row)).collect::<HashMap<_, _>>();
    channels.into_iter().map(|row| (unread.remove(&row.channel_id), row)).map(|(unread, row)| StartChannel::of(row, unread)).collect()
}

/// The people, with the presence of those whom the caller sees.
async fn people(rows: Vec<PersonRow>, sight: &Sight, presences: &Presences, workspace_id: WorkspaceId) -> BTreeMap<Uuid, StartPerson> {
    let is_seen = |row: &PersonRow| row.role.is_some() && sight.sees(row.user_id.into());
    let seen = rows.iter().filter(|row| is_seen(row)).map(|row| UserId(row.user_id)).collect::<Vec<_>>();
    let devices = devices_of(&seen, presences, workspace_id).await;
    let person = |row: PersonRow| {
        let presence = devices.get(&row.user_id.into()).map(|devices| Presence::at(devices.as_deref()));
        (row.user_id, StartPerson::of(row, presence))
    };
    rows.into_iter().map(person).collect()
}

/// The devices of people. `None` for those whose presence cannot be read.
async fn devices_of(people: &[UserId], presences: &Presences, workspace_id: WorkspaceId) -> HashMap<UserId, Option<Vec<Device>>> {
    let mut found = HashMap::new();
    for some in people.chunks(PEOPLE_MAX) {
        match presences.of(workspace_id, some).await {
            Ok(devices) => found.extend(some.iter().copied().zip(devices.into_iter().map(Some))),
            Err(_) => found.extend(some.iter().map(|person| (*person, None))),
        }
    }
    found
}

impl StartChannel {
    fn of(row: ChannelRow, unread: Option<ChannelUnread>) -> Self {
        Self {
            channel_id: row.channel_id,
            channel_type: row.channel_type,
            name: row.name,
            display_name: row.display_name,
            topic: row.topic,
            is_archived: row.is_archived,
            is_general: row.is_general,
            allow_threads: row.allow_threads,
            is_member: row.is_member,
            role: row.role,
            notification_level: row.notification_level,
            last_message_at: row.last_message_at,
            member_ids: row.members.map(|members| members.0.into_iter().map(|member| member.user_id).collect()),
            unread: unread.map(|unread| StartUnread {
                messages: unread.unread,
                mentions: unread.mentions,
                more: unread.more,
                last_read_message_id: unread.last_read_message_id,
            }),
        }
    }
}

impl StartPerson {
    /// `presence` is `None` if the caller does not see more of the person than the name.
    fn of(row: PersonRow, presence: Option<Presence>) -> Self {
        let custom_status = row.custom_status().filter(|_| presence.is_some());
        let mut person = Self {
            user_id: row.user_id,
            username: row.username,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            is_bot: row.is_bot,
            is_erased: row.is_erased,
            role: None,
            presence,
            custom_status,
        };
        if presence.is_some() {
            person.role = row.role;
        }
        person
    }
}

impl StartEmojis {
    /// `known` is the version that the client has.
    fn of(names: BTreeSet<EmojiName>, known: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for name in &names {
            hash.update(name.as_str().as_bytes());
            hash.update([0]);
        }
        let version = hex::encode(&hash.finalize()[..8]);
        let names = Some(names).filter(|_| known != Some(version.as_str()));
        Self { version, names }
    }
}
