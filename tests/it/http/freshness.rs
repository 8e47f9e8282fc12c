//! The number of times that a query reads the end of the log: once. The query judges all of its caller's permissions at
//! that position.

use std::collections::BTreeSet;
use std::time::Duration;

use api::app::Roles;
use domain::ChannelCommand;
use domain::ids::{ChannelId, UserId};
use serde_json::json;
use tests::{Person, Team, TestApp};

use crate::support::{another_process, asked};

/// The caller of a query.
#[derive(Clone, Copy)]
enum By {
    /// An owner of the workspace.
    Owner,
    /// A member with permission to read the audit, but not the texts in conversations of others.
    Auditor,
    /// An operator of the server.
    Operator,
}
use By::{Auditor, Operator, Owner};

/// Every query, and how often it reads the end of the log. A query without permissions never does. A query of the
/// audit, which may take long, checks the caller's permissions again afterwards. A streamed answer checks them for each
/// piece.
const QUERIES: [(&str, By, u64); 62] = [
    ("/healthz", Owner, 0),
    ("/readyz", Owner, 0),
    ("/v1/channels/{channel_id}", Owner, 1),
    ("/v1/channels/{channel_id}/members", Owner, 1),
    ("/v1/channels/{channel_id}/messages", Owner, 1),
    ("/v1/channels/{channel_id}/messages?around={message_id}", Owner, 1),
    ("/v1/channels/{channel_id}/pins", Owner, 1),
    ("/v1/channels/{channel_id}/retained-messages", Owner, 1),
    ("/v1/channels/{channel_id}/typing", Owner, 1),
    ("/v1/emojis", Owner, 0),
    ("/v1/exports/{export_id}", Owner, 1),
    ("/v1/live", Owner, 0),
    ("/v1/messages/{message_id}", Owner, 1),
    ("/v1/messages/{message_id}/edits", Owner, 1),
    ("/v1/messages/{message_id}/reactions/{emoji}", Owner, 1),
    ("/v1/messages/{message_id}/thread", Owner, 1),
    ("/v1/projections", Operator, 1),
    ("/v1/projections/{name}/parked", Operator, 1),
    ("/v1/projections/{name}/replays", Operator, 1),
    ("/v1/projections/{name}/replays/current", Operator, 1),
    ("/v1/projections/{name}/replays/current/progress", Operator, 1),
    ("/v1/proof/checkpoint", Owner, 0),
    ("/v1/proof/consistency?from=1", Owner, 0),
    ("/v1/proof/inclusion?position=1", Owner, 0),
    ("/v1/proof/keys", Owner, 0),
    ("/v1/proof/tile/entries/{index}", Owner, 0),
    ("/v1/proof/tile/{level}/{index}", Owner, 0),
    ("/v1/replay-views", Operator, 1),
    ("/v1/server", Owner, 0),
    ("/v1/sessions", Owner, 0),
    ("/v1/users/me", Owner, 1),
    ("/v1/users/{user_id}", Owner, 1),
    ("/v1/workspaces", Owner, 1),
    ("/v1/workspaces/current", Owner, 1),
    ("/v1/workspaces/{workspace_id}", Owner, 1),
    ("/v1/workspaces/{workspace_id}/analytics/members", Owner, 1),
    ("/v1/workspaces/{workspace_id}/analytics/messages?by=channel", Owner, 1),
    ("/v1/workspaces/{workspace_id}/audit", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/as-of", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/diff", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/audit/aggregates/{aggregate_type}/{aggregate_id}/history", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/audit/events/{position}/chain", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/audit/export", Auditor, 3),
    ("/v1/workspaces/{workspace_id}/changes", Owner, 1),
    ("/v1/workspaces/{workspace_id}/channels?scope=browse", Owner, 1),
    ("/v1/workspaces/{workspace_id}/directory", Owner, 1),
    ("/v1/workspaces/{workspace_id}/emojis", Owner, 1),
    ("/v1/workspaces/{workspace_id}/holds", Owner, 1),
    ("/v1/workspaces/{workspace_id}/invitations", Owner, 1),
    ("/v1/workspaces/{workspace_id}/invitations/{invitation_id}", Owner, 1),
    ("/v1/workspaces/{workspace_id}/log", Auditor, 2),
    ("/v1/workspaces/{workspace_id}/members", Owner, 1),
    ("/v1/workspaces/{workspace_id}/members/{user_id}", Owner, 1),
    ("/v1/workspaces/{workspace_id}/members/{user_id}/presence", Owner, 1),
    ("/v1/workspaces/{workspace_id}/mentions", Owner, 1),
    ("/v1/workspaces/{workspace_id}/presence?users={user_id}", Owner, 1),
    ("/v1/workspaces/{workspace_id}/retention/preview", Owner, 1),
    ("/v1/workspaces/{workspace_id}/search/files?q=hello", Owner, 1),
    ("/v1/workspaces/{workspace_id}/search/messages?q=hello", Owner, 1),
    ("/v1/workspaces/{workspace_id}/search/people?q=member", Owner, 1),
    ("/v1/workspaces/{workspace_id}/start", Owner, 1),
    ("/v1/workspaces/{workspace_id}/unread", Owner, 1),
];

/// A server with a workspace that has some messages.
struct World {
    app: TestApp,
    team: Team,
    message: String,
    position: i64,
}

impl World {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let team = Team::found(&app).await;
        let permissions = json!({"permissions": {"audit.read": true}});
        team.owner.put(&team.path(&format!("/members/{}/permissions", team.member.id)), permissions).await.expect(200);
        let message = team.message(&team.member, team.general, &format!("hello <@{}>", team.owner.id)).await.to_string();
        let position = team.post(&team.owner, team.general, "welcome").await.position();
        // From here on the read model contains the whole set-up.
        team.owner.get_at(position, &team.general("/messages")).await.expect(200);
        Self { app, team, message, position }
    }

    fn path(&self, template: &str) -> String {
        let (channel, member) = (self.team.general.to_string(), self.team.member.id.to_string());
        let values = [
            ("{workspace_id}", self.team.id.to_string()),
            ("{channel_id}", channel.clone()),
            ("{message_id}", self.message.clone()),
            ("{user_id}", member),
            ("{aggregate_type}", "channel".into()),
            ("{aggregate_id}", channel),
            ("{position}", self.position.to_string()),
            ("{name}", "relational".into()),
            ("{level}", "0".into()),
            ("{index}", "000.p/1".into()),
            ("{emoji}", "%F0%9F%91%8D".into()),
            ("{export_id}", self.team.id.to_string()),
            ("{invitation_id}", self.team.id.to_string()),
        ];
        values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    fn person(&self, by: By) -> &Person {
        match by {
            Owner => &self.team.owner,
            Auditor => &self.team.member,
            Operator => &self.team.operator,
        }
    }

    /// How often the server reads the end of the log for one request.
    async fn asks(&self, by: By, template: &str) -> u64 {
        let store = self.app.app().commands.store();
        let before = store.catch_ups();
        let answer = self.person(by).get(&self.path(template)).await;
        // This server has run no replay, made no export and has no such invitation, serves no workspace's domain, and
        // may not have signed a head yet. A live connection has no end, so it is refused here, for its missing transport.
        let is_there = !["/current", "/proof/", "/exports/", "/invitations/", "/live"].iter().any(|part| template.contains(part));
        assert!(answer.status.is_success() || !is_there, "{}: {}", answer.asked, answer.body);
        store.catch_ups() - before
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_the_end_of_the_log_once() {
    let world = World::start().await;
    let mut asked = Vec::new();
    for (template, by, _) in QUERIES {
        // The first request fills caches and records the read, so the second one is measured.
        world.asks(by, template).await;
        // A query that waits for the record of the first one would read the end of the log again after the wait.
        let (app, head) = (world.app.app(), *world.app.app().commands.store().head().borrow());
        app.progress.wait_for(projections::RELATIONAL, head, Duration::from_secs(10)).await.expect("the read model");
        asked.push((template, world.asks(by, template).await));
    }
    assert_eq!(asked, QUERIES.map(|(template, _, asks)| (template, asks)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_refused_if_its_caller_is_removed_while_it_waits_for_a_position() {
    let mut projecting = TestApp::start().await;
    let team = Team::found(&projecting).await;
    let secret = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    // From here on nothing is projected: this server only answers requests, and it gets no notice of the other
    // process's writes.
    let still = Roles { http: true, relay: false, projectors: false };
    let place = [("BACKSCROLL_POSTGRES_URL", projecting.database.url.as_str()), ("BACKSCROLL_NATS_STREAM", projecting.stream.as_str())];
    let answering = TestApp::start_as(still, &place).await;
    let (_, elsewhere) = another_process(&projecting.database).await;
    projecting.stop().await;
    let (owner, member) = (team.owner.at(&answering), team.member.at(&answering));
    let position = team.post(&owner, secret, "the treasure is in the garden").await.position();
    let path = format!("/v1/channels/{secret}/messages");
    let removal = async {
        let remove = ChannelCommand::RemoveMember { user_id: UserId(team.member.id) };
        elsewhere.channel(&asked(UserId(team.owner.id)), ChannelId(secret), remove).await.expect("the removal");
        projecting.start_again().await;
    };
    let (waited, ()) = tokio::join!(member.get_at(position, &path), removal);
    assert_ne!(waited.status, 200, "{}", waited.body);
    member.get_at(position, &path).await.expect_problem(404, "channel.not_found");
}

#[test]
fn every_query_is_in_the_table() {
    let document = api::openapi::document().json;
    let paths = document["paths"].as_object().expect("paths").iter().filter(|(_, item)| item.get("get").is_some());
    let documented = paths.map(|(path, _)| path.as_str()).collect::<BTreeSet<_>>();
    let counted = QUERIES.iter().map(|(template, ..)| template.split('?').next().unwrap_or_default()).collect::<BTreeSet<_>>();
    assert_eq!(counted, documented);
}
