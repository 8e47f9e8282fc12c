//! Tests how lists of users and channels become events.

use domain::channel::Kind;
use domain::ids::UserId;
use domain::permission::Role;
use domain::{ChannelEvent, StreamId};
use serde_json::json;
use uuid::Uuid;

use super::exports::{Export, message};
use super::memory::{GENERAL, Memory, OWNER, WORKSPACE, settings};
use crate::import::{ImportError, Settings, slack_from};
use commands::event_store::{Claim, ClaimKind};

#[tokio::test]
async fn roles_and_status_are_those_of_the_export() {
    let users = json!([
        {"id": "U1", "name": "ann", "is_primary_owner": true, "is_owner": true, "is_admin": true},
        {"id": "U2", "name": "bob", "is_admin": "true"},
        {"id": "U3", "name": "cyd", "is_restricted": true},
        {"id": "U4", "name": "dee"},
        {"id": "U5", "name": "eli", "deleted": true, "updated": 1_740_000_000},
        {"id": "U6", "name": "bot", "is_bot": true, "profile": {"bot_id": "B6", "status_text": "picking", "status_emoji": ":apple:"}},
    ]);
    let (memory, report) =
        Export::of_two().with("users.json", &users).saying(&json!([{"bot_id": "B6", "ts": "1735689601.0", "text": "x"}])).imported().await;
    let users = memory.registrations();
    let workspace = memory.workspace_state();
    let standing = |name: &str| workspace.members.get(&users[name].0).map(|m| (m.role, m.active));
    assert_eq!(standing("ann"), Some((Role::Admin, true)));
    assert_eq!(standing("bob"), Some((Role::Admin, true)));
    assert_eq!(standing("cyd"), Some((Role::Guest, true)));
    assert_eq!(standing("dee"), Some((Role::Member, true)));
    assert_eq!(standing("eli"), Some((Role::Member, false)));
    assert_eq!(workspace.members[&OWNER].role, Role::Owner);
    assert_eq!(memory.postings()[0].author, users["bot"].0);
    let (_, general) = memory.channels().into_iter().find(|(id, _)| *id == GENERAL).expect("#general");
    assert!(general.has_member(users["dee"].0) && !general.has_member(users["cyd"].0) && !general.has_member(users["eli"].0));
    assert_eq!((report.users.in_file, report.users.imported), (6, 6));
}

#[tokio::test]
async fn a_time_zone_that_does_not_exist_is_left_out_and_reported() {
    let users = json!([
        {"id": "U1", "name": "ann", "tz": "America/Santiago"},
        {"id": "U2", "name": "bob", "tz": "Mars/Base"},
        {"id": "U3", "name": "cyd", "tz": ""},
    ]);
    let (memory, report) = Export::of_two().with("users.json", &users).imported().await;
    let users = memory.registrations();
    let zone = |name: &str| users[name].1.preferences.timezone.as_ref().map(ToString::to_string);
    assert_eq!(["ann", "bob", "cyd"].map(zone), [Some("America/Santiago".into()), None, None]);
    assert_eq!(report.skipped["time zone that does not exist"].count, 1);
}

#[tokio::test]
async fn an_account_of_this_server_with_the_same_address_is_used() {
    let memory = Memory::with_a_workspace(100);
    memory.claim(Claim::on_server(ClaimKind::Email, "ann@orchard.example"), OWNER.0);
    let report = Export::of_two().saying(&json!([message("U1", 1, "it is me")])).import(&memory).await.expect("an import");
    assert_eq!(memory.postings()[0].author, OWNER);
    assert_eq!(memory.workspace_state().members[&OWNER].role, Role::Owner);
    assert_eq!((report.users.imported, report.users.already_there), (1, 1));
}

