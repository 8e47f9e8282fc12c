//! The people of the tour: a ferry company, its crew and their channels.

use serde_json::json;
use uuid::Uuid;

use crate::team::id;
use crate::{Person, Team, TestApp};

/// The name and the username of each crew member, beside the team's four users.
const CREW: [(&str, &str); 12] = [
    ("Ilse Brandt", "ilse"),
    ("Teodor Vance", "teodor"),
    ("Amina Okoro", "amina"),
    ("Piet de Groot", "piet"),
    ("Sunniva Lie", "sunniva"),
    ("Rafael Quint", "rafael"),
    ("Noor Haddad", "noor"),
    ("Jonas Feld", "jonas"),
    ("Keiko Mori", "keiko"),
    ("Bram Oost", "bram"),
    ("Lucia Ferro", "lucia"),
    ("Edda Winter", "edda"),
];

/// A company that runs ferries.
pub struct Company {
    /// The workspace with its owner, a member, a guest, a stranger and the server's operator.
    pub team: Team,
    /// The other members.
    pub crew: Vec<Person>,
    /// The public channel whose newest page stands in the manifest.
    pub logbook: Uuid,
    /// A private channel.
    pub engine_room: Uuid,
    /// A direct conversation of two people.
    pub direct: Uuid,
    /// A group conversation.
    pub group: Uuid,
}

impl Company {
    pub(super) async fn found(app: &TestApp) -> Self {
        // The server's first user is its operator.
        let operator = app.sign_up_as("Harbour Master", "harbourmaster").await;
        let owner = app.sign_up_as("Mara Tide", "mara").await;
        let (member, guest) = (app.sign_up_as("Ole Sund", "ole").await, app.sign_up_as("Gesa Pilot", "gesa").await);
        let stranger = app.sign_up_as("Vera Fremd", "vera").await;
        let new = json!({"name": "Tidewater Ferry", "domain": "ferry.example.org", "description": "Two ferries, one bell, no hurry."});
        let created = owner.post("/v1/workspaces", new).await;
        let position = created.position();
        let id = id(&created.expect(201), "workspace_id");
        let shown = owner.get_at(position, &format!("/v1/workspaces/{id}")).await.expect(200);
        let general = crate::team::id(&shown, "general_channel_id");
        let team = Team { id, general, operator, owner, member, guest, stranger };
        team.take_in(&team.member, "admin").await;
        team.take_in_guest(&team.guest).await;
        let mut crew = Vec::new();
        for (name, username) in CREW {
            let person = app.sign_up_as(name, username).await;
            team.take_in(&person, "member").await;
            crew.push(person);
        }
        Self::with_channels(team, crew).await
    }

    async fn with_channels(team: Team, crew: Vec<Person>) -> Self {
        let everybody = crew.iter().chain([&team.member]).collect::<Vec<_>>();
        let logbook = team.channel(&team.owner, "public", "logbook", &everybody).await;
        let engine_room = team.channel(&team.member, "private", "engine-room", &everybody[..4]).await;
        let direct = conversation(&team, &crew[0], "dm", &[crew[1].id]).await;
        let group = conversation(&team, &crew[2], "group_dm", &[crew[3].id, crew[4].id]).await;
        Self { team, crew, logbook, engine_room, direct, group }
    }

    /// The same company, used at a restarted server.
    pub(super) fn at(self, app: &TestApp) -> Self {
        let Team { id, general, operator, owner, member, guest, stranger } = self.team;
        let [operator, owner, member, guest, stranger] = [operator, owner, member, guest, stranger].map(|person| person.at(app));
        let crew = self.crew.iter().map(|person| person.at(app)).collect();
        Self { team: Team { id, general, operator, owner, member, guest, stranger }, crew, ..self }
    }

    /// The `n`th member of the crew. The count begins again after the last one.
    #[must_use]
    pub fn sailor(&self, n: usize) -> &Person {
        &self.crew[n % self.crew.len()]
    }
}

async fn conversation(team: &Team, by: &Person, kind: &str, with: &[Uuid]) -> Uuid {
    let created = by.post(&team.path("/channels"), json!({"type": kind, "members": with})).await;
    id(&created.expect(201), "channel_id")
}
