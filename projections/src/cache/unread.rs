//! The seed's `unread_counts:{user}:{workspace}`: what somebody has not read in each of their channels.
//!
//! The seed keeps a number for each person and channel, so that a post in a channel of ten thousand members is ten thousand writes. Here the
//! hash says where counting begins, and each channel has one sorted set of its newest messages (`unread_log:{channel}`), so that a post is
//! one write and a person's counts are computed when they are asked for, all in one script. What was counted stays beside the place, with a
//! version of the channel's messages (`unread_versions`), so that only what has changed since is counted again.

use chrono::{DateTime, Utc};
use domain::formatting::{Broadcast, FormattedContent};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::message::Kind;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{query_file, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caches::Caches;
use super::place::{PLACE_CHARS, place};
use super::scripts::{Found, Of, SCRIPTS};
use crate::read_models::{QueryError, ReadModels};

/// The most messages that are counted in a channel. Where there are more, the answer says so.
pub const UNREAD_MAX: i64 = 1_000;
/// How many messages of a channel are kept to count at first: most people have read most.
const SHALLOW: i64 = 200;
/// How many are kept for whoever has not, with some to spare for deletions.
pub(super) const DEEP: i64 = 1_250;
/// How many there may be before the surplus goes.
pub(super) const DEEP_MAX: i64 = 1_400;
/// For how long it is kept where counting begins, in seconds.
pub(super) const PLACES_TTL_SECONDS: u64 = 3_600;
/// For how long messages are kept to be counted, in seconds.
const LOG_TTL_SECONDS: u64 = 86_400;
/// How often a reading may go back to the cache after it has filled something in.
const ROUNDS_MAX: usize = 4;

/// What somebody has not read in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelUnread {
    /// The channel.
    pub channel_id: Uuid,
    /// `all`, `mentions` or `none`.
    pub notification_level: String,
    /// The message that they have read up to, where they have said so since they joined.
    pub last_read_message_id: Option<Uuid>,
    /// Messages after that, or after joining: neither their own nor deleted ones, and without answers in threads.
    #[schema(minimum = 0, maximum = 1000)]
    pub unread: i64,
    /// Messages after that which mention them, or everyone in the channel; answers in threads too.
    #[schema(minimum = 0)]
    pub mentions: i64,
    /// Whether there are more than the newest thousand messages: the figures are of those.
    pub more: bool,
}

/// What somebody has not read in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// It is as of this position, or later.
    pub position: i64,
    /// Their channels, in order of identifiers.
    pub channels: Vec<ChannelUnread>,
}

/// Where somebody's count in a channel begins.
pub(super) struct Place {
    channel_id: Uuid,
    notification_level: String,
    marker: Option<Uuid>,
    since_at: DateTime<Utc>,
    since_id: Uuid,
}

impl Place {
    /// As it is kept.
    pub(super) fn value(&self) -> String {
        let marker = self.marker.map(|id| id.to_string()).unwrap_or_default();
        format!("{}|{}|{marker}", place(self.since_at, self.since_id), self.notification_level)
    }
}

impl ReadModels {
    /// What somebody has not read in a workspace, counted from the read tables and the markers.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn unread(&self, user_id: UserId, workspace_id: WorkspaceId) -> Result<Vec<ChannelUnread>, QueryError> {
        let places = self.unread_places(user_id, workspace_id, None).await?;
        let channels = places.iter().map(|place| place.channel_id).collect::<Vec<_>>();
        let since_at = places.iter().map(|place| place.since_at).collect::<Vec<_>>();
        let since_id = places.iter().map(|place| place.since_id).collect::<Vec<_>>();
        let file = query_file!("src/cache/sql/count_unread.sql", user_id.0, workspace_id.0, &channels, &since_at, &since_id, UNREAD_MAX);
        let counted =
            file.fetch_all(&self.pool).await?.into_iter().map(|row| (row.channel_id, row)).collect::<std::collections::HashMap<_, _>>();
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

