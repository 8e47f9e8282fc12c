//! The seed's `unread_counts:{user}:{workspace}`: how many messages a user has not read in each of their channels.
//!
//! The seed keeps one number for each person and channel, so one post in a channel of ten thousand members is ten
//! thousand writes. Here the hash holds only where counting begins, and each channel has one sorted set of its newest
//! messages (`unread_log:{channel}`). So a post is one write, and one script computes a person's counts when they are
//! asked for. Each result is kept beside its start, with the version of the channel's messages (`unread_versions`):
//! only channels that have changed since are counted again.

use chrono::{DateTime, Utc};
use domain::formatting::{Broadcast, FormattedContent};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::message::Kind;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, query_file, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caches::Caches;
use super::place::{PLACE_CHARS, place};
use super::scripts::{SCRIPTS, ScriptAnswer, WorkspaceCache};
use crate::read_models::{QueryError, ReadModels};

/// The most messages that are counted in a channel. If there are more, the answer says so.
pub const UNREAD_MAX: i64 = 1_000;
/// How many messages of a channel are kept for counting at first. It is enough for most people, because they have read
/// most messages.
const LOG_MESSAGES_FIRST: i64 = 200;
/// How many messages are kept once a user has more unread ones. It contains a reserve for deletions.
pub(super) const LOG_MESSAGES: i64 = 1_250;
/// The messages are cut back to `LOG_MESSAGES` when there are more than this.
pub(super) const LOG_MESSAGES_MAX: i64 = 1_400;
/// How long the starts of counting are kept, in seconds.
pub(super) const PLACES_TTL_SECONDS: u64 = 3_600;
/// How long messages are kept for counting, in seconds.
const LOG_TTL_SECONDS: u64 = 86_400;
/// How often a read may try the cache again after it has filled something in.
const ROUNDS_MAX: usize = 4;

/// The unread counts of a user in one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelUnread {
    /// The channel.
    pub channel_id: Uuid,
    /// `all`, `mentions` or `none`.
    pub notification_level: String,
    /// The last message that the user has read, if the user has moved the marker since joining.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read_message_id: Option<Uuid>,
    /// Messages after the marker, or after joining. The user's own messages, deleted messages and answers in threads do
    /// not count.
    #[schema(minimum = 0, maximum = 1000)]
    pub unread: i64,
    /// Messages after the marker that mention the user, or everyone in the channel. Answers in threads count too.
    #[schema(minimum = 0)]
    pub mentions: i64,
    /// Whether there are more than the newest thousand messages. The counts are then of the newest thousand.
    pub more: bool,
}

/// The unread counts of a user in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The counts are as of this position, or later.
    pub position: i64,
    /// The user's channels, in order of identifiers.
    pub channels: Vec<ChannelUnread>,
}

/// Where counting begins for a user in a channel.
pub(super) struct CountStart {
    channel_id: Uuid,
    notification_level: String,
    marker: Option<Uuid>,
    since_at: DateTime<Utc>,
    since_id: Uuid,
}

impl CountStart {
    /// The text that Redis keeps.
    pub(super) fn value(&self) -> String {
        let marker = self.marker.map(|id| id.to_string()).unwrap_or_default();
        format!("{}|{}|{marker}", place(self.since_at, self.since_id), self.notification_level)
    }
}

impl ReadModels {
    /// Returns the unread counts of a user in a workspace, counted from the read tables and the markers.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn unread(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<Vec<ChannelUnread>, QueryError> {
        Ok(count_unread(&mut *self.pool.acquire().await?, user_id, workspace_id, None).await?)
    }

    /// Reads where counting begins for a user, in all their channels of a workspace or in one.
    pub(super) async fn unread_places(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        channel_id: Option<ChannelId>,
    ) -> Result<Vec<CountStart>, QueryError> {
        let channel = channel_id.map(|id| [id.0]);
        Ok(places(&self.pool, user_id, workspace_id, channel.as_ref().map(<[Uuid; 1]>::as_slice)).await?)
    }
}

async fn places(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    workspace_id: WorkspaceId,
    channels: Option<&[Uuid]>,
) -> sqlx::Result<Vec<CountStart>> {
    let file = query_file_as!(CountStart, "src/cache/sql/unread_places.sql", user_id.0, workspace_id.0, channels as Option<&[Uuid]>);
    file.fetch_all(executor).await
}

