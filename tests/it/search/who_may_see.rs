//! No search ever reveals anything that the caller may not read: no text, no count, no name.

use std::collections::{BTreeMap, BTreeSet};

use api::app::Roles;
use serde_json::{Value, json};
use tests::TestApp;
use tests::person::Person;
use uuid::Uuid;

use super::fixture::{Backend, Fixture, texts};
use super::over_every_backend;

over_every_backend!(
    a_private_channel_looks_like_one_that_does_not_exist,
    guests_find_only_messages_of_their_channels,
    in_random_worlds_each_user_finds_what_a_plain_scan_of_their_readable_messages_finds,
);

/// The number of random worlds.
const WORLDS: u64 = 4;
/// The number of commands in each world.
const STEPS: usize = 60;
/// The words that users post and search for.
const WORDS: [&str; 5] = ["apple", "pear", "plum", "fig", "quince"];

async fn a_private_channel_looks_like_one_that_does_not_exist(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let secret = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    team.message(&team.owner, secret, "the treasure is in the garden").await;
    assert_eq!(fixture.find_as(&team.member, "treasure").await.len(), 1);
    let found = fixture.search(&team.guest, "treasure", "").await;
    assert_eq!((&found["total"], &found["items"]), (&json!(0), &json!([])));
    let shape = |problem: Value| {
        (problem["code"].clone(), problem["detail"].as_str().map(|detail| detail.replace("nowhere", "secret")), problem["field"].clone())
    };
    let of =
        async |name: &str| shape(fixture.ask(&team.guest, &format!("in:#{name}"), "").await.expect_problem(400, "search.query_invalid"));
    assert_eq!(of("secret").await, of("nowhere").await);
    fixture.ask(&team.stranger, "treasure", "").await.expect_problem(404, "workspace.not_found");
}

