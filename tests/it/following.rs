//! A user who follows a workspace misses nothing that was acknowledged: over two servers whose clocks differ, beside
//! joins, changes of the topic and an import; with cursors, and with read markers.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{UserId, WorkspaceId};
use futures::future::{join, join_all};
use projections::{RELATIONAL, RebuildOptions};
use serde_json::{Value, json};
use slack::import::{self, Limits, Settings};
use stores::clock::Clock;
use tests::team::id;
use tests::{Person, Team, TestApp, servers};
use uuid::Uuid;

/// How far the clock of one server is ahead of the other's.
const APART: TimeDelta = TimeDelta::seconds(2);
/// How many users post at each server at the same time, and how often.
const POSTERS: usize = 3;
const POSTS_EACH: usize = 40;
/// How many people join meanwhile.
const JOINERS: usize = 4;

/// Two servers with one database, and a workspace.
struct Stage {
    // The server that uses the other one's database is dropped first.
    behind: TestApp,
    ahead: TestApp,
    team: Team,
    /// The message whose thread is followed.
    root: Uuid,
    posted: Mutex<Posted>,
    /// The number of posts to the channel, also of those that run.
    begun: AtomicUsize,
    is_over: AtomicBool,
}

/// What the servers acknowledged.
#[derive(Default)]
struct Posted {
    channel: BTreeSet<Uuid>,
    thread: BTreeSet<Uuid>,
    mentions: BTreeSet<Uuid>,
    pins: BTreeSet<Uuid>,
    /// Each message with the position and the moment that the server answered.
    moments: Vec<(i64, DateTime<Utc>)>,
}

impl Stage {
    async fn set() -> Self {
        let ahead = TestApp::start_at(Clock::ahead_by(APART), &[]).await;
        let shared = [
            ("BACKSCROLL_POSTGRES_URL", ahead.database.url.as_str()),
            ("BACKSCROLL_NATS_STREAM", &ahead.stream),
            ("BACKSCROLL_REDIS_KEY_PREFIX", &ahead.redis_prefix),
        ];
        let behind = TestApp::start_with(&shared).await;
        let team = Team::found(&ahead).await;
        let root = team.message(&team.owner, team.general, "the root").await;
        Self { ahead, behind, team, root, posted: Mutex::default(), begun: AtomicUsize::new(0), is_over: AtomicBool::new(false) }
    }