#[tokio::test]
async fn names_and_addresses_that_are_taken_or_not_allowed_become_others() {
    let users = json!([
        {"id": "U1", "name": "ann", "profile": {"email": "a@x.example"}},
        {"id": "U2", "name": "Ann", "profile": {"email": "A@x.example"}},
        {"id": "U3", "name": "ann of the hill", "profile": {"email": "no address"}},
        {"id": "U4", "name": "taken"},
        {"id": "U5", "name": "🍎", "profile": {"display_name": "🍎"}},
        {"name": "nobody"}, {"id": "U1", "name": "again"}, "nonsense",
    ]);
    let channels =
        json!([{"id": "C1", "name": "Orchard Team"}, {"id": "C2", "name": "orchard-team"}, {"id": "C3", "name": "busy"}, {"name": "x"}]);
    let memory = Memory::with_a_workspace(100);
    memory.claim(Claim::on_server(ClaimKind::Username, "taken"), OWNER.0);
    memory.claim(Claim::in_workspace(ClaimKind::ChannelName, WORKSPACE, "busy"), Uuid::from_u128(77));
    let report = Export::of_two().with("users.json", &users).with("channels.json", &channels).import(&memory).await.expect("an import");
    let users = memory.registrations();
    let mut names = users.keys().map(String::as_str).collect::<Vec<_>>();
    names.sort_unstable();
    assert_eq!(names, ["Ann-2", "ann", "ann-of-the-hill", "taken-2", "u5"]);
    assert_eq!(users["u5"].1.profile.display_name.as_str(), "🍎");
    assert!(users["Ann-2"].1.email.as_str().starts_with("u2."));
    assert!(["orchard-team", "orchard-team-2", "busy-2"].iter().all(|name| memory.channel_named(name).is_some()));
    assert_eq!((report.users.in_file, report.users.imported, report.users.skipped), (8, 5, 3));
    assert_eq!((report.channels.in_file, report.channels.imported, report.channels.skipped), (4, 3, 1));
}

