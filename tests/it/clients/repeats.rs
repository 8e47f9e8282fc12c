//! A repeated `PUT` or `DELETE` without a key succeeds: it is so already. The log has one event.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::{Person, Team, TestApp};
use uuid::Uuid;

/// Operations whose repetition cannot succeed, or is tested elsewhere, with the reason.
const ELSEWHERE: [(&str, &str); 3] = [
    ("cancel_replay", "needs a running replay: tests/it/http/replays.rs"),
    ("change_password", "names the current password, which is another one the second time"),
    ("drop_view", "needs a view: tests/it/http/replays.rs"),
];

/// Operations that are not in the log.
const NOT_IN_THE_LOG: [&str; 5] = ["announce_presence", "announce_typing", "end_presence", "mark_everything_read", "move_read_marker"];

/// A request that is sent twice.
struct Repeat<'a> {
    operation: &'static str,
    by: &'a Person,
    method: Method,
    path: String,
    body: Option<Value>,
}

impl<'a> Repeat<'a> {
    fn put(operation: &'static str, by: &'a Person, path: impl Into<String>) -> Self {
        Self { operation, by, method: Method::PUT, path: path.into(), body: None }
    }

    fn delete(operation: &'static str, by: &'a Person, path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::put(operation, by, path) }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    async fn send(&self) -> Answer {
        let request = self.by.request(self.method.clone(), &self.path);
        send(match &self.body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }
}

async fn events(app: &TestApp) -> i64 {
    // The server records the first key of the proof some seconds after its start.
    let counted = "SELECT count(*) FROM events WHERE aggregate_type <> 'installation'";
    sqlx::query_scalar(counted).fetch_one(&app.app().pool).await.expect("a count")
}

/// Sends each request twice.
async fn repeat(app: &TestApp, requests: Vec<Repeat<'_>>, done: &mut BTreeSet<&'static str>) {
    for request in requests {
        let (operation, before) = (request.operation, events(app).await);
        let first = request.send().await;
        assert!(first.status.is_success(), "{operation}: {} {}", first.status, first.body);
        let after = events(app).await;
        assert_eq!(after == before, NOT_IN_THE_LOG.contains(&operation), "{operation}: the log has {before} events, then {after}");
        let second = request.send().await;
        assert_eq!(second.status, first.status, "{operation}: {}", second.body);
        assert_eq!(events(app).await, after, "{operation}: the repetition is in the log");
        done.insert(operation);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_put_or_delete_succeeds_and_changes_nothing() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut done = BTreeSet::new();
    repeat(&app, of_channels(&team).await, &mut done).await;
    repeat(&app, of_messages(&team).await, &mut done).await;
    repeat(&app, of_workspaces(&team).await, &mut done).await;
    app.sign_in(&team.owner.email).await;
    repeat(&app, of_users(&team).await, &mut done).await;
    repeat(&app, of_ends(&team), &mut done).await;

    let document = api::openapi::document().json;
    let mut missing = Vec::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for method in ["put", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let name = operation["operationId"].as_str().expect("a name");
            if !done.contains(name) && !ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == name) {
                missing.push(name.to_owned());
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "these operations are repeated nowhere");
}

async fn of_channels(team: &Team) -> Vec<Repeat<'_>> {
    let (owner, member) = (&team.owner, &team.member);
    let left = team.channel(member, "private", "left", &[]).await;
    let open = team.channel(owner, "public", "open", &[]).await;
    let below = |channel: Uuid, what: &str| format!("/v1/channels/{channel}{what}");
    let of_member = format!("/members/{}", member.id);
    let settings = json!({"allow_threads": false, "allow_file_upload": true, "allow_external_sharing": false});
    vec![
        Repeat::delete("leave_channel", member, below(left, "/membership")),
        Repeat::put("adopt_channel", owner, below(left, "/adoption")),
        Repeat::put("change_description", owner, below(left, "/description")).with(json!({"description": "pears"})),
        Repeat::put("change_purpose", owner, below(left, "/purpose")).with(json!({"purpose": "to pick them"})),
        Repeat::put("change_topic", owner, below(left, "/topic")).with(json!({"topic": "ripe ones"})),
        Repeat::put("rename_channel", owner, below(left, "/name")).with(json!({"name": "pears"})),
        Repeat::put("change_channel_settings", owner, below(left, "/settings")).with(settings),
        Repeat::put("change_notification_level", owner, below(left, "/notification-level")).with(json!({"level": "none"})),
        Repeat::put("archive_channel", owner, below(left, "/archived")),
        Repeat::delete("unarchive_channel", owner, below(left, "/archived")),
        Repeat::put("join_channel", member, below(open, "/membership")),
        Repeat::put("change_channel_role", owner, below(open, &format!("{of_member}/role"))).with(json!({"role": "admin"})),
        Repeat::delete("remove_channel_member", owner, below(open, &of_member)),
        Repeat::put("announce_typing", owner, below(open, "/typing")),
    ]
}

async fn of_messages(team: &Team) -> Vec<Repeat<'_>> {
    let (owner, member) = (&team.owner, &team.member);
    let message = team.message(owner, team.general, "on the tree").await;
    let other = team.message(owner, team.general, "to be purged").await;
    let below = |what: &str| format!("/v1/messages/{message}{what}");
    vec![
        Repeat::put("react", member, below("/reactions/tada")),
        Repeat::delete("take_reaction_back", member, below("/reactions/tada")),
        Repeat::put("pin_message", owner, below("/pin")),
        Repeat::delete("unpin_message", owner, below("/pin")),
        Repeat::put("move_read_marker", member, team.general("/read-marker")).with(json!({"message_id": message})),
        Repeat::put("mark_everything_read", member, team.path("/read-marker")),
        Repeat::delete("delete_message", owner, below("")),
        Repeat::put("purge_message", owner, format!("/v1/messages/{other}/purge")).with(json!({"reason": "an order"})),
    ]
}

