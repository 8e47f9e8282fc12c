//! Messages: posting, reading, editing and deleting them. Reactions and pins are in `reactions.rs` and `pins.rs`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, Responder, delete, get, patch, post, put};
use chrono::{DateTime, SubsecRound, Utc};
use commands::{CommandError, CommandRefusal, Commands, IdempotencyKey, Posted};
use domain::ids::{ChannelId, MessageId};
use domain::message::NewMessage;
use domain::text::{ClientMsgId, MessageBody, Reason};
use domain::{MessageCommand, MessageRefusal};
use projections::cache::Caches;
use projections::relational::messages::{Cursor as Place, HistoryPage, MessageDetail, MessageRow};
use projections::{Progress, ReadModels};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, IfMatchHeader, IfNoneMatchHeader, QueryHeaders};
use super::path::{ChannelPath, MessagePath};
use super::with::{MessagePart, Shown};
use crate::extract::{Body, Checks, Command, Cursor, List, Query, QueryAnswer, Reading, Tagged, catch_up, page_limit, parts, read_place};
use crate::problem::Problem;
use crate::signals::Signals;

/// The message to post.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostMessage {
    /// The text. Write `<@user_id>` to mention a person, `<#channel_id>` for a channel, `<!channel>` for everyone.
    #[schema(min_length = 1, max_length = 40000, example = "Hello team!")]
    content: String,
    /// The message to reply to, in its thread.
    #[schema(value_type = Option<Uuid>)]
    thread_id: Option<MessageId>,
    /// The client's identifier of the message. The same identifier means the same message. It serves as the
    /// `Idempotency-Key` if there is none.
    #[schema(min_length = 1, max_length = 100)]
    client_msg_id: Option<String>,
}

impl PostMessage {
    fn parse(&self, now: DateTime<Utc>) -> Result<NewMessage, Problem> {
        let mut checks = Checks::default();
        let content = checks.note(MessageBody::parse(&self.content));
        let client_msg_id = checks.note(self.client_msg_id.as_deref().map(ClientMsgId::parse).transpose());
        let (Some(content), Some(client_msg_id)) = (content, client_msg_id) else { return Err(checks.refusal()) };
        let sent_at = now.trunc_subsecs(6);
        Ok(NewMessage { message_id: MessageId::at(sent_at, rand::random()), content, thread_id: self.thread_id, client_msg_id, sent_at })
    }
}

/// Post a message
///
/// Members of the channel with the permission `message.post` may post. Send a `client_msg_id`: if the answer is lost,
/// the same request again posts nothing twice. A post to a thread names the message that began it. An archived channel
/// takes no posts.
#[utoipa::path(tag = "messages", request_body = PostMessage, params(ChannelPath, CommandHeaders),
    responses((status = 201, description = "The message is posted.", body = MessageRow), RowFollows))]
#[post("/channels/{channel_id}/messages")]
pub async fn post_message(
    path: Path<ChannelPath>,
    command: Command<Body<PostMessage>>,
    commands: Data<Commands>,
    thread: ThreadParts,
    rows: CommandRows,
    signals: Data<Signals>,
) -> Result<Done<MessageRow>, Problem> {
    let new = command.body.input.parse(commands.store().clock().now())?;
    let asked = command.asked_once_as(new.client_msg_id.as_ref().and_then(|name| client_key(path.channel_id, name)));
    let client_msg_id = new.client_msg_id.as_ref().map(ToString::to_string);
    let posted = match commands.post(&asked, path.channel_id, new.clone(), None).await {
        Err(CommandError::Refused(CommandRefusal::Message(refusal @ MessageRefusal::ThreadNotFound))) => {
            catch_up(&commands, &thread.progress).await?;
            let earlier = earlier_answer(&thread.read_models, &new).await?.ok_or(CommandError::from(refusal))?;
            commands.post(&asked, path.channel_id, new, Some(earlier)).await?
        }
        outcome => outcome?,
    };
    signals.typing_ended(command.actor.user_id, path.channel_id);
    let Posted { appended, message } = posted;
    let message_id = appended.id.into();
    let row = match message {
        // The read model follows later: a post does not wait for it.
        Some(posted) => Some(MessageRow::posted(message_id, (appended.position, appended.recorded_at), &posted.posting, &posted.author)),
        None => rows.message(By(command.actor.user_id, &appended), message_id).await,
    };
    let row = row.map(|row| MessageRow { client_msg_id, ..row });
    Ok(Done::created(appended, format!("/v1/messages/{message_id}"), row))
}