    fn servers(&self) -> [&TestApp; 2] {
        [&self.ahead, &self.behind]
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Posts to the channel, in the thread, and with mentions. Pins some messages.
    async fn post(&self, person: &Person) {
        for n in 0..POSTS_EACH {
            let (in_thread, mentions) = (n % 4 == 1, n % 5 == 2);
            let content = if mentions { format!("{n} <@{}>", self.team.member.id) } else { format!("{n}") };
            let thread_id = in_thread.then_some(self.root);
            self.begun.fetch_add(usize::from(!in_thread), Ordering::SeqCst);
            let answer = person.post(&self.team.general("/messages"), json!({"content": content, "thread_id": thread_id})).await;
            let position = answer.position();
            let answer = answer.expect(201);
            let message_id = id(&answer, "message_id");
            let moment = answer["created_at"].as_str().expect("a time").parse().expect("a time");
            {
                let mut posted = self.posted.lock().expect("a lock");
                let list = if in_thread { &mut posted.thread } else { &mut posted.channel };
                list.insert(message_id);
                posted.moments.push((position, moment));
                if mentions {
                    posted.mentions.insert(message_id);
                }
            }
            if n % 10 == 0 {
                person.put_empty(&format!("/v1/messages/{message_id}/pin")).await.expect(200);
                self.posted.lock().expect("a lock").pins.insert(message_id);
            }
        }
    }

    async fn change_topics(&self, person: &Person) {
        for n in 0.. {
            if self.is_over() {
                return;
            }
            let topic = json!({"topic": format!("topic {n}")});
            person.put(&self.team.general("/topic"), topic).await.expect(200);
        }
    }

    /// Imports an archive into the workspace.
    async fn import(&self) {
        let settings = Settings {
            workspace_id: WorkspaceId(self.team.id),
            importer: UserId(self.team.owner.id),
            at: Utc::now(),
            correlation_id: Uuid::now_v7(),
            limits: Limits::default(),
        };
        let archive = servers::checkout().join("tests/fixtures/sample-export.zip");
        let store = self.ahead.app().commands.store();
        let report = import::slack(store, &archive, &settings, &()).await.expect("an import");
        assert!(report.messages.imported > 0);
    }

    /// Follows a list with its `next` cursor. `page` picks the page out of the answer.
    async fn follow(&self, person: &Person, path: &str, page: fn(&Value) -> &Value) -> BTreeSet<Uuid> {
        let (mut seen, mut next) = (BTreeSet::new(), None::<String>);
        loop {
            let is_last = self.is_over();
            let after = next.as_ref().map(|next| format!("&after={next}")).unwrap_or_default();
            let path = format!("{path}?limit=100{after}");
            let answer = if is_last { person.get_at(self.head().await, &path).await } else { person.get(&path).await };
            let answer = answer.expect(200);
            let items = page(&answer)["items"].as_array().expect("messages");
            for message in items {
                assert!(seen.insert(id(message, "message_id")) || next.is_none(), "a message came twice: {message}");
            }
            next = page(&answer)["next"].as_str().map(str::to_owned).or(next);
            if is_last && items.is_empty() {
                return seen;
            }
        }
    }

    /// Follows a list that begins with the newest: reads back to the first message that is known.
    async fn read_back(&self, person: &Person, path: &str) -> BTreeSet<Uuid> {
        let mut seen = BTreeSet::new();
        loop {
            let is_last = self.is_over();
            let head = if is_last { self.head().await } else { 0 };
            let (mut new, mut after) = (BTreeSet::new(), String::new());
            'pages: loop {
                let answer = person.get_at(head, &format!("{path}?limit=20{after}")).await.expect(200);
                for message in answer["items"].as_array().expect("messages") {
                    let message_id = id(message, "message_id");
                    if seen.contains(&message_id) {
                        break 'pages;
                    }
                    new.insert(message_id);
                }
                let Some(next) = answer["next"].as_str() else { break };
                after = format!("&after={next}");
            }
            seen.append(&mut new);
            if is_last {
                return seen;
            }
        }
    }

    /// Reads the channel and moves the read marker to the last message that was read, until half of the messages are
    /// posted. Returns the messages that were read.
    async fn mark(&self, person: &Person) -> BTreeSet<Uuid> {
        let (mut seen, mut next) = (BTreeSet::new(), None::<String>);
        while self.begun.load(Ordering::SeqCst) < POSTERS * POSTS_EACH {
            let after = next.as_ref().map(|next| format!("&after={next}")).unwrap_or_default();
            let page = person.get(&self.team.general(&format!("/messages?limit=100{after}"))).await.expect(200);
            let items = page["items"].as_array().expect("messages");
            seen.extend(items.iter().map(|message| id(message, "message_id")));
            if let Some(last) = items.last() {
                let marker = json!({"message_id": last["message_id"]});
                let marked = person.put(&self.team.general("/read-marker"), marker).await.expect(200);
                assert_eq!(marked["created_at"], last["created_at"], "the marker has the moment of the message");
            }
            next = page["next"].as_str().map(str::to_owned).or(next);
        }
        seen
    }

