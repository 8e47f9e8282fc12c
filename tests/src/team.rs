//! A workspace with users in each role.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::person::Person;

/// A workspace with an owner, a member and a guest, and a user that is not in it.
pub struct Team {
    /// The identifier of the workspace.
    pub id: Uuid,
    /// Its #general channel.
    pub general: Uuid,
    /// The server's first user, who is in no workspace.
    pub operator: Person,
    /// The owner of the workspace.
    pub owner: Person,
    /// A member of the workspace.
    pub member: Person,
    /// A guest of the workspace, who is in #general.
    pub guest: Person,
    /// A user that is not in the workspace.
    pub stranger: Person,
}

/// The identifier in this field of an answer.
///
/// # Panics
/// Panics if the answer has no such identifier.
#[must_use]
#[track_caller]
pub fn id(body: &Value, field: &str) -> Uuid {
    body[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {field} in {body}"))
}

impl Team {
    /// Creates a workspace with its users.
    pub async fn found(app: &TestApp) -> Self {
        let operator = app.sign_up("operator").await;
        let (owner, member) = (app.sign_up("owner").await, app.sign_up("member").await);
        let (guest, stranger) = (app.sign_up("guest").await, app.sign_up("stranger").await);
        let created = owner.post("/v1/workspaces", json!({"name": "Acme"})).await;
        let position = created.position();
        let id = id(&created.expect(201), "workspace_id");
        let shown = owner.get_at(position, &format!("/v1/workspaces/{id}")).await.expect(200);
        let general = self::id(&shown, "general_channel_id");
        let team = Self { id, general, operator, owner, member, guest, stranger };
        team.take_in(&team.member, "member").await;
        team.take_in_guest(&team.guest).await;
        team
    }

    /// Makes a user a guest who is in #general: they join as a member, and become a guest then. No message of the
    /// channel mentions anybody, unlike with [`Team::add_to_general`].
    ///
    /// # Panics
    /// Panics if the server refuses.
    pub async fn take_in_guest(&self, guest: &Person) {
        self.take_in(guest, "member").await;
        self.owner.put(&self.path(&format!("/members/{}/role", guest.id)), json!({"role": "guest"})).await.expect(200);
    }

    /// Adds a guest to #general. Other members join it by themselves.
    ///
    /// # Panics
    /// Panics if the server refuses.
    pub async fn add_to_general(&self, guest: &Person) {
        self.owner.post(&self.general("/members"), json!({"user_id": guest.id})).await.expect(200);
    }

    /// Invites a user, who accepts the invitation.
    pub async fn take_in(&self, person: &Person, role: &str) -> i64 {
        let token = self.invite(&person.email, role).await;
        let accepted = person.post(&format!("/v1/invitations/{token}/acceptance"), json!({})).await;
        let position = accepted.position();
        accepted.expect(200);
        position
    }

    /// Invites an email address, and returns the token.
    ///
    /// # Panics
    /// Panics if the server refuses.
    pub async fn invite(&self, email: &str, role: &str) -> String {
        let invited = self.owner.post(&self.path("/invitations"), json!({"email": email, "role": role})).await.expect(201);
        invited["token"].as_str().expect("a token").to_owned()
    }

    /// A path below the path of the workspace.
    #[must_use]
    pub fn path(&self, below: &str) -> String {
        format!("/v1/workspaces/{}{below}", self.id)
    }

    /// A path below the path of #general.
    #[must_use]
    pub fn general(&self, below: &str) -> String {
        format!("/v1/channels/{}{below}", self.general)
    }

    /// Creates a channel as this user, with these members.
    pub async fn channel(&self, by: &Person, kind: &str, name: &str, members: &[&Person]) -> Uuid {
        let members = members.iter().map(|person| person.id).collect::<Vec<_>>();
        let created = by.post(&self.path("/channels"), json!({"type": kind, "name": name, "members": members})).await;
        id(&created.expect(201), "channel_id")
    }

    /// Posts to a channel as this user, and returns the answer.
    pub async fn post(&self, by: &Person, channel: Uuid, text: &str) -> Answer {
        by.post(&format!("/v1/channels/{channel}/messages"), json!({"content": text})).await
    }

    /// Posts to a channel as this user, and returns the message's identifier.
    pub async fn message(&self, by: &Person, channel: Uuid, text: &str) -> Uuid {
        id(&self.post(by, channel, text).await.expect(201), "message_id")
    }
}
