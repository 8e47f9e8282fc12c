//! Guests see the channels that they were put into and the people in those, and nobody's address.

use serde_json::{Value, json};
use tests::team::id;
use tests::{Person, Team, TestApp};
use uuid::Uuid;

/// A workspace with a guest who is in one private channel with the member, and who does not know the owner.
struct Visit {
    app: TestApp,
    team: Team,
    guest: Person,
    channel: Uuid,
    /// Everything up to this position.
    position: i64,
}

impl Visit {
    async fn begin() -> Self {
        let app = TestApp::start().await;
        let team = Team::found(&app).await;
        let guest = app.sign_up("visitor").await;
        team.take_in(&guest, "guest").await;
        team.message(&team.owner, team.general, "an old secret").await;
        let channel = team.channel(&team.member, "private", "project", &[&guest]).await;
        let position = team.post(&team.member, channel, "welcome").await.position();
        Self { app, team, guest, channel, position }
    }

    async fn ask(&self, path: &str) -> Value {
        self.guest.get_at(self.position, &self.team.path(path)).await.expect(200)
    }
}

fn people(page: &Value) -> Vec<Uuid> {
    page["items"].as_array().expect("rows").iter().map(|row| id(row, "user_id")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_in_no_channel_until_somebody_adds_them() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let guest = app.sign_up("visitor").await;
    let position = team.take_in(&guest, "guest").await;
    assert_eq!(guest.get_at(position, &team.path("/channels")).await.expect(200)["items"], json!([]));
    guest.get(&team.general("/messages")).await.expect_problem(404, "channel.not_found");
    guest.put_empty(&team.general("/membership")).await.expect_problem(404, "channel.not_found");
    assert_eq!(people(&guest.get(&team.path("/members")).await.expect(200)), [guest.id], "a guest sees themselves");

    // A guest who was added to #general is no prisoner of it, unlike other members.
    team.add_to_general(&guest).await;
    guest.get(&team.general("/messages")).await.expect(200);
    guest.delete(&team.general("/membership")).await.expect(204);
    guest.get(&team.general("/messages")).await.expect_problem(404, "channel.not_found");
    team.add_to_general(&guest).await;
    team.owner.delete(&team.general(&format!("/members/{}", guest.id))).await.expect(204);
    guest.get(&team.general("/messages")).await.expect_problem(404, "channel.not_found");

    // A guest who becomes a member joins #general, as everybody else did.
    team.owner.put(&team.path(&format!("/members/{}/role", guest.id)), json!({"role": "member"})).await.expect(200);
    guest.get(&team.general("/messages")).await.expect(200);
    guest.delete(&team.general("/membership")).await.expect_problem(409, "channel.general_stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_the_people_of_their_channels_and_no_address() {
    let visit = Visit::begin().await;
    let (team, guest) = (&visit.team, &visit.guest);
    let mut known = vec![team.member.id, guest.id];
    known.sort();
    assert_eq!(people(&visit.ask("/members").await), known);
    let mut pages = people(&visit.ask("/members?limit=1").await);
    let next = visit.ask("/members?limit=1").await["next"].as_str().expect("a second page").to_owned();
    pages.extend(people(&visit.ask(&format!("/members?limit=1&after={next}")).await));
    assert_eq!(pages, known);
    guest.get(&team.path(&format!("/members/{}", team.member.id))).await.expect(200);
    for hidden in [&team.owner, &team.guest] {
        guest.get(&team.path(&format!("/members/{}", hidden.id))).await.expect_problem(404, "workspace.member_not_found");
        guest.get(&team.path(&format!("/members/{}/presence", hidden.id))).await.expect_problem(404, "workspace.member_not_found");
        guest.get(&format!("/v1/users/{}", hidden.id)).await.expect_problem(404, "user.not_found");
    }
    let shown = visit.ask(&format!("/presence?users={},{}", team.member.id, team.owner.id)).await;
    assert_eq!(people(&shown), [team.member.id]);

    let directory = visit.ask("/directory").await;
    assert_eq!(people(&directory).len(), 2);
    let found = visit.ask(&format!("/search/people?q={}", team.member.username)).await;
    assert_eq!(people(&found), [team.member.id]);
    assert_eq!(visit.ask(&format!("/search/people?q={}", team.owner.username)).await["items"], json!([]));
    let profile = guest.get(&format!("/v1/users/{}", team.member.id)).await.expect(200);
    for answer in [&directory, &found, &profile] {
        assert!(!answer.to_string().contains(&team.member.email), "{answer}");
    }
    assert_eq!(visit.ask(&format!("/directory?q={}", team.member.email)).await["items"], json!([]), "an address is not searched");
    let of_member = team.member.get(&format!("/v1/users/{}", guest.id)).await.expect(200);
    assert_eq!(of_member["email"], json!(guest.email), "a member sees the address of a guest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_names_only_people_whom_they_know() {
    let visit = Visit::begin().await;
    let (team, guest) = (&visit.team, &visit.guest);
    let by = |person: &Person| format!("/search/messages?q=from:@{}", person.username);
    assert_eq!(visit.ask(&by(&team.member)).await["total"], json!(1));
    let stranger = guest.get(&team.path(&by(&team.stranger))).await.expect_problem(400, "search.query_invalid");
    let owner = guest.get(&team.path(&by(&team.owner))).await.expect_problem(400, "search.query_invalid");
    assert_eq!(owner["code"], stranger["code"]);

    let conversation = |with: &[Uuid]| json!({"type": if with.len() == 1 { "dm" } else { "group_dm" }, "members": with});
    let channels = team.path("/channels");
    for with in [&[team.owner.id][..], &[team.stranger.id], &[team.member.id, team.owner.id]] {
        guest.post(&channels, conversation(with)).await.expect_problem(403, "access.guest_shares_no_channel");
    }
    let opened = guest.post(&channels, conversation(&[team.member.id])).await.expect(201);
    // Members may begin a conversation with a guest, who then knows them.
    let position = team.owner.post(&channels, conversation(&[guest.id])).await.position();
    guest.get_at(position, &team.path(&format!("/members/{}", team.owner.id))).await.expect(200);

    // Without the project, the guest knows the member from their conversation, and nobody of the project else.
    let members = format!("/v1/channels/{}/members", visit.channel);
    team.member.post(&members, json!({"user_id": team.guest.id})).await.expect(200);
    guest.delete(&format!("/v1/channels/{}/membership", visit.channel)).await.expect(204);
    guest.get(&team.path(&format!("/members/{}", team.guest.id))).await.expect_problem(404, "workspace.member_not_found");
    assert_eq!(guest.post(&channels, conversation(&[team.member.id])).await.expect(200)["channel_id"], opened["channel_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_invite_and_count_learns_no_names_by_it() {
    let visit = Visit::begin().await;
    let (team, guest) = (&visit.team, &visit.guest);
    let grants = json!({"permissions": {"member.invite": true, "analytics.read": true}});
    team.owner.put(&team.path(&format!("/members/{}/permissions", guest.id)), grants).await.expect(200);
    team.invite("ann@example.org", "member").await;
    let invited = guest.post(&team.path("/invitations"), json!({"email": "ben@example.org", "role": "guest"})).await;
    let (position, invited) = (invited.position(), invited.expect(201));
    let listed = guest.get_at(position, &team.path("/invitations")).await.expect(200);
    let ids = listed["items"].as_array().expect("rows").iter().map(|row| &row["invitation_id"]).collect::<Vec<_>>();
    assert_eq!(ids, [&invited["invitation_id"]]);
    guest.post(&team.path("/invitations"), json!({"email": team.owner.email, "role": "guest"})).await.expect(201);
    let counted = visit.ask("/analytics/messages?by=person").await;
    let named = counted["items"].as_array().expect("rows").iter().map(|row| row["person"]["user_id"].clone()).collect::<Vec<_>>();
    assert_eq!(named, [json!(team.member.id)], "{counted}");
    drop(visit.app);
}
