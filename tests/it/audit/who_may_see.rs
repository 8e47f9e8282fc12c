//! No reader sees an entry of another workspace, or a text of a conversation that they may not read. The test compares
//! the audit with a plain record of every text, in random worlds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::person::Person;
use tests::{Team, TestApp};
use uuid::Uuid;

use super::audit;

const WORLDS: u64 = 3;
const STEPS: usize = 30;

/// The expected state of a conversation.
struct Room {
    workspace: Uuid,
    kind: &'static str,
    members: BTreeSet<Uuid>,
    said: BTreeSet<String>,
}

struct World {
    app: TestApp,
    teams: [Team; 2],
    rooms: BTreeMap<Uuid, Room>,
    said: usize,
    chance: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn in_random_worlds_no_user_sees_another_workspace_or_a_withheld_text() {
    for seed in 1..=WORLDS {
        let app = TestApp::start().await;
        let teams = [Team::found(&app).await, Team::found(&app).await];
        let mut world = World { app, teams, rooms: BTreeMap::new(), said: 0, chance: seed };
        for team in &world.teams {
            let members = [&team.owner, &team.member, &team.guest].map(|person| person.id);
            world.rooms.insert(team.general, Room { workspace: team.id, kind: "public", members: members.into(), said: BTreeSet::new() });
        }
        for _ in 0..STEPS {
            world.step().await;
        }
        world.check(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_compliance_permission_shows_texts_and_only_an_owner_grants_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.member, "private", "secret", &[]).await;
    let message = team.message(&team.member, secret, "hush").await;
    let posted = format!("&aggregate_id={message}");
    let before = audit(&app, &team, &team.owner, &posted).await;
    assert_eq!((&before[0]["withheld"], &before[0]["payload"]["message.posted"]["content"]), (&json!(true), &Value::Null));
    let log = team.owner.get(&team.path(&format!("/log?aggregate_id={message}"))).await.expect(200);
    assert_eq!((&log["items"][0]["withheld"], log.to_string().contains("hush")), (&json!(true), false));

    let permissions = json!({"permissions": {"compliance.read": true}});
    let of_member = team.path(&format!("/members/{}/permissions", team.member.id));
    team.member.put(&of_member, permissions.clone()).await.expect_problem(403, "access.forbidden");
    team.owner.put(&team.path(&format!("/members/{}/permissions", team.owner.id)), permissions).await.expect(200);
    let after = audit(&app, &team, &team.owner, &posted).await;
    assert_eq!((&after[0]["withheld"], &after[0]["payload"]["message.posted"]["content"]), (&json!(false), &json!("hush")));
    assert_eq!(audit(&app, &team, &team.owner, "&command=permissions").await.len(), 1, "the grant is in the audit");
}

impl World {
    /// A random number below `end` (xorshift).
    fn below(&mut self, end: usize) -> usize {
        for shift in [13_i32, -7, 17] {
            self.chance ^= if shift > 0 { self.chance << shift } else { self.chance >> -shift };
        }
        usize::try_from(self.chance >> 33).expect("31 bits") % end.max(1)
    }

    fn somebody(&mut self) -> (usize, Person) {
        let (team, person) = (self.below(2), self.below(3));
        let of_team = &self.teams[team];
        (team, [&of_team.owner, &of_team.member, &of_team.guest][person].clone())
    }

    fn room(&mut self) -> Uuid {
        let n = self.below(self.rooms.len());
        *self.rooms.keys().nth(n).expect("a room")
    }

    /// A random user tries a random command. A refused command changes nothing.
    async fn step(&mut self) {
        let (team, person) = self.somebody();
        let (_, other) = self.somebody();
        let room = self.room();
        match self.below(6) {
            0 | 1 => self.create(team, &person, &other).await,
            2 => {
                let left = person.delete(&format!("/v1/channels/{room}/membership")).await;
                if left.status.is_success() {
                    self.rooms.get_mut(&room).expect("a room").members.remove(&person.id);
                }
            }
            3 => {
                let added = person.post(&format!("/v1/channels/{room}/members"), json!({"user_id": other.id})).await;
                if added.status.is_success() {
                    self.rooms.get_mut(&room).expect("a room").members.insert(other.id);
                }
            }
            _ => self.say(&person, room).await,
        }
    }

    async fn create(&mut self, team: usize, person: &Person, other: &Person) {
        let kind = ["public", "private", "dm"][self.below(3)];
        let body = match kind {
            "dm" => json!({"type": kind, "members": [other.id]}),
            _ => json!({"type": kind, "name": format!("room-{}", self.rooms.len()), "members": [other.id]}),
        };
        let created = person.post(&self.teams[team].path("/channels"), body).await;
        if created.status.is_success() {
            let id = created.body["channel_id"].as_str().and_then(|id| id.parse().ok()).expect("a channel");
            let (workspace, members) = (self.teams[team].id, BTreeSet::from([person.id, other.id]));
            self.rooms.entry(id).or_insert(Room { workspace, kind, members, said: BTreeSet::new() });
        }
    }

    /// Posts a text, and sometimes edits or deletes the message.
    async fn say(&mut self, person: &Person, room: Uuid) {
        let text = self.text();
        let posted = person.post(&format!("/v1/channels/{room}/messages"), json!({"content": text})).await;
        if !posted.status.is_success() {
            return;
        }
        self.rooms.get_mut(&room).expect("a room").said.insert(text);
        let message = posted.body["message_id"].as_str().expect("a message").to_owned();
        match self.below(3) {
            0 => {
                let text = self.text();
                person.patch(&format!("/v1/messages/{message}"), json!({"content": text})).await.expect(200);
                self.rooms.get_mut(&room).expect("a room").said.insert(text);
            }
            1 => drop(person.delete(&format!("/v1/messages/{message}")).await),
            _ => drop(person.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await),
        }
    }

    /// A text that no user has posted before.
    fn text(&mut self) -> String {
        self.said += 1;
        format!("text-{:04}", self.said)
    }

    /// Checks the whole audit of each owner: it has every text that the owner may read, and no other text.
    async fn check(&self, seed: u64) {
        for team in &self.teams {
            let entries = self.whole(team).await;
            let text = Value::Array(entries.clone()).to_string();
            for room in self.rooms.values() {
                let may_read = room.workspace == team.id && (room.kind == "public" || room.members.contains(&team.owner.id));
                for said in &room.said {
                    assert_eq!(text.contains(said), may_read, "world {seed}: {said}, said in a {} of {}", room.kind, room.workspace);
                }
            }
            let own = team.id.to_string();
            assert!(entries.iter().all(|entry| entry["workspace_id"].is_null() || entry["workspace_id"] == own), "world {seed}");
            let posted = entries.iter().filter(|entry| entry["event_type"] == "message.posted");
            let withheld = posted.filter(|entry| entry["withheld"] == true && entry["payload"]["message.posted"]["kind"].is_null()).count();
            let hidden = self
                .rooms
                .values()
                .filter(|room| room.workspace == team.id && room.kind != "public" && !room.members.contains(&team.owner.id));
            let at_least = hidden.map(|room| usize::from(!room.said.is_empty())).sum::<usize>();
            assert!(withheld >= at_least, "world {seed}: {withheld} are marked");
        }
    }

    async fn whole(&self, team: &Team) -> Vec<Value> {
        let mut entries = audit(&self.app, team, &team.owner, "").await;
        while entries.len().is_multiple_of(100) && !entries.is_empty() {
            let last = entries.last().expect("an entry")["position"].as_i64().expect("a position");
            let more = audit(&self.app, team, &team.owner, &format!("&before_position={last}")).await;
            if more.is_empty() {
                break;
            }
            entries.extend(more);
        }
        entries
    }
}