/// Counts the unread messages of a user in the transaction of the connection: in some channels, or in all that are not
/// archived.
pub(crate) async fn count_unread(
    connection: &mut PgConnection,
    user_id: UserId,
    workspace_id: WorkspaceId,
    channels: Option<&[Uuid]>,
) -> sqlx::Result<Vec<ChannelUnread>> {
    let places = places(&mut *connection, user_id, workspace_id, channels).await?;
    let channels = places.iter().map(|place| place.channel_id).collect::<Vec<_>>();
    let since_at = places.iter().map(|place| place.since_at).collect::<Vec<_>>();
    let since_id = places.iter().map(|place| place.since_id).collect::<Vec<_>>();
    let file = query_file!("src/cache/sql/count_unread.sql", user_id.0, workspace_id.0, &channels, &since_at, &since_id, UNREAD_MAX);
    let counted = file.fetch_all(connection).await?.into_iter().map(|row| (row.channel_id, row));
    let counted = counted.collect::<std::collections::HashMap<_, _>>();
    let unread = places.into_iter().filter_map(|place| {
        let row = counted.get(&place.channel_id)?;
        Some(ChannelUnread {
            channel_id: place.channel_id,
            notification_level: place.notification_level,
            last_read_message_id: place.marker,
            unread: row.messages,
            mentions: row.mentions,
            more: row.more,
        })
    });
    Ok(in_order(unread.collect()))
}

impl Caches {
    /// Returns the unread counts of a user in a workspace.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn unread(&self, user_id: UserId, workspace_id: WorkspaceId, min_position: i64) -> Result<Unread, QueryError> {
        if let Some(unread) = self.cached_unread(user_id, workspace_id, min_position).await? {
            return Ok(unread);
        }
        let position = self.relational_position().await?;
        Ok(Unread { position, channels: self.read.unread(user_id, workspace_id).await? })
    }

    /// Returns the same counts from the cache, or `None` if the cache cannot answer.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn cached_unread(&self, user_id: UserId, workspace_id: WorkspaceId, min_position: i64) -> Result<Option<Unread>, QueryError> {
        let Some(valid) = self.generations.valid_at(min_position).await else { return Ok(self.missed()) };
        for _ in 0..ROUNDS_MAX {
            // Each round fills in under a token of its own.
            let of = WorkspaceCache::workspace(&self.stores.redis, valid.generation, workspace_id);
            let Some((outcome, mut found)) = self.read_unread(&of, user_id).await else { return Ok(self.missed()) };
            match outcome.as_str() {
                "hit" if self.generations.is_still_valid(valid) => {
                    let channels = found.chunks_exact(2).filter(|pair| pair[0] != "!").map(parse_channel).collect::<Option<Vec<_>>>();
                    return Ok(channels.and_then(|channels| self.hit(Unread { position: valid.position, channels: in_order(channels) })));
                }
                "fill" => self.fill_places(&of, user_id, workspace_id, &found.pop().unwrap_or_default()).await?,
                "logs" => {
                    let token = found.remove(0);
                    self.fill_logs(&of, &token, &found).await?;
                }
                _ => return Ok(self.missed()),
            }
        }
        Ok(self.missed())
    }

    async fn read_unread(&self, of: &WorkspaceCache<'_>, user_id: UserId) -> Option<ScriptAnswer> {
        let mut call = of.call(&SCRIPTS.read_unread);
        call.arg(user_id.0.simple().to_string()).arg(UNREAD_MAX);
        self.stores.redis.run(&SCRIPTS.read_unread, &call).await.ok()
    }

    async fn fill_places(
        &self,
        of: &WorkspaceCache<'_>,
        user_id: UserId,
        workspace_id: WorkspaceId,
        token: &str,
    ) -> Result<(), QueryError> {
        // Read before the starts, so that they are as of this position or later.
        let position = self.relational_position().await?;
        let places = self.read.unread_places(user_id, workspace_id, None).await?;
        let mut call = of.call(&SCRIPTS.fill_places);
        call.arg(user_id.0.simple().to_string()).arg(token).arg(position).arg(PLACES_TTL_SECONDS);
        for place in &places {
            call.arg(place.channel_id.simple().to_string()).arg(place.value());
        }
        self.filled(self.stores.redis.run(&SCRIPTS.fill_places, &call).await);
        Ok(())
    }

    /// Fills in the messages that counts are computed from. `wanted` holds each channel, and how many of its messages
    /// are needed.
    async fn fill_logs(&self, of: &WorkspaceCache<'_>, token: &str, wanted: &[String]) -> Result<(), QueryError> {
        let wanted = wanted
            .chunks_exact(2)
            .filter_map(|pair| Some((pair[0].parse::<Uuid>().ok()?, if pair[1] == "deep" { LOG_MESSAGES } else { LOG_MESSAGES_FIRST })));
        let (channels, depths): (Vec<Uuid>, Vec<i64>) = wanted.unzip();
        // Read before the messages, so that they are as of this position or later.
        let position = self.relational_position().await?;
        let logs = self.read.unread_logs(&channels, &depths).await?;
        let fills = logs.into_iter().map(|log| {
            let mut call = of.call(&SCRIPTS.fill_log);
            call.arg(log.channel_id.simple().to_string()).arg(token).arg(position).arg(LOG_TTL_SECONDS).arg(&log.floor);
            for message in &log.messages {
                message.write(&mut call);
            }
            async move { self.filled(self.stores.redis.run(&SCRIPTS.fill_log, &call).await) }
        });
        drop(join_all(fills).await);
        Ok(())
    }
}

