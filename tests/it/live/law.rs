//! A user gets by pages of changes, and by a socket, exactly the events that they may see at the position of each event
//! and now. The test computes these from the log by itself. In random worlds, with writers and readers at two servers at
//! once. The sockets are closed and opened again at random, at either server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{DecodeError, Event, Recorded};
use futures::future::{join, join_all};
use serde_json::{Value, json};
use tests::{Person, Socket, Team, TestApp, eventually};
use uuid::Uuid;

/// The number of random worlds.
const WORLDS: u64 = 2;
/// The number of commands of each writer.
const STEPS: usize = 90;
/// The writers at each server.
const WRITERS: usize = 2;

/// A random sequence (xorshift).
struct Chance(u64);

impl Chance {
    /// A random number below `end`.
    fn below(&mut self, end: usize) -> usize {
        for shift in [13_i32, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        usize::try_from(self.0 >> 33).expect("31 bits") % end.max(1)
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

struct World {
    // The server that uses the other one's database is dropped first.
    second: TestApp,
    first: TestApp,
    team: Team,
    people: Vec<Person>,
    rooms: Mutex<Vec<Uuid>>,
    messages: Mutex<Vec<Uuid>>,
    is_over: AtomicBool,
}

/// A frame that a user got, and the cursor of its page.
type Got = (Value, i64);

impl World {
    async fn create() -> Self {
        let quick = [("BACKSCROLL_LIVE_FRAMES_PER_SECOND_MAX", "10000")];
        let first = TestApp::start_with(&quick).await;
        // What a client missed comes from memory at the first server, and from the log at the second one.
        let second = super::second_with(&first, &[&quick[..], &[("BACKSCROLL_LIVE_TAIL_EVENTS", "0")]].concat()).await;
        let team = Team::found(&first).await;
        let mut people = vec![team.owner.clone(), team.member.clone(), team.guest.clone()];
        for name in ["ida", "jon"] {
            let person = first.sign_up(name).await;
            team.take_in(&person, "member").await;
            people.push(person);
        }
        let (rooms, messages) = (Mutex::new(vec![team.general]), Mutex::default());
        Self { second, first, team, people, rooms, messages, is_over: AtomicBool::new(false) }
    }

    fn servers(&self) -> [&TestApp; 2] {
        [&self.first, &self.second]
    }

    /// Random people try random commands. A refused command changes nothing.
    async fn write(&self, app: &TestApp, mut chance: Chance) {
        for _ in 0..STEPS {
            let (person, other) = (chance.one_of(&self.people).at(app), chance.one_of(&self.people));
            let room = chance.one_of(&self.rooms.lock().expect("a lock"));
            self.step(&person, &other, room, &mut chance).await;
        }
    }

    fn message(&self, chance: &mut Chance) -> Option<Uuid> {
        let messages = self.messages.lock().expect("a lock");
        (!messages.is_empty()).then(|| chance.one_of(&messages))
    }

    async fn step(&self, person: &Person, other: &Person, room: Uuid, chance: &mut Chance) {
        let channel = |below: &str| format!("/v1/channels/{room}{below}");
        let answer = match chance.below(24) {
            0 | 1 => return self.create_room(person, other, chance).await,
            2 => person.put_empty(&channel("/membership")).await,
            3 => person.delete(&channel("/membership")).await,
            4 | 5 => person.post(&channel("/members"), json!({"user_id": other.id})).await,
            6 | 7 => person.delete(&channel(&format!("/members/{}", other.id))).await,
            8 => person.put(&channel("/topic"), json!({"topic": format!("topic {}", chance.below(100))})).await,
            9 => person.put(&channel("/notification-level"), json!({"level": "mentions"})).await,
            10 => person.patch("/v1/users/me", json!({"display_name": format!("Name {}", chance.below(100))})).await,
            11 => {
                let role = chance.one_of(&["guest", "member", "admin"]);
                self.team.owner.put(&self.team.path(&format!("/members/{}/role", other.id)), json!({"role": role})).await
            }
            12 => self.team.owner.put_empty(&self.team.path(&format!("/members/{}/deactivation", other.id))).await,
            13 | 14 => self.team.owner.delete(&self.team.path(&format!("/members/{}/deactivation", other.id))).await,
            15..=17 => {
                let Some(message) = self.message(chance) else { return };
                let path = format!("/v1/messages/{message}");
                match chance.below(4) {
                    0 => person.patch(&path, json!({"content": format!("edited {}", chance.below(1000))})).await,
                    1 => person.delete(&path).await,
                    2 => person.put_empty(&format!("{path}/pin")).await,
                    _ => person.put_empty(&format!("{path}/reactions/tada")).await,
                }
            }
            _ => {
                let posted = person.post(&channel("/messages"), json!({"content": format!("text {}", chance.below(1000))})).await;
                if let Some(message) = posted.body["message_id"].as_str().and_then(|id| id.parse().ok()) {
                    self.messages.lock().expect("a lock").push(message);
                }
                posted
            }
        };
        assert!(!answer.status.is_server_error() || answer.status == 503, "{}: {}", answer.asked, answer.body);
    }

    async fn create_room(&self, person: &Person, other: &Person, chance: &mut Chance) {
        let body = match chance.below(3) {
            0 => json!({"type": "dm", "members": [other.id]}),
            n => {
                json!({"type": (["public", "private"][n - 1]), "name": format!("room-{}", Uuid::now_v7().simple()), "members": [other.id]})
            }
        };
        let created = person.post(&self.team.path("/channels"), body).await;
        if let Some(room) = created.body["channel_id"].as_str().and_then(|id| id.parse().ok()) {
            let mut rooms = self.rooms.lock().expect("a lock");
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
    }

    /// Pages behind `after`, as `person`, up to the end of the log. `None` if the person is refused.
    async fn pages(&self, person: &Person, mut after: String, chance: &mut Chance) -> Option<(Vec<Got>, String)> {
        let mut all = Vec::new();
        loop {
            let (limit, app) = (1 + chance.below(100), chance.one_of(&self.servers()));
            let answer = person.at(app).get(&self.team.path(&format!("/changes?limit={limit}&after={after}"))).await;
            if [401, 403, 404].contains(&answer.status.as_u16()) {
                return None;
            }
            let page = answer.expect(200);
            assert_eq!(page["reset"], Value::Null);
            after = page["next"].as_str().expect("a cursor").to_owned();
            let next = after.split_once(':').and_then(|(_, position)| position.parse().ok()).expect("a position");
            all.extend(page["items"].as_array().expect("frames").iter().map(|frame| (frame.clone(), next)));
            if page["has_more"] == false {
                return Some((all, after));
            }
        }
    }

    /// Follows the changes as long as the writers write, and then up to the end.
    async fn follow(&self, person: &Person, begin: &str, mut chance: Chance) -> Vec<Got> {
        let (mut all, mut after) = (Vec::new(), begin.to_owned());
        loop {
            let is_last = self.is_over.load(Ordering::SeqCst);
            if let Some((more, next)) = self.pages(person, after.clone(), &mut chance).await {
                all.extend(more);
                after = next;
            }
            if is_last {
                return all;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl World {
    /// Follows by sockets as long as the writers write, and then up to the end.
    async fn follow_by_sockets(&self, person: &Person, begin: &str, mut chance: Chance) -> Vec<Got> {
        let (mut all, mut after) = (Vec::new(), begin.to_owned());
        loop {
            let is_last = self.is_over.load(Ordering::SeqCst);
            if is_last {
                self.hubs_reach_the_end().await;
            }
            let mut socket = person.at(chance.one_of(&self.servers())).socket_after(&after).await;
            for _ in 0..=chance.below(12) {
                all.extend(frames_so_far(&mut socket).await);
            }
            after.clone_from(&socket.cursor);
            if is_last {
                return all;
            }
        }
    }

    /// Waits until both servers have given all events of the log to their sockets.
    async fn hubs_reach_the_end(&self) {
        let end = self.first.app().commands.store().catch_up().await.expect("the end of the log");
        let reached = async || self.servers().iter().all(|app| app.app().hub.stats().position() >= end);
        eventually("the sockets got everything", reached).await;
    }
}

/// The events that a socket has got when the server answers a ping. Each was judged at its position or later.
async fn frames_so_far(socket: &mut Socket) -> Vec<Got> {
    socket.send(json!({"type": "ping"})).await;
    let mut frames = Vec::new();
    loop {
        let frame = socket.next().await.expect("an open socket");
        match frame["type"].as_str() {
            Some("event") => frames.push((frame.clone(), position(&frame))),
            Some("pong") => return frames,
            other => panic!("{other:?}: {frame}"),
        }
    }
}

/// The state that the test computes: the members of the workspace with their roles, and the members of each room.
#[derive(Clone, Default)]
struct State {
    members: BTreeMap<Uuid, (String, bool)>,
    rooms: BTreeMap<Uuid, (String, BTreeSet<Uuid>)>,
}

/// An event of the log, as JSON.
struct Logged {
    position: i64,
    name: String,
    id: Uuid,
    payload: Value,
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl State {
    fn apply(&mut self, event: &Logged) {
        let (payload, user) = (&event.payload, uuid(&event.payload["user_id"]));
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        match event.name.as_str() {
            "workspace.member_joined" => drop(self.members.insert(user, (text("role"), true))),
            "workspace.member_role_changed" => self.members.get_mut(&user).expect("a member").0 = text("role"),
            "workspace.member_deactivated" => self.members.get_mut(&user).expect("a member").1 = false,
            "workspace.member_reactivated" => self.members.get_mut(&user).expect("a member").1 = true,
            "channel.created" => drop(self.rooms.insert(event.id, (text("kind"), BTreeSet::new()))),
            "channel.member_joined" => drop(self.rooms.get_mut(&event.id).expect("a room").1.insert(user)),
            "channel.member_left" | "channel.member_removed" => drop(self.rooms.get_mut(&event.id).expect("a room").1.remove(&user)),
            _ => {}
        }
    }

    fn is_guest(&self, user: Uuid) -> bool {
        self.members.get(&user).is_some_and(|(role, _)| role == "guest")
    }

    fn reads(&self, me: Uuid, room: Uuid) -> bool {
        self.rooms.get(&room).is_some_and(|(kind, members)| members.contains(&me) || (kind == "public" && !self.is_guest(me)))
    }

    fn sees(&self, me: Uuid, person: Uuid) -> bool {
        let shares = || self.rooms.values().any(|(_, members)| members.contains(&me) && members.contains(&person));
        me == person || !self.is_guest(me) || shares()
    }

    fn shows(&self, me: Uuid, event: &Logged, room_of: &BTreeMap<Uuid, Uuid>) -> bool {
        let Some((role, true)) = self.members.get(&me) else { return false };
        let (payload, user) = (&event.payload, uuid(&event.payload["user_id"]));
        let is_active = |person: Uuid| self.members.get(&person).is_some_and(|(_, is_active)| *is_active);
        match event.name.as_str() {
            "workspace.created" | "user.registered" => false,
            "workspace.member_invited" | "workspace.invitation_revoked" => role == "owner" || role == "admin",
            "workspace.handed_over" => self.sees(me, uuid(&payload["from"])) && self.sees(me, uuid(&payload["to"])),
            "channel.notification_level_changed" => user == me && self.reads(me, event.id),
            "user.profile_changed" => is_active(event.id) && self.sees(me, event.id),
            name if name.starts_with("message.") => room_of.get(&event.id).is_some_and(|room| self.reads(me, *room)),
            name if name.starts_with("channel.") => self.reads(me, event.id),
            name if name.starts_with("workspace.member_") => self.sees(me, user),
            name if name.starts_with("workspace.") => true,
            name => {
                assert!(!name.starts_with("user."), "the worlds have no {name}");
                false
            }
        }
    }
}

/// The log of a world, and the state after each position.
struct Log {
    events: Vec<Logged>,
    states: Vec<State>,
    /// The room of each message, and its text now.
    room_of: BTreeMap<Uuid, Uuid>,
    texts: BTreeMap<Uuid, String>,
}

impl Log {
    async fn read(world: &World) -> Self {
        let stores = &world.first.app().stores;
        let mut log = Self { events: Vec::new(), states: vec![State::default()], room_of: BTreeMap::new(), texts: BTreeMap::new() };
        let each = |recorded: Result<Recorded<Event>, DecodeError>| log.add(&recorded.expect("an event"));
        stores::log::read_log(&stores.pool, &stores.keys, each).await.expect("the log");
        log
    }

    fn add(&mut self, recorded: &Recorded<Event>) {
        let name = recorded.event.wire_name().to_owned();
        let payload = serde_json::to_value(&recorded.event).expect("JSON")[&name].take();
        let event = Logged { position: recorded.position, name, id: recorded.stream.id, payload };
        match event.name.as_str() {
            "message.posted" => drop(self.room_of.insert(event.id, uuid(&event.payload["channel_id"]))),
            "message.deleted" => drop(self.texts.insert(event.id, String::new())),
            _ => {}
        }
        if let Some(text) = event.payload["content"].as_str().filter(|_| event.name.starts_with("message.")) {
            self.texts.insert(event.id, text.to_owned());
        }
        let mut state = self.states.last().cloned().unwrap_or_default();
        state.apply(&event);
        assert_eq!(usize::try_from(event.position), Ok(self.states.len()), "positions have no gap");
        self.states.push(state);
        self.events.push(event);
    }

    fn end(&self) -> &State {
        self.states.last().expect("a state")
    }

    fn at(&self, position: i64) -> &State {
        &self.states[usize::try_from(position).expect("a position")]
    }

    fn is_own_removal(event: &Logged, me: Uuid) -> bool {
        let removals = ["channel.member_left", "channel.member_removed", "workspace.member_deactivated"];
        removals.contains(&event.name.as_str()) && uuid(&event.payload["user_id"]) == me
    }

    /// The positions that a user gets who reads behind `after` now.
    fn expected(&self, me: Uuid, after: i64) -> Vec<i64> {
        let shown = |event: &&Logged| {
            let is_shown = |state: &State| state.shows(me, event, &self.room_of);
            event.position > after && (Self::is_own_removal(event, me) || (is_shown(self.at(event.position)) && is_shown(self.end())))
        };
        self.events.iter().filter(shown).map(|event| event.position).collect()
    }

    /// Checks the events that a user got while others wrote: everything once and in order, nothing that they could not
    /// see when it happened and at some moment after it was asked for, and everything that they could see all the time.
    fn check_followed(&self, person: &Person, got: &[Got]) {
        let positions = got.iter().map(|(frame, _)| position(frame)).collect::<Vec<_>>();
        assert!(positions.is_sorted_by(|one, two| one < two), "{} got frames twice or out of order", person.username);
        for (frame, next) in got {
            let event = &self.events[usize::try_from(position(frame) - 1).expect("an index")];
            let shows = |state: &State| state.shows(person.id, event, &self.room_of);
            let later = &self.states[usize::try_from(*next).expect("a position")..];
            let may = Self::is_own_removal(event, person.id) || (shows(self.at(event.position)) && later.iter().any(shows));
            assert!(may, "{} got {} at {}, which they may not see: {frame}", person.username, event.name, event.position);
        }
        if self.end().members.get(&person.id).is_none_or(|(_, is_active)| !is_active) {
            return;
        }
        let got = positions.into_iter().collect::<BTreeSet<_>>();
        for event in &self.events {
            let after = &self.states[usize::try_from(event.position).expect("a position")..];
            let is_sure = after.iter().all(|state| state.shows(person.id, event, &self.room_of));
            assert!(!is_sure || got.contains(&event.position), "{} missed {} at {}", person.username, event.name, event.position);
        }
    }

    /// Checks that a user got each of their own removals, also if they came back since.
    fn check_removals(&self, person: &Person, got: &[Got]) {
        let got = got.iter().map(|(frame, _)| position(frame)).collect::<BTreeSet<_>>();
        let removals = self.events.iter().filter(|event| Self::is_own_removal(event, person.id));
        removals
            .for_each(|event| assert!(got.contains(&event.position), "{} missed {} at {}", person.username, event.name, event.position));
    }

    fn check_texts(&self, got: &[Got]) {
        for (frame, _) in got.iter().filter(|(frame, _)| !frame["message"].is_null()) {
            let message = &frame["message"];
            assert_eq!(message["content"].as_str(), self.texts.get(&uuid(&message["message_id"])).map(String::as_str), "{frame}");
        }
    }
}

fn position(frame: &Value) -> i64 {
    frame["position"].as_i64().expect("a position")
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_an_own_fold_of_the_log_shows_them_once_and_in_order() {
    for seed in 1..=WORLDS {
        let world = &World::create().await;
        let page = world.team.owner.get(&world.team.path("/changes")).await.expect(200);
        let log_id = page["log_id"].as_str().expect("an identifier").to_owned();
        let begin = format!("{log_id}:0");
        let writers = world.servers().into_iter().flat_map(|app| (0..WRITERS).map(move |n| (app, n)));
        let writers = writers.enumerate().map(|(n, (app, _))| world.write(app, Chance(seed * 1_000 + n as u64 + 1)));
        let writing = async {
            join_all(writers).await;
            world.is_over.store(true, Ordering::SeqCst);
        };
        let following = world.people.iter().enumerate().map(|(n, person)| world.follow(person, &begin, Chance(seed * 77 + n as u64 + 1)));
        let chance = |n: usize| Chance(seed * 7_777 + n as u64 + 1);
        let by_sockets = world.people.iter().enumerate().map(|(n, person)| world.follow_by_sockets(person, &begin, chance(n)));
        let ((), (followed, by_sockets)) = join(writing, join(join_all(following), join_all(by_sockets))).await;
        let log = Log::read(world).await;
        let mut chance = Chance(seed);
        for (person, got) in world.people.iter().zip(by_sockets) {
            log.check_followed(person, &got);
            log.check_removals(person, &got);
            let mut socket = person.at(chance.one_of(&world.servers())).socket_after(&begin).await;
            let got = frames_so_far(&mut socket).await;
            let positions = got.iter().map(|(frame, _)| position(frame)).collect::<Vec<_>>();
            assert_eq!(positions, log.expected(person.id, 0), "{} by a socket, seed {seed}", person.username);
            log.check_texts(&got);
        }
        for (person, got) in world.people.iter().zip(followed) {
            log.check_followed(person, &got);
            let is_active = log.end().members.get(&person.id).is_some_and(|(_, is_active)| *is_active);
            for after in [0, i64::try_from(chance.below(log.events.len())).expect("a position")] {
                let read = world.pages(person, format!("{log_id}:{after}"), &mut chance).await;
                assert_eq!(read.is_some(), is_active, "{}", person.username);
                let Some((got, _)) = read else { continue };
                let positions = got.iter().map(|(frame, _)| position(frame)).collect::<Vec<_>>();
                assert_eq!(positions, log.expected(person.id, after), "{} behind {after}, seed {seed}", person.username);
                log.check_texts(&got);
            }
        }
    }
}
