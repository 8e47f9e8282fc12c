//! The row of a message that was just posted, made from its event and its author, for the answer to the post. It is
//! equal to the row that queries return as soon as the event is projected.

use chrono::{DateTime, Utc};
use domain::User;
use domain::ids::MessageId;
use domain::message::Posting;
use domain::user::Registration;
use sqlx::types::Json;

use super::record::MessageRecord;
use super::rows::MessageRow;
use crate::relational::stamp::{EventStamp, to_micros};

impl MessageRow {
    /// The row of the message that `author` posted with an event that was recorded at this position and time.
    #[must_use]
    pub fn posted(message_id: MessageId, (position, recorded_at): (i64, DateTime<Utc>), posting: &Posting, author: &User) -> Self {
        let at = to_micros(recorded_at);
        let record = MessageRecord::posted(message_id.0, EventStamp { position, at, recorded_at: at }, posting);
        let author = author.registration.as_ref();
        let name = |name: fn(&Registration) -> String| author.map(name);
        Self {
            message_id: record.message_id,
            channel_id: record.channel_id,
            workspace_id: Some(record.workspace_id),
            user_id: record.user_id,
            username: name(|author| author.username.to_string()),
            display_name: name(|author| author.profile.display_name.to_string()),
            avatar_url: author.and_then(|author| author.profile.avatar_url.as_ref()).map(ToString::to_string),
            is_erased: false,
            formatted_content: record.formatted_content.as_deref().and_then(|json| serde_json::from_str(json).ok()),
            content: record.content,
            message_type: record.message_type,
            thread_id: record.thread_id,
            reply_count: record.reply_count,
            thread: None,
            is_pinned: false,
            pinned_at: None,
            pinned_by: None,
            is_deleted: false,
            deleted_at: None,
            reactions: Json(Vec::new()),
            edited_at: record.edited_at,
            edited_by: record.edited_by,
            client_msg_id: None,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}