parts! {
    /// The parts that an answer in the thread of a deleted message needs.
    pub struct ThreadParts {
        read_models: ReadModels,
        progress: Progress,
    }
}

/// An answer in the thread of the new message. The thread of a deleted message goes on if it has one: the write side
/// does not know the answers of a message, so it checks this one.
async fn earlier_answer(read_models: &ReadModels, new: &NewMessage) -> Result<Option<MessageId>, Problem> {
    let Some(root) = new.thread_id else { return Ok(None) };
    let thread = read_models.thread(root, HistoryPage::Latest, 1).await?;
    Ok(thread.and_then(|thread| thread.replies.last().map(|answer| answer.message_id.into())))
}

/// The idempotency key that is made from the client's identifier of the message. If the identifier cannot be part of a
/// key, the key has its hash.
fn client_key(channel_id: ChannelId, name: &ClientMsgId) -> Option<IdempotencyKey> {
    let key = |name: &str| IdempotencyKey::parse(&format!("client_msg_id:{channel_id}:{name}")).ok();
    key(name.as_str()).or_else(|| key(&format!("sha256:{}", hex::encode(Sha256::digest(name.as_str())))))
}

/// The page of messages. Without `before`, `after` and `around`, the newest page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The previous page: the `previous` cursor of an answer.
    before: Option<String>,
    /// The next page: the `next` cursor of an answer.
    after: Option<String>,
    /// The page around this message, which must be in the list.
    #[param(value_type = Option<Uuid>)]
    around: Option<MessageId>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
    /// The parts that the messages have: `names` of people, `workspace`, or `none`. By default they have all. A message with
    /// a text of 86 bytes has about 600 bytes with all parts, and about 400 with none.
    #[param(inline, value_type = Vec<MessagePart>, style = Form, explode = false, required = false)]
    with: Option<List<MessagePart>>,
}

impl HistoryQuery {
    pub(super) fn shown(&self) -> Shown {
        Shown::of(self.with.as_ref(), Shown::ALL)
    }

    pub(super) fn parse(&self) -> Result<(HistoryPage, u16), Problem> {
        let mut checks = Checks::default();
        let limit = checks.note(page_limit(self.limit));
        let before = checks.note(read_place("before", self.before.as_deref()));
        let after = checks.note(read_place("after", self.after.as_deref()));
        let (Some(limit), Some(before), Some(after)) = (limit, before, after) else { return Err(checks.refusal()) };
        let page = match (before, after, self.around) {
            (None, None, None) => HistoryPage::Latest,
            (Some(place), None, None) => HistoryPage::Before(place),
            (None, Some(place), None) => HistoryPage::After(place),
            (None, None, Some(message_id)) => HistoryPage::Around(message_id),
            _ => {
                return Err(Problem::malformed(
                    "request.query_invalid",
                    Some("before".into()),
                    "before, after and around exclude each other: send one of them",
                ));
            }
        };
        Ok((page, limit))
    }
}

/// Refuses a page around a message that is not in the list, or not there at all: it is empty.
pub(super) fn reject_unless_in_list(page: HistoryPage, rows: &[MessageRow]) -> Result<(), Problem> {
    match page {
        HistoryPage::Around(_) if rows.is_empty() => {
            let detail = "there is no such message in this list: around must be one of its messages";
            Err(Problem::not_found("message.not_found", detail).in_field("around"))
        }
        HistoryPage::Around(_) | HistoryPage::Latest | HistoryPage::Before(_) | HistoryPage::After(_) => Ok(()),
    }
}

