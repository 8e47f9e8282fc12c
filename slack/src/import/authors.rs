//! The author of a message, and the other people in it.

use domain::ids::UserId;
use domain::message::Kind;

use super::model::{SlackMessage, SlackProfile, some};
use super::names::line;
use super::people::{People, UnlistedPerson};

/// The identifier of the author of messages without one.
const UNKNOWN_AUTHOR: &str = "unknown-author";
/// The longest name of a bot, in characters.
const BOT_NAME_CHARS_MAX: usize = 200;

/// The author of a message, according to the export.
pub(super) fn author(message: &SlackMessage) -> UnlistedPerson {
    let person = [
        message.user.as_ref(),
        message.comment.as_ref().and_then(|c| c.user.as_ref()),
        message.file.as_ref().and_then(|f| f.user.as_ref()),
    ];
    let person = person.into_iter().find_map(some);
    let program = some(message.bot_id.as_ref());
    let called = some(message.username.as_ref());
    match (person, program, called) {
        (Some(slack_id), program, _) => UnlistedPerson {
            slack_id: slack_id.into(),
            name: name_in(message.user_profile.as_ref()).or_else(|| name_of_program(message)),
            is_bot: program.is_some() || slack_id == "USLACKBOT",
            avatar: message.user_profile.as_ref().and_then(|profile| profile.image_72.clone()),
        },
        (None, Some(slack_id), _) => {
            UnlistedPerson { slack_id: slack_id.into(), name: name_of_program(message), is_bot: true, avatar: None }
        }
        // Bots of old exports have a name only.
        (None, None, Some(name)) => UnlistedPerson { slack_id: format!("bot:{name}"), name: Some(name.into()), is_bot: true, avatar: None },
        (None, None, None) => {
            UnlistedPerson { slack_id: UNKNOWN_AUTHOR.into(), name: Some("Unknown author".into()), is_bot: false, avatar: None }
        }
    }
}

/// The name under which a program posts.
fn name_of_program(message: &SlackMessage) -> Option<String> {
    some(message.username.as_ref()).map(str::to_owned).or_else(|| name_in(message.bot_profile.as_ref()))
}

/// The name under which a bot posts, in one line. Nobody else has one.
pub(super) fn name_of_bot(message: &SlackMessage, kind: Kind) -> Option<String> {
    let name = Some(message).filter(|_| kind == Kind::Bot).and_then(name_of_program);
    name.map(|name| line(&name, BOT_NAME_CHARS_MAX)).filter(|name| !name.is_empty())
}

fn name_in(profile: Option<&SlackProfile>) -> Option<String> {
    let profile = profile?;
    [&profile.display_name, &profile.real_name, &profile.name].into_iter().find_map(|name| some(name.as_ref())).map(str::to_owned)
}

/// The people in a message that need a user and have none: its author, and those who reacted to it or pinned it.
pub(super) fn unlisted(message: &SlackMessage, people: &People) -> Vec<UnlistedPerson> {
    let others = message.reactions.iter().flat_map(|reaction| &reaction.users);
    let others = others.chain(message.pinned_info.as_ref().and_then(|info| info.pinned_by.as_ref()));
    let others = others.filter(|id| !id.trim().is_empty() && people.find(id).is_none());
    let others = others.map(|id| UnlistedPerson { slack_id: id.clone(), name: None, is_bot: false, avatar: None });
    let author = Some(author(message)).filter(|author| people.find(&author.slack_id).is_none());
    author.into_iter().chain(others).collect()
}

/// The author's user, or the importer if the author has none.
pub(super) fn author_id(message: &SlackMessage, people: &People, otherwise: UserId) -> UserId {
    people.find(&author(message).slack_id).unwrap_or(otherwise)
}