async fn of_workspaces(team: &Team) -> Vec<Repeat<'_>> {
    let (owner, operator) = (&team.owner, &team.operator);
    let held = json!({"on": {"kind": "workspace"}, "reason": "a case"});
    let hold = tests::team::id(&owner.post(&team.path("/holds"), held).await.expect(201), "hold_id");
    let invited = owner.post(&team.path("/invitations"), json!({"email": "someone@example.org"})).await.expect(201);
    let invitation = tests::team::id(&invited, "invitation_id");
    let member = |what: &str| team.path(&format!("/members/{}{what}", team.member.id));
    vec![
        Repeat::put("change_workspace_domain", owner, team.path("/domain")).with(json!({"domain": "pears.example.org"})),
        Repeat::delete("remove_workspace_domain", owner, team.path("/domain")),
        Repeat::put("add_emoji", owner, team.path("/emojis/party_pear")),
        Repeat::delete("remove_emoji", owner, team.path("/emojis/party_pear")),
        Repeat::put("release_hold", owner, team.path(&format!("/holds/{hold}/release"))).with(json!({"reason": "closed"})),
        Repeat::delete("revoke_invitation", owner, team.path(&format!("/invitations/{invitation}"))),
        Repeat::put("change_workspace_plan", operator, team.path("/plan")).with(json!({"plan": "pro"})),
        Repeat::put("change_member_details", owner, member("/details")).with(json!({"title": "Picker"})),
        Repeat::put("change_member_permissions", owner, member("/permissions")).with(json!({"permissions": {"message.pin": false}})),
        Repeat::put("change_member_role", owner, member("/role")).with(json!({"role": "admin"})),
        Repeat::put("propose_erasure", owner, member("/erasure-proposal")),
        Repeat::put("deactivate_member", owner, member("/deactivation")),
        Repeat::delete("reactivate_member", owner, member("/deactivation")),
        Repeat::put("announce_presence", owner, team.path("/presence")).with(json!({"presence": "online"})),
        Repeat::delete("end_presence", owner, team.path("/presence")),
    ]
}

async fn of_users(team: &Team) -> Vec<Repeat<'_>> {
    let (member, operator) = (&team.member, &team.operator);
    let confirmed = json!({"current_password": PASSWORD});
    let of_member = |what: &str| format!("/v1/users/{}{what}", member.id);
    let sessions = team.owner.get("/v1/sessions").await.expect(200);
    let of_other = sessions["items"].as_array().and_then(|rows| rows.iter().find(|row| row["current"] == false)).expect("a session");
    let of_other = of_other["session_id"].as_str().expect("an identifier").to_owned();
    vec![
        Repeat::put("change_custom_status", member, "/v1/users/me/custom-status").with(json!({"text": "picking", "emoji": "pear"})),
        Repeat::delete("erase_me", member, "/v1/users/me").with(confirmed.clone()),
        Repeat::delete("keep_me", member, "/v1/users/me/erasure"),
        Repeat::delete("erase_user", operator, of_member("")).with(confirmed),
        Repeat::delete("keep_user", operator, of_member("/erasure")),
        Repeat::put("suspend_user", operator, of_member("/suspension")).with(json!({"reason": "left"})),
        Repeat::delete("reactivate_user", operator, of_member("/suspension")),
        Repeat::delete("end_session", &team.owner, format!("/v1/sessions/{of_other}")),
        Repeat::delete("end_current_session", &team.stranger, "/v1/sessions/current"),
    ]
}

/// The requests after which their senders cannot do much more.
fn of_ends(team: &Team) -> Vec<Repeat<'_>> {
    let handed = json!({"to": team.member.id, "current_password": PASSWORD});
    vec![
        Repeat::put("hand_over_workspace", &team.owner, team.path("/owner")).with(handed),
        Repeat::delete("leave_workspace", &team.guest, team.path("/members/me")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_was_is_not_found() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let nobody = Uuid::now_v7();
    let missing = [
        (format!("/v1/channels/{nobody}/membership"), "channel.not_found"),
        (team.path(&format!("/invitations/{nobody}")), "workspace.invitation_not_found"),
        (format!("/v1/sessions/{nobody}"), "session.not_found"),
        (format!("/v1/messages/{nobody}"), "message.not_found"),
        (format!("/v1/messages/{nobody}/pin"), "message.not_found"),
    ];
    for (path, code) in missing {
        team.owner.delete(&path).await.expect_problem(404, code);
    }
    // A private channel that the caller never was in does not exist for them.
    let secret = team.channel(&team.owner, "private", "secret", &[]).await;
    team.member.delete(&format!("/v1/channels/{secret}/membership")).await.expect_problem(404, "channel.not_found");
    let release = team.path(&format!("/holds/{nobody}/release"));
    team.owner.put(&release, json!({"reason": "closed"})).await.expect_problem(404, "workspace.hold_not_found");
    // A token that no session had is refused, however often it is sent.
    let forged = team.owner.with_token("bs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".into());
    forged.delete("/v1/sessions/current").await.expect_problem(401, "auth.token_invalid");
    // Nobody cancels what somebody else began: another's request for an erasure stands.
    team.operator.delete_confirmed(&format!("/v1/users/{}", team.member.id)).await.expect(204);
    team.member.delete_confirmed("/v1/users/me").await.expect_problem(409, "user.erasure_requested_already");
}