/// A page of messages, oldest first.
#[derive(Serialize, ToSchema)]
pub struct MessagePage {
    /// The messages.
    items: Vec<MessageRow>,
    /// The cursor of the previous page (`before`). Absent if there are no older messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// The cursor of the next page (`after`). The newest page has it too; later messages come after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl MessagePage {
    /// Cuts a page out of `rows`. They are one more than the limit if there is a further page: the surplus row is at
    /// the end towards which the page was read.
    pub(super) fn cut(mut rows: Vec<MessageRow>, page: HistoryPage, limit: u16) -> Self {
        let limit = usize::from(limit);
        let more = rows.len() > limit;
        let mut older = more;
        match page {
            HistoryPage::Latest | HistoryPage::Before(_) if more => drop(rows.drain(..rows.len() - limit)),
            HistoryPage::Latest | HistoryPage::Before(_) => {}
            HistoryPage::After(_) | HistoryPage::Around(_) => {
                rows.truncate(limit);
                older = !rows.is_empty();
            }
        }
        let cursor = |row: &MessageRow| Cursor(row.cursor()).to_string();
        let next = match (rows.last(), page) {
            (Some(row), _) => Some(cursor(row)),
            // There are no later messages yet: the cursor stays the same.
            (None, HistoryPage::After(place)) => Some(Cursor(place).to_string()),
            (None, _) => None,
        };
        Self { previous: rows.first().filter(|_| older).map(cursor), next, items: rows }
    }

    /// The page with these parts of the messages only.
    pub(super) fn showing(self, shown: Shown) -> Self {
        Self { items: shown.of_messages(self.items), ..self }
    }
}

/// List a channel's messages, oldest first, without replies
///
/// Everybody who may see the channel may read it. Without a cursor, the answer is the newest page. A deleted message is
/// listed, without its text, if it has replies. Replies are in the thread of their message (`get_thread`).
#[utoipa::path(tag = "messages", params(ChannelPath, HistoryQuery, QueryHeaders),
    responses((status = 200, description = "The page.", body = MessagePage)))]
#[get("/channels/{channel_id}/messages")]
pub async fn list_messages(
    path: Path<ChannelPath>,
    query: Query<HistoryQuery>,
    reading: Reading,
    request: HttpRequest,
    caches: Data<Caches>,
    read_models: Data<ReadModels>,
) -> Result<HttpResponse, Problem> {
    let workspace_id = reading.access.channel(path.channel_id).await?;
    let ((page, limit), shown) = (query.parse()?, query.shown());
    if page == HistoryPage::Latest {
        let recent = caches.recent_messages(workspace_id, path.channel_id, limit + 1, reading.min_position).await?;
        if let Some((position, json)) = recent.and_then(|recent| Some((recent.position, newest_page(recent.rows, limit, shown)?))) {
            return Ok(Reading::answer_json_at(position, json));
        }
    }
    let rows = read_models.history(path.channel_id, page, limit + 1).await?;
    reject_unless_in_list(page, &rows)?;
    Ok(reading.answer(MessagePage::cut(rows, page, limit).showing(shown)).respond_to(&request))
}

