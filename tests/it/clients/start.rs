//! A client's start: the rows of channels and threads, and all that a client needs in one answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tests::team::id;
use tests::{Person, Team, TestApp};
use uuid::Uuid;

/// The row with this identifier.
#[track_caller]
fn row<'a>(rows: &'a Value, field: &str, wanted: Uuid) -> &'a Value {
    let found = rows.as_array().expect("rows").iter().find(|row| row[field] == wanted.to_string());
    found.unwrap_or_else(|| panic!("{wanted} in {rows}"))
}

fn ids(rows: &Value, field: &str) -> BTreeSet<Uuid> {
    rows.as_array().expect("rows").iter().map(|row| id(row, field)).collect()
}

fn ids_of(people: &[&Person]) -> BTreeSet<Uuid> {
    people.iter().map(|person| person.id).collect()
}

/// Whether there is `null` somewhere.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

async fn conversation(team: &Team, by: &Person, kind: &str, with: &[&Person]) -> Uuid {
    let members = with.iter().map(|person| person.id).collect::<Vec<_>>();
    id(&by.post(&team.path("/channels"), json!({"type": kind, "members": members})).await.expect(201), "channel_id")
}

async fn answer(by: &Person, channel: Uuid, root: Uuid, text: &str) -> Value {
    by.post(&format!("/v1/channels/{channel}/messages"), json!({"content": text, "thread_id": root})).await.expect(201)
}

