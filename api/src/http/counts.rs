//! Unread counts, as `GET …/unread` and the frames of sockets have them.

use commands::ReadAccess;
use domain::ids::WorkspaceId;
use projections::cache::{Caches, ChannelUnread, Unread};

use crate::problem::Problem;

/// The unread and the mentions of all channels together, as the notification level of each channel counts them.
pub(crate) fn totals(channels: &[ChannelUnread]) -> (i64, i64) {
    let sum = |levels: &[&str], count: fn(&ChannelUnread) -> i64| {
        channels.iter().filter(|channel| levels.contains(&channel.notification_level.as_str())).map(count).sum()
    };
    (sum(&["all"], |channel| channel.unread), sum(&["all", "mentions"], |channel| channel.mentions))
}

/// The counts of the channels that the user may read.
///
/// # Errors
/// The counts cannot be read.
pub(crate) async fn readable_unread(
    caches: &Caches,
    access: &ReadAccess,
    workspace_id: WorkspaceId,
    min_position: i64,
) -> Result<Unread, Problem> {
    let mut unread = caches.unread(access.user_id(), workspace_id, min_position).await?;
    let channels = unread.channels.iter().map(|channel| channel.channel_id.into()).collect::<Vec<_>>();
    let readable = access.recent().await?.readable_channels(&channels).await?;
    unread.channels.retain(|channel| readable.contains(&channel.channel_id.into()));
    Ok(unread)
}
