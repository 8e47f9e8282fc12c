//! What is said in a channel when something happens in it.

use crate::cast::{ANN, BOB};
use crate::channel::{ChannelEvent, ChannelSettings, MemberRole, NotificationLevel};
use crate::ids::UserId;
use crate::message::system_message;
use crate::text::{ChannelName, Topic};

fn said(event: &ChannelEvent) -> Option<(UserId, String, Vec<UserId>)> {
    let (about, content, formatted) = system_message(event, ANN)?;
    assert!(formatted.broadcasts.is_empty());
    Some((about, content.to_string(), formatted.mentions))
}

fn joined(invited_by: Option<UserId>) -> ChannelEvent {
    ChannelEvent::MemberJoined { user_id: BOB, role: MemberRole::Member, invited_by }
}

#[test]
fn joining_and_being_added_are_told() {
    assert_eq!(said(&joined(None)), Some((BOB, format!("<@{BOB}> joined the channel"), vec![BOB])));
    assert_eq!(said(&joined(Some(ANN))), Some((BOB, format!("<@{ANN}> added <@{BOB}>"), vec![ANN, BOB])));
}

#[test]
fn leaving_and_being_removed_are_told() {
    let left = ChannelEvent::MemberLeft { user_id: BOB };
    assert_eq!(said(&left), Some((BOB, format!("<@{BOB}> left the channel"), vec![BOB])));
    let removed = ChannelEvent::MemberRemoved { user_id: BOB, removed_by: ANN };
    assert_eq!(said(&removed), Some((BOB, format!("<@{ANN}> removed <@{BOB}>"), vec![ANN, BOB])));
}

#[test]
fn a_new_name_is_told() {
    let renamed = ChannelEvent::Renamed { name: ChannelName::parse("plans").expect("a name"), display_name: None };
    assert_eq!(said(&renamed), Some((ANN, format!("<@{ANN}> renamed the channel to plans"), vec![ANN])));
}

#[test]
fn a_topic_is_told_and_calls_nobody() {
    let topic = Topic::parse(&format!("tea with <@{BOB}> <!everyone>")).ok();
    let text = format!("<@{ANN}> set the topic: tea with <@{BOB}> <!everyone>");
    assert_eq!(said(&ChannelEvent::TopicChanged { topic }), Some((ANN, text, vec![ANN])));
    let cleared = Some((ANN, format!("<@{ANN}> cleared the topic"), vec![ANN]));
    assert_eq!(said(&ChannelEvent::TopicChanged { topic: None }), cleared);
}

#[test]
fn of_everything_else_nothing_is_said() {
    let quiet = [
        ChannelEvent::PurposeChanged { purpose: None },
        ChannelEvent::DescriptionChanged { description: None },
        ChannelEvent::SettingsChanged(ChannelSettings::default()),
        ChannelEvent::MemberRoleChanged { user_id: BOB, role: MemberRole::Admin },
        ChannelEvent::NotificationLevelChanged { user_id: BOB, level: NotificationLevel::None },
        ChannelEvent::Archived { by: ANN },
        ChannelEvent::Unarchived { by: ANN },
    ];
    for event in quiet {
        assert_eq!(said(&event), None, "{event:?}");
    }
}