/// The same page as [`MessagePage::cut`] gives, from rows that are already JSON. `None` if one of them cannot be read.
fn newest_page(mut rows: Vec<(Place, String)>, limit: u16, shown: Shown) -> Option<String> {
    let surplus = rows.len().saturating_sub(usize::from(limit));
    drop(rows.drain(..surplus));
    let cursor = |name: &str, place: Option<Place>| place.map(|place| format!(r#","{name}":"{}""#, Cursor(place))).unwrap_or_default();
    let (first, last) = (rows.first().map(|(place, _)| *place), rows.last().map(|(place, _)| *place));
    let mut json = String::with_capacity(rows.iter().map(|(_, row)| row.len() + 1).sum::<usize>() + 300);
    json.push_str(r#"{"items":["#);
    for (n, (_, row)) in rows.into_iter().enumerate() {
        json.push_str(if n == 0 { "" } else { "," });
        json.push_str(&shown.of_json(row)?);
    }
    json.push(']');
    json.push_str(&cursor("previous", first.filter(|_| surplus > 0)));
    json.push_str(&cursor("next", last));
    json.push('}');
    Some(json)
}

/// A thread.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageThread)]
pub struct Thread {
    /// The message that began the thread.
    root: MessageRow,
    /// A page of the replies.
    replies: MessagePage,
}

/// Get a thread: its first message, and a page of its replies, oldest first
///
/// Everybody who may see the channel may read it. The identifier is that of the message that began the thread. Without
/// a cursor, the answer has the newest page of replies.
#[utoipa::path(tag = "messages", params(MessagePath, HistoryQuery, QueryHeaders), responses((status = 200, description = "The thread.", body = Thread)))]
#[get("/messages/{message_id}/thread")]
pub async fn get_thread(
    path: Path<MessagePath>,
    query: Query<HistoryQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Thread>, Problem> {
    reading.access.message(path.message_id).await?;
    let (page, limit) = query.parse()?;
    let thread = reading.row(async || read_models.thread(path.message_id, page, limit + 1).await).await?;
    if page != HistoryPage::Around(path.message_id) {
        reject_unless_in_list(page, &thread.replies)?;
    }
    let shown = query.shown();
    let replies = MessagePage::cut(thread.replies, page, limit).showing(shown);
    Ok(reading.answer(Thread { root: shown.of_message(thread.root), replies }))
}

/// Get a message with its earlier texts
///
/// Everybody who may see the channel may read it. The answer has the latest five earlier texts; `list_edits` has all. A
/// deleted message has no text. An archived message is in the archive only.
#[utoipa::path(tag = "messages", params(MessagePath, QueryHeaders, IfNoneMatchHeader), responses(
    (status = 200, description = "The message.", body = MessageDetail, headers(("ETag", description = "For `If-Match` and `If-None-Match`."))),
    (status = 304, description = "The row is the one that `If-None-Match` names.")))]
#[get("/messages/{message_id}")]
pub async fn get_message(
    path: Path<MessagePath>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<Tagged<MessageDetail>, Problem> {
    reading.access.message(path.message_id).await?;
    let message = reading.row(async || read_models.message(path.message_id).await).await?;
    Ok(reading.answer_row(message.position, message))
}

/// The new text of a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditMessage {
    /// The text.
    #[schema(min_length = 1, max_length = 40000, example = "Hello, team!")]
    content: String,
}

/// Edit the caller's message
///
/// Only the author may do this, and within the time that the workspace allows (`edit_window_minutes`). The earlier text
/// stays in the message's history. The same text again changes nothing.
#[utoipa::path(tag = "messages", request_body = EditMessage, params(MessagePath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The message with its new text.", body = MessageRow), RowFollows))]
#[patch("/messages/{message_id}")]
pub async fn edit_message(
    path: Path<MessagePath>,
    command: Command<Body<EditMessage>>,
    rows: CommandRows,
) -> Result<Done<MessageRow>, Problem> {
    let content = MessageBody::parse(&command.body.input.content)?;
    rows.change_message(&command, path.message_id, MessageCommand::Edit { content }).await
}

/// Delete a message
///
/// The author may do this, and members with the permission `message.delete_any`. If the message has replies, a message
/// without text stays in its place. Deleting a deleted message changes nothing.
#[utoipa::path(tag = "messages", params(MessagePath, CommandHeaders, IfMatchHeader),
    responses((status = 204, description = "The message is deleted.")))]
#[delete("/messages/{message_id}")]
pub async fn delete_message(path: Path<MessagePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, MessageCommand::Delete).await?))
}

/// The reason to purge a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeMessage {
    /// The reason: the law, the order, and the person who requested it.
    #[schema(min_length = 1, max_length = 1000, example = "Decision of the court of 3 March, case 2026/114")]
    reason: String,
}

/// Purge a message: remove its text for legal reasons
///
/// Requires the permission `message.purge`, which only owners have. The text leaves the tables, caches and indices at
/// once, and the log within seconds. The record that there was a message stays. A legal hold prevents a purge. A purge
/// cannot be undone.
#[utoipa::path(tag = "messages", request_body = PurgeMessage, params(MessagePath, CommandHeaders),
    responses((status = 204, description = "The message is purged.")))]
#[put("/messages/{message_id}/purge")]
pub async fn purge_message(
    path: Path<MessagePath>,
    command: Command<Body<PurgeMessage>>,
    commands: Data<Commands>,
) -> Result<Done, Problem> {
    let purge = MessageCommand::Purge { reason: Reason::parse(&command.body.input.reason)? };
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, purge).await?))
}