#[tokio::test]
async fn names_in_any_script_stay_and_twins_and_reserved_names_get_a_number() {
    let users = json!([
        {"id": "U1", "name": "हिन्दी"}, {"id": "U2", "name": "paxo"}, {"id": "U3", "name": "рахо"}, {"id": "U4", "name": "here"},
        {"id": "U5", "name": "\u{3164}", "profile": {"display_name": "Eve\u{202e}\u{200b}"}}, {"id": "U6", "name": "cafe\u{301}"},
    ]);
    let channels =
        json!([{"id": "C1", "name": "ข่าว"}, {"id": "C2", "name": "தமிழ்"}, {"id": "C3", "name": "news"}, {"id": "C4", "name": "nеws"}]);
    let (memory, _) = Export::of_two().with("users.json", &users).with("channels.json", &channels).imported().await;
    let users = memory.registrations();
    let mut names = users.keys().map(String::as_str).collect::<Vec<_>>();
    names.sort_unstable();
    assert_eq!(names, ["café", "here-2", "paxo", "u5", "рахо-2", "हिन्दी"]);
    assert_eq!(users["u5"].1.profile.display_name.as_str(), "Eve");
    for name in ["ข่าว", "தமிழ்", "news", "nеws-2"] {
        assert!(memory.channel_named(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn of_several_users_with_one_address_the_active_one_keeps_it() {
    let user = |id: &str, email: &str, more: &str| {
        let more = if more.is_empty() { String::new() } else { format!(r#","{more}":true"#) };
        format!(r#"{{"id":"{id}","name":"{}","profile":{{"email":"{email}"}}{more}}}"#, id.to_lowercase())
    };
    for (first, second, third, owner) in [
        (user("U1", "ann@x.example", "deleted"), user("U2", "ann@x.example", ""), user("U3", "bob@x.example", ""), "u2"),
        (user("U1", "ann@x.example", ""), user("U2", "ann@x.example", "deleted"), user("U3", "ann@x.example", "deleted"), "u1"),
        (user("U1", "ANN@X.example", "deleted"), user("U2", " ann@x.example ", "deleted"), user("U3", "Ann@x.Example", ""), "u3"),
        (user("U1", "ann@x.example", "is_bot"), user("U2", "Ann@x.example", ""), user("U3", "ann@x.example", "deleted"), "u2"),
        (user("U1", "ann@x.example", "deleted"), user("U2", "ann@x.example", "deleted"), user("U3", "", ""), "u1"),
    ] {
        let export = Export::of_two().with_text("users.json", &format!("[{first},{second},{third}]"));
        let (memory, report) = export.imported().await;
        let users = memory.registrations();
        let owners = users.iter().filter(|(_, (_, user))| user.email.folded() == "ann@x.example").map(|(name, _)| name.as_str());
        assert_eq!(owners.collect::<Vec<_>>(), [owner], "{first} {second} {third}");
        assert_eq!(report.users.imported, 3);
        assert_eq!(export.import(&memory).await.expect("an import").events_appended(), 0);
    }
}

#[tokio::test]
async fn the_active_user_is_linked_to_the_account_with_the_address_and_the_deleted_one_is_not() {
    let users = json!([
        {"id": "U1", "name": "ann", "deleted": true, "profile": {"email": "Ann@orchard.example"}},
        {"id": "U2", "name": "ann2", "profile": {"email": " ann@orchard.example"}},
    ]);
    let memory = Memory::with_a_workspace(100);
    memory.claim(Claim::on_server(ClaimKind::Email, "ann@orchard.example"), OWNER.0);
    let export = Export::of_two().with("users.json", &users).saying(&json!([message("U1", 1, "long ago"), message("U2", 2, "now")]));
    export.import(&memory).await.expect("an import");
    let authors = memory.postings().iter().map(|posting| posting.author).collect::<Vec<_>>();
    assert_eq!(authors, [memory.registrations()["ann"].0, OWNER]);
    assert!(memory.workspace_state().members[&OWNER].active);
    assert_eq!(export.import(&memory).await.expect("an import").events_appended(), 0);
}

#[tokio::test]
async fn a_later_export_in_which_somebody_came_back_with_their_address_is_imported() {
    let user = |id: &str, deleted: bool| json!({"id": id, "name": id, "deleted": deleted, "profile": {"email": "ann@orchard.example"}});
    let (memory, _) = Export::of_two().with("users.json", &json!([user("U1", false)])).imported().await;
    let later = Export::of_two().with("users.json", &json!([user("U1", true), user("U2", false)]));
    let report = later.import(&memory).await.expect("an import");
    assert_eq!((report.users.imported, report.users.already_there), (1, 1));
    assert_eq!(memory.registrations()["U1"].1.email.as_str(), "ann@orchard.example");
}

#[tokio::test]
async fn the_exports_general_becomes_the_workspaces_general() {
    let channels = json!([
        {"id": "C0", "name": "general", "members": ["U2"]},
        {"id": "C1", "name": "all-of-us", "is_general": true, "is_archived": true, "members": ["U1", "U2"],
         "topic": {"value": "Apples &amp; pears", "creator": "U1", "last_set": 1_735_690_000}, "purpose": {"value": "Everything"}},
    ]);
    let (memory, report) = Export::of_two()
        .with("channels.json", &channels)
        .with("all-of-us/2025-01-01.json", &json!([message("U1", 1, "welcome")]))
        .imported()
        .await;
    let (_, general) = memory.channels().into_iter().find(|(id, _)| *id == GENERAL).expect("#general");
    let creation = general.creation.expect("created");
    assert_eq!((creation.name.expect("a name").as_str(), general.members.len(), general.archived), ("general", 3, false));
    assert_eq!(creation.topic.expect("a topic").as_str(), "Apples & pears");
    assert_eq!(memory.postings()[0].channel_id, GENERAL);
    assert!(memory.channel_named("general-2").is_some());
    assert_eq!((report.channels.imported, report.channels.already_there), (1, 1));
}

#[tokio::test]
async fn private_channels_and_conversations_stay_private() {
    let dms = json!([{"id": "D1", "created": 1_735_689_600, "members": ["U1", "U2"]}, {"id": "D2", "members": ["U2", "U1"]}, {"id": "D3", "members": ["U1", "U8"]}]);
    let mpims = json!([{"id": "G2", "name": "mpdm-ann--bob--cyd-1", "members": ["U1", "U2", "U3"]}, {"id": "G3", "name": "mpdm-nobody-1"}]);
    let users = json!([{"id": "U1", "name": "ann"}, {"id": "U2", "name": "bob"}, {"id": "U3", "name": "cyd"}]);
    let (memory, report) = Export::of_two()
        .with("users.json", &users)
        .with("groups.json", &json!([{"id": "G1", "name": "cider", "creator": "U1", "members": ["U1", "U7"]}]))
        .with("dms.json", &dms)
        .with("mpims.json", &mpims)
        .with("D1/2025-01-01.json", &json!([message("U1", 1, "psst")]))
        .with("D2/2025-01-01.json", &json!([message("U2", 1, "what?")]))
        .with("mpdm-ann--bob--cyd-1/2025-01-01.json", &json!([message("U3", 1, "all three")]))
        .with("attic/2025-01-01.json", &json!([message("U1", 1, "dust")]))
        .imported()
        .await;
    let of = |kind| memory.channels().into_iter().filter(|(_, c)| c.creation.as_ref().is_some_and(|c| c.kind == kind)).count();
    assert_eq!((of(Kind::Public), of(Kind::Private), of(Kind::Direct), of(Kind::GroupDirect)), (2, 3, 2, 1));
    let (_, attic) = memory.channel_named("attic").expect("a channel");
    assert_eq!(attic.members.keys().copied().collect::<Vec<UserId>>(), [OWNER]);
    let direct = memory
        .postings()
        .iter()
        .filter(|p| p.content.as_str() == "psst" || p.content.as_str() == "what?")
        .map(|p| p.channel_id)
        .collect::<Vec<_>>();
    assert_eq!(direct[0], direct[1]);
    assert_eq!((report.channels.in_file, report.channels.imported, report.channels.already_there), (8, 7, 1));
    assert_eq!(report.skipped["member of a channel who is in no list of users"].count, 1);
}

#[tokio::test]
async fn an_archived_channel_is_archived_after_its_last_message() {
    let channels = json!([{"id": "C1", "name": "orchard", "is_archived": true, "members": ["U1"]}]);
    let export = Export::of_two().with("channels.json", &channels).saying(&json!([message("U1", 1, "goodbye")]));
    let (memory, _) = export.imported().await;
    let (stream, pending) = memory.events().pop().expect("an event");
    assert!(matches!(pending.event, domain::Event::Channel(ChannelEvent::Archived { .. })));
    assert_eq!(pending.original.map(|(_, at)| at.timestamp()), Some(1_735_689_601));
    let before = memory.len();
    memory.happen(stream, [ChannelEvent::Unarchived { by: OWNER }.into()]);
    export.import(&memory).await.expect("an import");
    assert_eq!(memory.len(), before + 1, "what somebody opened again stays open");
}

#[tokio::test]
async fn a_workspace_without_room_is_refused_before_anything_is_appended() {
    let memory = Memory::with_a_workspace(2);
    let before = memory.len();
    let error = Export::of_two().import(&memory).await.expect_err("no room");
    assert!(matches!(error, ImportError::TooManyMembers { needed: 3, max: 2 }), "{error}");
    assert_eq!(memory.len(), before);
    let nowhere = Memory::default();
    assert!(matches!(Export::of_two().import(&nowhere).await, Err(ImportError::NoWorkspace(WORKSPACE))));
    assert!(StreamId::workspace(WORKSPACE).to_string().starts_with("workspace"));
}

#[tokio::test]
async fn things_without_an_owner_belong_to_the_workspaces_owner() {
    let memory = Memory::with_a_workspace(100);
    let export = Export::of_two().with("attic/2025-01-01.json", &json!([message("U1", 1, "dust")]));
    let by_nobody = Settings { importer: UserId::SYSTEM, ..settings() };
    slack_from(&memory, export.zip(), &by_nobody, &()).await.expect("an import");
    let (_, attic) = memory.channel_named("attic").expect("a channel");
    assert_eq!(attic.members.keys().copied().collect::<Vec<_>>(), [OWNER]);
    assert_eq!(attic.creation.expect("created").created_by, OWNER);
}