    /// Lets people join, and reads the whole directory after each. Meanwhile one member takes another name again and
    /// again, and so does one channel.
    async fn join_and_list(&self, joiners: &[Person]) {
        let team = &self.team;
        let restless = team.channel(&team.owner, "public", "m-restless", &[]).await;
        let mut known = BTreeSet::from([team.owner.id]);
        for (n, joiner) in joiners.iter().enumerate() {
            let name = if n % 2 == 0 { "a" } else { "zz" };
            let profile = json!({"display_name": name});
            let channel = json!({"name": format!("{name}-restless")});
            let (name_of_channel, list) = (format!("/v1/channels/{restless}/name"), team.path("/directory?limit=2"));
            let rename = join(team.member.patch("/v1/users/me", profile), team.owner.put(&name_of_channel, channel));
            let position = team.take_in(joiner, "member").await;
            known.insert(joiner.id);
            let directory = self.walk(&list, "user_id", position);
            let ((first, second), found) = join(rename, directory).await;
            assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200), "{} {}", first.body, second.body);
            assert!(found.is_superset(&known), "the directory misses {:?}", known.difference(&found));
            let channels = self.walk(&team.path("/channels?scope=browse&limit=1"), "channel_id", position).await;
            assert!(channels.contains(&team.general), "the list of channels misses #general");
        }
    }

    /// Reads all pages of a list.
    async fn walk(&self, path: &str, key: &str, position: i64) -> BTreeSet<Uuid> {
        let (mut found, mut after) = (BTreeSet::new(), String::new());
        loop {
            let page = self.team.owner.get_at(position, &format!("{path}{after}")).await.expect(200);
            found.extend(page["items"].as_array().expect("items").iter().map(|item| id(item, key)));
            let Some(next) = page["next"].as_str() else { return found };
            after = format!("&after={next}");
        }
    }

    async fn head(&self) -> i64 {
        self.behind.app().commands.store().catch_up().await.expect("the head")
    }

    async fn unread(&self, person: &Person, app: &TestApp) -> usize {
        let counts = person.at(app).get_at(self.head().await, &self.team.path("/unread")).await.expect(200);
        let general = self.team.general.to_string();
        let channels = counts["channels"].as_array().expect("channels");
        let channel = channels.iter().find(|channel| channel["channel_id"] == general.as_str()).expect("#general");
        usize::try_from(channel["unread"].as_u64().expect("a count")).expect("a count")
    }
}

#[track_caller]
fn expect_nothing_missed(what: &str, posted: &BTreeSet<Uuid>, seen: &BTreeSet<Uuid>) {
    let missed = posted.difference(seen).count();
    assert_eq!(missed, 0, "a follower of the {what} missed {missed} of {}", posted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_follows_misses_a_message_over_two_servers_whose_clocks_differ() {
    let stage = &Stage::set().await;
    let (team, general) = (&stage.team, stage.team.general("/messages"));
    let thread = format!("/v1/messages/{}/thread", stage.root);
    let (mentions, pins) = (team.path("/mentions"), team.general("/pins"));
    let joiners = join_all((0..JOINERS).map(|n| stage.behind.sign_up(["bea", "cid", "dot", "eli"][n % JOINERS]))).await;
    let posters = stage.servers().into_iter().flat_map(|app| (0..POSTERS).map(move |_| team.owner.at(app))).collect::<Vec<_>>();

    let events = async {
        let posts = join_all(posters.iter().map(|poster| stage.post(poster)));
        join(posts, join(stage.import(), stage.join_and_list(&joiners))).await;
        stage.is_over.store(true, Ordering::SeqCst);
    };
    let topics = join_all(stage.servers().map(|app| async move { stage.change_topics(&team.owner.at(app)).await }));
    let followers = join_all(stage.servers().map(|app| {
        let member = team.member.at(app);
        let (stage, general, thread, mentions, pins) = (&stage, &general, &thread, &mentions, &pins);
        async move {
            let lists = join(stage.follow(&member, general, |page| page), stage.follow(&member, thread, |thread| &thread["replies"]));
            join(lists, join(stage.read_back(&member, mentions), stage.read_back(&member, pins))).await
        }
    }));
    let (seen, ((), (read, _))) = join(followers, join(events, join(stage.mark(&team.member.at(&stage.behind)), topics))).await;

    let mut posted = stage.posted.lock().map(|mut posted| std::mem::take(&mut *posted)).expect("a lock");
    for ((channel, replies), (mentioning, pinned)) in &seen {
        expect_nothing_missed("channel", &posted.channel, channel);
        expect_nothing_missed("thread", &posted.thread, replies);
        expect_nothing_missed("mentions", &posted.mentions, mentioning);
        expect_nothing_missed("pins", &posted.pins, pinned);
    }
    posted.moments.sort_unstable();
    assert!(posted.moments.is_sorted_by(|(_, one), (_, two)| one < two), "moments increase with positions");
    let unread = posted.channel.difference(&read).count();
    for app in stage.servers() {
        assert_eq!(stage.unread(&team.member, app).await, unread, "what was not read is unread");
    }
    stage.ahead.app().progress.wait_for(RELATIONAL, stage.head().await, Duration::from_secs(30)).await.expect("everything is projected");
    let rebuilt = projections::rebuild(&stage.ahead.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("a rebuild");
    assert_eq!(rebuilt.differences, vec![], "a rebuild gives every message the same moment");
}