/// The messages that a channel's unread counts are computed from.
struct UnreadLog {
    channel_id: Uuid,
    /// All messages after this place are included.
    floor: String,
    messages: Vec<CountedMessage>,
}

/// The parts of a message that counting needs.
pub(super) struct CountedMessage {
    place: String,
    author: Uuid,
    counts: bool,
    mentions: String,
}

impl CountedMessage {
    /// Adds the message to a call: its place, its author, whether it counts, and whom it mentions.
    fn write(&self, call: &mut redis::Cmd) {
        call.arg(&self.place).arg(self.author.simple().to_string()).arg(u8::from(self.counts)).arg(&self.mentions);
    }
}

impl ReadModels {
    async fn unread_logs(&self, channels: &[Uuid], depths: &[i64]) -> Result<Vec<UnreadLog>, QueryError> {
        let rows_max = depths.iter().map(|depth| depth + 1).collect::<Vec<_>>();
        let newest = query_file!("src/cache/sql/newest_messages.sql", channels, &rows_max).fetch_all(&self.pool).await?;
        let mut logs =
            channels.iter().map(|id| UnreadLog { channel_id: *id, floor: String::new(), messages: Vec::new() }).collect::<Vec<_>>();
        let index = channels.iter().enumerate().map(|(n, id)| (*id, n)).collect::<std::collections::HashMap<_, _>>();
        let (mut since_at, mut since_id) = (vec![DateTime::<Utc>::UNIX_EPOCH; channels.len()], vec![Uuid::nil(); channels.len()]);
        for row in newest {
            let Some(n) = index.get(&row.channel_id).copied() else { continue };
            if i64::try_from(logs[n].messages.len()).unwrap_or(i64::MAX) < depths[n] {
                let place = place(row.created_at, row.message_id);
                logs[n].messages.push(CountedMessage { place, author: row.user_id, counts: true, mentions: String::new() });
            } else {
                logs[n].floor = place(row.created_at, row.message_id);
                (since_at[n], since_id[n]) = (row.created_at, row.message_id);
            }
        }
        let mentioning = query_file!("src/cache/sql/mentioning_messages.sql", channels, &since_at, &since_id).fetch_all(&self.pool).await?;
        for row in mentioning {
            let mentions = mentions_of(Some(&row.formatted_content));
            if let Some(n) = index.get(&row.channel_id).copied().filter(|_| !mentions.is_empty()) {
                let place = place(row.created_at, row.message_id);
                logs[n].messages.push(CountedMessage { place, author: row.user_id, counts: false, mentions });
            }
        }
        Ok(logs)
    }
}

/// The users that a text mentions, separated by commas. Everyone in the channel is `*`. A `<!here>` does not count: it
/// is not known afterwards which members were present.
pub(super) fn mentions_of(formatted: Option<&Value>) -> String {
    let formatted = formatted.and_then(|json| FormattedContent::deserialize(json).ok());
    let Some(formatted) = formatted else { return String::new() };
    if formatted.broadcasts.iter().any(|broadcast| matches!(broadcast, Broadcast::Channel | Broadcast::Everyone)) {
        return "*".to_owned();
    }
    formatted.mentions.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>().join(",")
}

/// Whether a message counts in the channel itself.
pub(super) fn is_written_by_a_person(message_type: &str) -> bool {
    message_type != Kind::System.as_str()
}

/// Reads one channel of the script's answer: its identifier, and
/// `<place>|<level>|<marker>|<messages>|<mentions>|<more>|<version>`.
fn parse_channel(pair: &[String]) -> Option<ChannelUnread> {
    let [channel, value] = pair else { return None };
    let mut parts = value.get(PLACE_CHARS + 1..)?.split('|');
    Some(ChannelUnread {
        channel_id: channel.parse().ok()?,
        notification_level: parts.next()?.to_owned(),
        last_read_message_id: parts.next().and_then(|id| id.parse().ok()),
        unread: parts.next()?.parse().ok()?,
        mentions: parts.next()?.parse().ok()?,
        more: parts.next()? == "1",
    })
}

fn in_order(mut channels: Vec<ChannelUnread>) -> Vec<ChannelUnread> {
    channels.sort_unstable_by_key(|channel| channel.channel_id);
    channels
}