async fn guests_find_only_messages_of_their_channels(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let open = team.channel(&team.owner, "public", "open", &[]).await;
    team.message(&team.owner, open, "for members").await;
    fixture.say("for all").await;
    assert_eq!(fixture.find_as(&team.member, "for").await, ["for all", "for members"]);
    assert_eq!(fixture.find_as(&team.guest, "for").await, ["for all"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_finds_nothing_there_however_far_the_projection_lags() {
    let mut fixture = Fixture::start(Backend::Postgres).await;
    let secret = fixture.team.channel(&fixture.team.owner, "private", "secret", &[&fixture.team.member, &fixture.team.guest]).await;
    fixture.team.message(&fixture.team.owner, secret, "the treasure is in the garden").await;
    assert_eq!(fixture.find_as(&fixture.team.member, "treasure").await.len(), 1);

    // From now on nothing is projected: this server with the same database only answers requests.
    let still = Roles { http: true, relay: false, projectors: false };
    let answers = [("BACKSCROLL_POSTGRES_URL", fixture.app.database.url.as_str()), ("BACKSCROLL_NATS_STREAM", fixture.app.stream.as_str())];
    let lagging = TestApp::start_as(still, &answers).await;
    fixture.app.stop().await;
    let there = async |person: &Person, path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", lagging.url)).bearer_auth(&person.token);
        tests::person::send(request).await
    };
    let search = fixture.path("treasure", "");
    let total = async |person: &Person| there(person, &search).await.expect(200)["total"].clone();
    assert_eq!((total(&fixture.team.member).await, total(&fixture.team.guest).await), (json!(1), json!(1)));
    let removal = format!("{}/v1/channels/{secret}/members/{}", lagging.url, fixture.team.member.id);
    let removed = reqwest::Client::new().delete(removal).bearer_auth(&fixture.team.owner.token);
    tests::person::send(removed).await.expect(204);
    let left =
        reqwest::Client::new().delete(format!("{}/v1/channels/{secret}/membership", lagging.url)).bearer_auth(&fixture.team.guest.token);
    tests::person::send(left).await.expect(204);
    assert_eq!((total(&fixture.team.member).await, total(&fixture.team.guest).await), (json!(0), json!(0)));
    there(&fixture.team.member, &fixture.path("in:#secret", "")).await.expect_problem(400, "search.query_invalid");
    assert_eq!(total(&fixture.team.owner).await, json!(1));
}

/// The expected state of a workspace. It follows from the server's answers to commands.
struct World<'a> {
    fixture: &'a Fixture,
    people: Vec<&'a Person>,
    rooms: BTreeMap<Uuid, Channel>,
    messages: Vec<Message>,
    chance: u64,
}

struct Channel {
    kind: &'static str,
    members: BTreeSet<Uuid>,
    is_archived: bool,
}

struct Message {
    id: Uuid,
    channel: Uuid,
    author: Uuid,
    text: Option<String>,
}

async fn in_random_worlds_each_user_finds_what_a_plain_scan_of_their_readable_messages_finds(backend: Backend) {
    for seed in 1..=WORLDS {
        let fixture = Fixture::start(backend).await;
        let people = vec![&fixture.team.owner, &fixture.team.member, &fixture.team.guest];
        let everybody = people.iter().map(|person| person.id).collect();
        let general = Channel { kind: "public", members: everybody, is_archived: false };
        let rooms = BTreeMap::from([(fixture.team.general, general)]);
        let mut world = World { fixture: &fixture, people, rooms, messages: Vec::new(), chance: seed };
        for step in 0..STEPS {
            world.step().await;
            if step % 10 == 9 {
                world.check(seed).await;
            }
        }
    }
}

impl World<'_> {
    /// A random number below `end` (xorshift).
    fn below(&mut self, end: usize) -> usize {
        for shift in [13_i32, -7, 17] {
            self.chance ^= if shift > 0 { self.chance << shift } else { self.chance >> -shift };
        }
        usize::try_from(self.chance >> 33).expect("31 bits") % end.max(1)
    }

    fn person(&mut self) -> Person {
        let n = self.below(self.people.len());
        self.people[n].clone()
    }

    fn room(&mut self) -> Uuid {
        let n = self.below(self.rooms.len());
        *self.rooms.keys().nth(n).expect("a channel")
    }

    fn text(&mut self) -> String {
        (0..=self.below(3)).map(|_| WORDS[self.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
    }

    /// A random user tries a random command. A refused command changes nothing.
    async fn step(&mut self) {
        let (person, room) = (self.person(), self.room());
        match self.below(12) {
            0 | 1 => self.create(&person).await,
            2 => {
                let joined = person.put_empty(&format!("/v1/channels/{room}/membership")).await;
                self.moved(joined.status.is_success(), room, person.id, true);
            }
            3 => {
                let left = person.delete(&format!("/v1/channels/{room}/membership")).await;
                self.moved(left.status.is_success(), room, person.id, false);
            }
            4 => {
                let other = self.person();
                let added = person.post(&format!("/v1/channels/{room}/members"), json!({"user_id": other.id})).await;
                self.moved(added.status.is_success(), room, other.id, true);
            }
            5 => {
                let other = self.person();
                let removed = person.delete(&format!("/v1/channels/{room}/members/{}", other.id)).await;
                self.moved(removed.status.is_success(), room, other.id, false);
            }
            6 => {
                let archived = person.put_empty(&format!("/v1/channels/{room}/archived")).await;
                if archived.status.is_success() {
                    self.rooms.get_mut(&room).expect("a channel").is_archived = true;
                }
            }
            7 => self.change(&person, true).await,
            8 => self.change(&person, false).await,
            _ => self.post(&person, room).await,
        }
    }

    async fn create(&mut self, person: &Person) {
        let kind = ["public", "private", "dm"][self.below(3)];
        let other = self.person();
        let name = format!("room-{}", self.rooms.len());
        let body = match kind {
            "dm" => json!({"type": kind, "members": [other.id]}),
            _ => json!({"type": kind, "name": name, "members": [other.id]}),
        };
        let created = person.post(&self.fixture.team.path("/channels"), body).await;
        if created.status.is_success() {
            let members = BTreeSet::from([person.id, other.id]);
            let id = created.body["channel_id"].as_str().and_then(|id| id.parse().ok()).expect("a channel");
            self.rooms.entry(id).or_insert(Channel { kind, members, is_archived: false });
        }
    }

    fn moved(&mut self, happened: bool, room: Uuid, person: Uuid, is_in: bool) {
        let members = &mut self.rooms.get_mut(&room).expect("a channel").members;
        match (happened, is_in) {
            (true, true) => drop(members.insert(person)),
            (true, false) => drop(members.remove(&person)),
            (false, _) => {}
        }
    }

    async fn post(&mut self, person: &Person, room: Uuid) {
        let text = self.text();
        let posted = self.fixture.team.post(person, room, &text).await;
        if posted.status.is_success() {
            assert!(!self.rooms[&room].is_archived, "an archived channel accepts no message");
            let id = posted.body["message_id"].as_str().and_then(|id| id.parse().ok()).expect("a message");
            self.messages.push(Message { id, channel: room, author: person.id, text: Some(text) });
        }
    }

    /// Edits or deletes a message.
    async fn change(&mut self, person: &Person, edit: bool) {
        if self.messages.is_empty() {
            return;
        }
        let (n, text) = (self.below(self.messages.len()), self.text());
        let path = format!("/v1/messages/{}", self.messages[n].id);
        let answer = if edit { person.patch(&path, json!({"content": text})).await } else { person.delete(&path).await };
        if answer.status.is_success() {
            self.messages[n].text = edit.then_some(text);
        }
    }

    /// Checks that every user's search finds what a plain scan of their readable messages finds.
    async fn check(&self, seed: u64) {
        for (n, person) in self.people.iter().enumerate() {
            let is_guest = n == 2;
            let may_read = |room: &Channel| room.members.contains(&person.id) || (room.kind == "public" && !is_guest);
            let readable = |message: &&Message| may_read(&self.rooms[&message.channel]);
            for query in ["apple", "pear -plum", "\"fig quince\"", "from:me", "-apple"] {
                let scanned = self.messages.iter().filter(readable).filter_map(|message| scan(query, message, person.id));
                let mut scanned = scanned.collect::<Vec<_>>();
                let found = self.fixture.search(person, query, "&order=newest&limit=100").await;
                let mut texts = texts(&found);
                assert_eq!(found["total"], json!(scanned.len()), "world {seed}, person {n}, {query}");
                scanned.sort_unstable();
                texts.sort_unstable();
                assert_eq!(texts, scanned, "world {seed}, person {n}, {query}");
            }
        }
    }
}

/// The text of a message, if this query finds it. This scan supports only the queries of this test.
fn scan(query: &str, message: &Message, asker: Uuid) -> Option<String> {
    let text = message.text.clone()?;
    let has = |word: &str| text.split(' ').any(|said| said == word);
    let is_meant = match query {
        "apple" => has("apple"),
        "pear -plum" => has("pear") && !has("plum"),
        "\"fig quince\"" => text.contains("fig quince"),
        "from:me" => message.author == asker,
        "-apple" => !has("apple"),
        other => panic!("unknown query: {other}"),
    };
    is_meant.then_some(text)
}