/// The position of everything until now.
async fn now(team: &Team) -> i64 {
    team.post(&team.owner, team.general, "now").await.position()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_channels_say_what_they_are_to_the_caller_and_who_is_in_a_conversation() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let public = team.channel(&team.owner, "public", "open", &[]).await;
    let private = team.channel(&team.owner, "private", "closed", &[&team.member]).await;
    let direct = conversation(&team, &team.member, "dm", &[&team.owner]).await;
    let group = conversation(&team, &team.member, "group_dm", &[&team.owner, &team.guest]).await;
    let said = team.post(&team.owner, private, "hello").await.expect(201);
    team.member.put(&format!("/v1/channels/{private}/notification-level"), json!({"level": "none"})).await.expect(200);
    let position = now(&team).await;

    let mine = team.member.get_at(position, &team.path("/channels")).await.expect(200);
    assert!(!has_null(&mine), "{mine}");
    let rows = &mine["items"];
    assert_eq!(ids(rows, "channel_id"), BTreeSet::from([team.general, private, direct, group]));
    let closed = row(rows, "channel_id", private);
    assert_eq!((&closed["is_member"], &closed["role"], &closed["notification_level"]), (&json!(true), &json!("member"), &json!("none")));
    assert_eq!(closed["last_message_at"], said["created_at"]);
    assert!(closed.get("members").is_none(), "a channel has a list of members of its own");
    let shown = row(rows, "channel_id", direct);
    assert_eq!(ids(&shown["members"], "user_id"), ids_of(&[&team.member, &team.owner]));
    assert_eq!(row(&shown["members"], "user_id", team.owner.id)["username"], json!(team.owner.username));
    assert_eq!(ids(&row(rows, "channel_id", group)["members"], "user_id"), ids_of(&[&team.member, &team.owner, &team.guest]));

    let browsed = team.member.get_at(position, &team.path("/channels?scope=browse")).await.expect(200);
    let open = row(&browsed["items"], "channel_id", public);
    assert_eq!((&open["is_member"], open.get("role"), open.get("notification_level")), (&json!(false), None, None));
    let owned = team.owner.get(&format!("/v1/channels/{public}")).await.expect(200);
    assert_eq!((&owned["is_member"], &owned["role"]), (&json!(true), &json!("admin")));
    let named = team.member.get(&team.path("/channels?name=closed")).await.expect(200);
    assert_eq!(&named["items"][0], closed, "each list has the same rows");
    team.stranger.get(&team.path("/channels")).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_channels_can_be_listed_alone_or_left_out() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let old = team.channel(&team.owner, "public", "old", &[&team.member]).await;
    let archived = team.owner.put_empty(&format!("/v1/channels/{old}/archived")).await.position();
    for (query, expected) in [
        ("archived=true", vec![old]),
        ("archived=false", vec![team.general]),
        ("scope=mine", vec![old, team.general]),
        ("scope=browse&archived=true", vec![old]),
        ("scope=browse&archived=false", vec![team.general]),
        ("name=old&archived=true", vec![old]),
        ("name=old&archived=false", vec![]),
    ] {
        let listed = team.member.get_at(archived, &team.path(&format!("/channels?{query}"))).await.expect(200);
        assert_eq!(ids(&listed["items"], "channel_id"), BTreeSet::from_iter(expected), "{query}");
    }
    team.member.get(&team.path("/channels?archived=perhaps")).await.expect_problem(400, "request.query_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_message_of_a_channel_without_members_is_not_told_to_its_finder() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let left = team.channel(&team.member, "private", "left", &[]).await;
    team.message(&team.member, left, "between us").await;
    let position = team.member.delete(&format!("/v1/channels/{left}/membership")).await.position();
    let found = team.owner.get_at(position, &team.path("/channels?scope=without_members")).await.expect(200);
    let found = row(&found["items"], "channel_id", left);
    assert_eq!((found.get("last_message_at"), &found["is_member"]), (None, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_of_a_threads_first_message_says_when_the_latest_answer_came_and_who_answered() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let root = team.message(&team.owner, team.general, "who is in?").await;
    let quiet = team.message(&team.owner, team.general, "nobody answers this").await;
    let first = answer(&team.member, team.general, root, "me").await;
    answer(&team.guest, team.general, root, "me too").await;
    answer(&team.member, team.general, root, "still me").await;
    let last = answer(&team.guest, team.general, root, "and me").await;
    let page = team.general("/messages");
    let thread = async |position: i64| {
        let listed = team.owner.get_at(position, &page).await.expect(200);
        let shown = row(&listed["items"], "message_id", root)["thread"].clone();
        let alone = team.owner.get_at(position, &format!("/v1/messages/{root}")).await.expect(200);
        assert_eq!(alone["thread"], shown, "a single message has the same row");
        shown
    };
    // The second reading comes from the cache, and the changes after it are made to the cached row.
    let position = now(&team).await;
    let before = thread(position).await;
    assert_eq!(thread(position).await, before);
    assert_eq!((&before["last_reply_at"], &before["participant_count"]), (&last["created_at"], &json!(2)));
    let people = before["participants"].as_array().expect("people");
    assert_eq!(people.iter().map(|person| id(person, "user_id")).collect::<Vec<_>>(), [team.member.id, team.guest.id]);
    assert_eq!(people[0]["username"], json!(team.member.username));

    for text in ["and me", "me too"] {
        let shown = team.owner.get_at(position, &format!("/v1/messages/{root}/thread")).await.expect(200);
        let gone = shown["replies"]["items"].as_array().expect("replies").iter().find(|row| row["content"] == text).expect(text);
        team.guest.delete(&format!("/v1/messages/{}", id(gone, "message_id"))).await.expect(204);
    }
    let after = thread(now(&team).await).await;
    assert_eq!((&after["participant_count"], after["participants"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert!(after["last_reply_at"].as_str() < before["last_reply_at"].as_str() && after["last_reply_at"] != first["created_at"]);
    let renamed = team.member.patch("/v1/users/me", json!({"display_name": "Meret"})).await.position();
    assert_eq!(thread(renamed).await["participants"][0]["display_name"], "Meret");
    let listed = team.owner.get(&page).await.expect(200);
    assert!(row(&listed["items"], "message_id", quiet).get("thread").is_none(), "a message without answers has no thread");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_messages_leave_out_what_the_client_knows_and_never_say_null() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let text = "could somebody look at the second page of the report before noon, please? Thank you all";
    let message = team.message(&team.owner, team.general, &format!("{text} <@{}>", team.member.id)).await;
    let plain = team.message(&team.owner, team.general, text).await;
    answer(&team.member, team.general, plain, "yes").await;
    let position = team.owner.put_empty(&format!("/v1/messages/{message}/pin")).await.position();
    let lists = [
        team.general("/messages?"),
        team.general(&format!("/messages?around={plain}&")),
        team.general("/pins?"),
        team.path("/mentions?"),
        format!("/v1/messages/{plain}/thread?"),
    ];
    for list in &lists {
        let size = async |with: &str| {
            let answer = team.member.get_at(position, &format!("{list}{with}")).await.expect(200);
            assert!(!has_null(&answer), "{answer}");
            answer.to_string()
        };
        let (all, none) = (size("").await, size("with=none").await);
        for part in [r#""workspace_id""#, r#""username""#, r#""display_name""#] {
            assert!(all.contains(part) && !none.contains(part), "{list}: {part} in {none}");
        }
        let (names, workspace) = (size("with=names").await, size("with=workspace").await);
        assert!(names.contains(r#""username""#) && !names.contains("workspace_id"), "{names}");
        assert!(!workspace.contains("username") && workspace.contains("workspace_id"), "{workspace}");
        assert_eq!(size("with=names,workspace").await.len(), all.len());
        team.member.get(&format!("{list}with=colours")).await.expect_problem(400, "request.query_invalid");
    }
    let row_of = async |with: &str| {
        let page = team.member.get_at(position, &team.general(&format!("/messages?{with}"))).await.expect(200);
        let mut row = row(&page["items"], "message_id", plain).clone();
        row.as_object_mut().expect("a row").remove("thread");
        row.to_string().len()
    };
    let (all, none) = (row_of("").await, row_of("with=none").await);
    assert!(all <= 620 && none <= 460, "a message of {} bytes has rows of {all} and {none} bytes", text.len());
}

/// A workspace with channels of each kind, with messages, a thread, a mention, a status and presence.
struct World {
    team: Team,
    private: Uuid,
    direct: Uuid,
    position: i64,
}

impl World {
    async fn of(app: &TestApp) -> Self {
        let team = Team::found(app).await;
        team.owner.put_empty(&team.path("/emojis/party_parrot")).await.expect(204);
        let private = team.channel(&team.owner, "private", "closed", &[&team.member]).await;
        let direct = conversation(&team, &team.member, "dm", &[&team.owner]).await;
        let root = team.message(&team.owner, private, &format!("what do you think, <@{}>?", team.member.id)).await;
        answer(&team.member, private, root, "good").await;
        team.message(&team.owner, direct, "hello").await;
        let old = team.channel(&team.owner, "public", "old", &[&team.member]).await;
        team.owner.put_empty(&format!("/v1/channels/{old}/archived")).await.expect(200);
        team.owner.put(&team.path("/presence"), json!({"presence": "online"})).await.expect(204);
        let position = now(&team).await;
        Self { team, private, direct, position }
    }

    async fn start(&self, person: &Person, query: &str) -> Value {
        let answer = person.get_at(self.position, &self.team.path(&format!("/start?{query}"))).await;
        let position = answer.position();
        let start = answer.expect(200);
        assert_eq!(start["position"].as_i64(), Some(position));
        assert!(start["cursor"].as_str().is_some_and(|cursor| cursor.ends_with(&format!(":{position}"))), "{}", start["cursor"]);
        assert!(!has_null(&start), "{start}");
        start
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_what_the_single_requests_say() {
    let app = TestApp::start().await;
    let world = World::of(&app).await;
    let (team, member) = (&world.team, &world.team.member);
    let start = world.start(member, "recent=20").await;

    let channels = member.get(&team.path("/channels?archived=false")).await.expect(200);
    let unread = member.get(&team.path("/unread")).await.expect(200);
    assert_eq!(ids(&start["channels"], "channel_id"), ids(&channels["items"], "channel_id"));
    for listed in channels["items"].as_array().expect("channels") {
        let channel = id(listed, "channel_id");
        let shown = row(&start["channels"], "channel_id", channel);
        for field in ["channel_type", "name", "is_member", "role", "notification_level", "last_message_at"] {
            assert_eq!(shown.get(field), listed.get(field), "{field}");
        }
        let counted = row(&unread["channels"], "channel_id", channel);
        assert_eq!((&shown["unread"]["messages"], &shown["unread"]["mentions"]), (&counted["unread"], &counted["mentions"]));
        let page = member.get(&format!("/v1/channels/{channel}/messages?with=none&limit=15")).await.expect(200);
        assert_eq!(row(&start["messages"], "channel_id", channel)["page"], page);
    }
    let direct = row(&start["channels"], "channel_id", world.direct);
    assert_eq!(direct["member_ids"].as_array().map(Vec::len), Some(2));
    assert_eq!(row(&start["channels"], "channel_id", world.private)["unread"]["mentions"], 1);

    let people = start["people"].as_object().expect("people");
    let known = people.keys().map(|id| id.parse().expect("an identifier")).collect::<BTreeSet<Uuid>>();
    assert_eq!(known, ids_of(&[&team.owner, &team.member, &team.guest]));
    let owner = &people[&team.owner.id.to_string()];
    assert_eq!((&owner["username"], &owner["role"], &owner["presence"]), (&json!(team.owner.username), &json!("owner"), &json!("online")));
    assert_eq!(people[&team.member.id.to_string()]["presence"], "offline");

    assert_eq!((&start["me"]["role"], id(&start["me"], "user_id")), (&json!("member"), member.id));
    let permissions = start["me"]["permissions"].as_array().expect("permissions");
    assert!(permissions.contains(&json!("message.post")) && !permissions.contains(&json!("member.manage")), "{permissions:?}");
    assert_eq!(start["emojis"]["names"], json!(["party_parrot"]));
    let version = start["emojis"]["version"].as_str().expect("a version");
    let again = world.start(member, &format!("emojis={version}")).await;
    assert_eq!(again["emojis"], json!({"version": version}), "the client has the emojis");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_in_fifty_channels_has_about_fifty_kilobytes() {
    const TEXT: &str = "could somebody look at the second page of the report before noon? I am not sure about March";
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for with in [&[&team.owner][..], &[&team.guest], &[&team.owner, &team.guest]] {
        conversation(&team, &team.member, if with.len() == 1 { "dm" } else { "group_dm" }, with).await;
    }
    for n in 0..46 {
        team.channel(&team.owner, "public", &format!("a-channel-with-a-name-{n}"), &[&team.member]).await;
    }
    let channels = team.member.get(&team.path("/channels")).await.expect(200);
    for n in 0..15 {
        for channel in channels["items"].as_array().expect("channels").iter().take(3) {
            team.message(&team.member, id(channel, "channel_id"), &format!("{TEXT} ({n})")).await;
        }
    }
    let start = team.member.get_at(now(&team).await, &team.path("/start")).await.expect(200);
    assert_eq!(start["channels"].as_array().map(Vec::len), Some(50));
    assert_eq!(start["messages"].as_array().map(Vec::len), Some(3));
    let bytes = start.to_string().len();
    assert!((20_000..50_000).contains(&bytes), "the start has {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_has_the_messages_of_the_channels_asked_for_and_of_the_latest() {
    let app = TestApp::start().await;
    let world = World::of(&app).await;
    let (team, member) = (&world.team, &world.team.member);
    let open = team.channel(&team.owner, "public", "open", &[]).await;
    let position = team.post(&team.owner, open, "come in").await.position();
    let opened = async |query: &str| {
        let start = member.get_at(position, &team.path(&format!("/start?{query}"))).await.expect(200);
        let opened = start["messages"].as_array().expect("messages").iter().map(|page| id(page, "channel_id")).collect::<Vec<_>>();
        (opened, start)
    };
    assert_eq!(opened("recent=1").await.0, [team.general], "the last message was posted there");
    assert_eq!(opened("recent=2").await.0, [team.general, world.direct]);
    assert_eq!(opened(&format!("channels={}", world.private)).await.0, [world.private]);
    assert_eq!(opened(&format!("channels={}&recent=1", world.private)).await.0, [world.private, team.general]);
    let (both, start) = opened(&format!("channels={open},{}&messages=1", world.private)).await;
    assert_eq!(BTreeSet::from_iter(both), BTreeSet::from([open, world.private]));
    let shown = row(&start["channels"], "channel_id", open);
    assert_eq!((&shown["is_member"], shown.get("unread")), (&json!(false), None), "a public channel that the caller is not in");
    let page = &row(&start["messages"], "channel_id", world.private)["page"];
    assert_eq!((page["items"].as_array().map(Vec::len), page["previous"].is_string()), (Some(1), false));
    let many = vec![Uuid::nil().to_string(); 21].join(",");
    for wrong in ["recent=21", "messages=0", "messages=51", "channels=general", &format!("channels={many}"), "with=colours"] {
        member.get(&team.path(&format!("/start?{wrong}"))).await.expect_problem(400, "request.query_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_may_not_see_is_not_in_a_start() {
    let app = TestApp::start().await;
    let world = World::of(&app).await;
    let (team, guest) = (&world.team, &world.team.guest);
    // This person is in none of the guest's channels, and a text mentions them.
    let hidden = app.sign_up("hidden").await;
    team.take_in(&hidden, "guest").await;
    let position = team.post(&team.owner, team.general, &format!("ask <@{}>", hidden.id)).await.position();
    let asked = format!("channels={},{}&recent=20", world.private, world.direct);
    let start = guest.get_at(position, &team.path(&format!("/start?{asked}"))).await.expect(200);
    assert_eq!(ids(&start["channels"], "channel_id"), BTreeSet::from([team.general]));
    assert_eq!(ids(&start["messages"], "channel_id"), BTreeSet::from([team.general]));
    let people = start["people"].as_object().expect("people");
    assert!(!people.contains_key(&hidden.id.to_string()), "{people:?}");
    assert!(!start.to_string().contains("what do you think"), "{start}");
    let seen = team.member.get_at(position, &team.path("/start?recent=20")).await.expect(200);
    assert_eq!(seen["people"][hidden.id.to_string()]["username"], json!(hidden.username));

    // A removal that was acknowledged counts, however far the read model is behind.
    let removal = format!("/v1/channels/{}/members/{}", world.private, team.member.id);
    team.owner.delete(&removal).await.expect(204);
    let start = team.member.get(&team.path(&format!("/start?{asked}"))).await.expect(200);
    assert!(!ids(&start["channels"], "channel_id").contains(&world.private), "{start}");
    assert!(!start.to_string().contains("what do you think"), "{start}");
    team.stranger.get(&team.path("/start")).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_a_start_is_as_of_its_position() {
    const POSTS: usize = 60;
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "private", "busy", &[&team.member]).await;
    let done = AtomicBool::new(false);
    let posting = async {
        let mut positions = Vec::new();
        for n in 0..POSTS {
            positions.push(team.post(&team.owner, channel, &format!("message {n}")).await.position());
        }
        done.store(true, Ordering::SeqCst);
        positions
    };
    let reading = async {
        let mut starts = Vec::new();
        while !done.load(Ordering::SeqCst) {
            starts.push(team.member.get(&team.path(&format!("/start?channels={channel}&messages=50"))).await.expect(200));
        }
        starts
    };
    let (positions, starts) = tokio::join!(posting, reading);
    let mut moments = BTreeSet::new();
    for start in &starts {
        let position = start["position"].as_i64().expect("a position");
        let Some(shown) = start["channels"].as_array().expect("channels").iter().find(|row| row["channel_id"] == channel.to_string())
        else {
            continue;
        };
        let posted = positions.partition_point(|posted| *posted <= position);
        assert_eq!(shown["unread"]["messages"].as_i64(), i64::try_from(posted).ok(), "unread at {position}");
        let page = &row(&start["messages"], "channel_id", channel)["page"]["items"];
        let mut texts = page.as_array().expect("messages").iter().filter(|row| row["message_type"] == "text");
        let last = texts.next_back().map(|row| row["content"].as_str().expect("a text").to_owned());
        assert_eq!(last, posted.checked_sub(1).map(|n| format!("message {n}")), "the latest message at {position}");
        moments.insert(position);
    }
    assert!(moments.len() > 2, "the starts were read while messages were posted: {moments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_read_at_once() {
    let app = TestApp::start().await;
    let world = World::of(&app).await;
    let (team, member) = (&world.team, &world.team.member);
    let unread = async || {
        // The caller's own messages are not unread.
        let position = team.post(member, team.general, "mine").await.position();
        let unread = member.get_at(position, &team.path("/unread")).await.expect(200);
        (unread["unread"].as_i64(), unread["mentions"].as_i64())
    };
    let root = team.message(&team.owner, world.private, "one more").await;
    answer(&team.owner, world.private, root, &format!("<@{}> in a thread", member.id)).await;
    let (messages, mentions) = unread().await;
    assert!(messages > Some(2) && mentions == Some(2), "{messages:?} {mentions:?}");
    let theirs = team.guest.get(&team.path("/unread")).await.expect(200);
    // A message that was posted right before is read too: the request waits for it.
    team.message(&team.owner, world.direct, "and this").await;
    member.put_empty(&team.path("/read-marker")).await.expect(204);
    assert_eq!(unread().await, (Some(0), Some(0)));
    let started = world.start(member, "").await;
    assert!(started["channels"].as_array().expect("channels").iter().all(|row| row["unread"]["messages"] == 0), "{started}");
    // Nobody else has read anything, and a message was posted since.
    let since = team.guest.get(&team.path("/unread")).await.expect(200);
    assert_eq!(since["unread"].as_i64(), theirs["unread"].as_i64().map(|unread| unread + 1));
    team.message(&team.owner, world.private, "something new").await;
    assert_eq!(unread().await, (Some(1), Some(0)));
    member.put_empty(&team.path("/read-marker")).await.expect(204);
    member.put_empty(&team.path("/read-marker")).await.expect(204);
    assert_eq!(unread().await, (Some(0), Some(0)));
    team.stranger.put_empty(&team.path("/read-marker")).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_found_by_their_identifiers_at_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let alone = app.sign_up("alone").await;
    let position = team.take_in(&alone, "guest").await;
    let path = |people: &[&Person]| {
        team.path(&format!("/members?ids={}", people.iter().map(|person| person.id.to_string()).collect::<Vec<_>>().join(",")))
    };
    let all = [&team.owner, &team.member, &team.stranger, &alone];
    let found = team.member.get_at(position, &path(&all)).await.expect(200);
    assert_eq!(ids(&found["items"], "user_id"), ids_of(&[&team.owner, &team.member, &alone]), "a stranger is no member");
    assert!(found.get("next").is_none());
    let seen = alone.get(&path(&all)).await.expect(200);
    assert_eq!(ids(&seen["items"], "user_id"), ids_of(&[&alone]), "a guest without channels sees nobody else");
    let many = vec![team.owner.id.to_string(); 101].join(",");
    for wrong in ["owner", "", &many] {
        team.member.get(&team.path(&format!("/members?ids={wrong}"))).await.expect_problem(400, "request.query_invalid");
    }
    team.stranger.get(&path(&all)).await.expect_problem(404, "workspace.not_found");
}
