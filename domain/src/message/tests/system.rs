//! The system messages that report events of a channel.

use crate::channel::{ChannelEvent, ChannelSettings, MemberRole, NotificationLevel};
use crate::ids::UserId;
use crate::message::system_message;
use crate::test_data::{ANN, BOB};
use crate::text::{ChannelName, Topic};

fn reported(event: &ChannelEvent) -> Option<(UserId, String, Vec<UserId>)> {
    let (about, content, formatted) = system_message(event, ANN)?;
    assert!(formatted.broadcasts.is_empty());
    Some((about, content.to_string(), formatted.mentions))
}

fn joined(invited_by: Option<UserId>) -> ChannelEvent {
    ChannelEvent::MemberJoined { user_id: BOB, role: MemberRole::Member, invited_by }
}

#[test]
fn a_system_message_reports_that_a_user_joined_or_was_added() {
    assert_eq!(reported(&joined(None)), Some((BOB, format!("<@{BOB}> joined the channel"), vec![BOB])));
    assert_eq!(reported(&joined(Some(ANN))), Some((BOB, format!("<@{ANN}> added <@{BOB}>"), vec![ANN, BOB])));
}

#[test]
fn a_system_message_reports_that_a_member_left_or_was_removed() {
    let left = ChannelEvent::MemberLeft { user_id: BOB };
    assert_eq!(reported(&left), Some((BOB, format!("<@{BOB}> left the channel"), vec![BOB])));
    let removed = ChannelEvent::MemberRemoved { user_id: BOB, removed_by: ANN };
    assert_eq!(reported(&removed), Some((BOB, format!("<@{ANN}> removed <@{BOB}>"), vec![ANN, BOB])));
}

#[test]
fn a_system_message_reports_a_new_name() {
    let renamed = ChannelEvent::Renamed { name: ChannelName::parse("plans").expect("a name"), display_name: None };
    assert_eq!(reported(&renamed), Some((ANN, format!("<@{ANN}> renamed the channel to plans"), vec![ANN])));
}

#[test]
fn a_system_message_reports_a_topic_and_its_mentions_notify_nobody() {
    let topic = Topic::parse(&format!("tea with <@{BOB}> <!everyone>")).ok();
    let text = format!("<@{ANN}> set the topic: tea with <@{BOB}> <!everyone>");
    assert_eq!(reported(&ChannelEvent::TopicChanged { topic }), Some((ANN, text, vec![ANN])));
    let cleared = Some((ANN, format!("<@{ANN}> cleared the topic"), vec![ANN]));
    assert_eq!(reported(&ChannelEvent::TopicChanged { topic: None }), cleared);
}

#[test]
fn no_other_event_has_a_system_message() {
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
        assert_eq!(reported(&event), None, "{event:?}");
    }
}