    /// Where somebody's counts begin, in all their channels of a workspace or in one.
    pub(super) async fn unread_places(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        channel_id: Option<ChannelId>,
    ) -> Result<Vec<Place>, QueryError> {
        let file =
            query_file_as!(Place, "src/cache/sql/unread_places.sql", user_id.0, workspace_id.0, channel_id.map(|id| id.0) as Option<Uuid>);
        Ok(file.fetch_all(&self.pool).await?)
    }
}

impl Caches {
    /// What somebody has not read in a workspace.
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

    /// The same, where the cache can answer.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn cached_unread(&self, user_id: UserId, workspace_id: WorkspaceId, min_position: i64) -> Result<Option<Unread>, QueryError> {
        let Some(believed) = self.trust.now(min_position).await else { return Ok(self.missed()) };
        for _ in 0..ROUNDS_MAX {
            // Each round fills in under a name of its own.
            let of = Of::workspace(&self.stores.redis, believed.generation, workspace_id);
            let Some((outcome, mut found)) = self.read_unread(&of, user_id).await else { return Ok(self.missed()) };
            match outcome.as_str() {
                "hit" if self.trust.holds(believed) => {
                    let channels = found.chunks_exact(2).filter(|pair| pair[0] != "!").map(counted).collect::<Option<Vec<_>>>();
                    return Ok(channels.and_then(|channels| self.hit(Unread { position: believed.position, channels: in_order(channels) })));
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

    async fn read_unread(&self, of: &Of<'_>, user_id: UserId) -> Option<Found> {
        let mut call = of.call(&SCRIPTS.read_unread);
        call.arg(user_id.0.simple().to_string()).arg(UNREAD_MAX);
        self.stores.redis.run(&SCRIPTS.read_unread, &call).await.ok()
    }

    async fn fill_places(&self, of: &Of<'_>, user_id: UserId, workspace_id: WorkspaceId, token: &str) -> Result<(), QueryError> {
        // Before the places: what they are read at is not before this.
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

    /// Fills in the messages of channels that counts are computed from. `wanted` has each channel, and how many messages of it.
    async fn fill_logs(&self, of: &Of<'_>, token: &str, wanted: &[String]) -> Result<(), QueryError> {
        let wanted =
            wanted.chunks_exact(2).filter_map(|pair| Some((pair[0].parse::<Uuid>().ok()?, if pair[1] == "deep" { DEEP } else { SHALLOW })));
        let (channels, depths): (Vec<Uuid>, Vec<i64>) = wanted.unzip();
        // Before the messages: what they are read at is not before this.
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

/// What unread counts of a channel are computed from.
struct UnreadLog {
    channel_id: Uuid,
    /// Everything after this place is here.
    floor: String,
    messages: Vec<Counted>,
}

/// A message, as far as counting goes.
pub(super) struct Counted {
    place: String,
    author: Uuid,
    counts: bool,
    mentions: String,
}

impl Counted {
    /// Adds it to a call: its place, its author, whether it counts, and whom it mentions.
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
                logs[n].messages.push(Counted { place, author: row.user_id, counts: true, mentions: String::new() });
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
                logs[n].messages.push(Counted { place, author: row.user_id, counts: false, mentions });
            }
        }
        Ok(logs)
    }
}

/// Whom a text mentions, with commas: everyone in the channel is `*`. Who is present just now (`<!here>`) nobody can tell afterwards: it
/// does not count.
pub(super) fn mentions_of(formatted: Option<&Value>) -> String {
    let formatted = formatted.and_then(|json| FormattedContent::deserialize(json).ok());
    let Some(formatted) = formatted else { return String::new() };
    if formatted.broadcasts.iter().any(|broadcast| matches!(broadcast, Broadcast::Channel | Broadcast::Everyone)) {
        return "*".to_owned();
    }
    formatted.mentions.iter().map(|id| id.0.simple().to_string()).collect::<Vec<_>>().join(",")
}

/// Whether a message counts where it stands in the channel itself.
pub(super) fn is_said_by_somebody(message_type: &str) -> bool {
    message_type != Kind::System.as_str()
}

/// One channel of the answer of the script: it, and `<place>|<level>|<marker>|<messages>|<mentions>|<more>|<version>`.
fn counted(pair: &[String]) -> Option<ChannelUnread> {
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
