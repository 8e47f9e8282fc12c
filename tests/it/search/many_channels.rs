//! A search of a user who may read very many channels costs little, and still asks the write side who may see what.

use std::collections::BTreeSet;

use api::app::Roles;
use domain::channel::{Kind, NewChannel};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::text::ChannelName;
use futures::StreamExt;
use serde_json::{Value, json};
use tests::TestApp;
use tests::person::Person;
use uuid::Uuid;

use super::fixture::{Backend, Fixture};
use crate::support::asked;

/// More than one search may load.
const CHANNELS: usize = 1_050;

async fn create_channels(fixture: &Fixture) {
    // One person may create 1,000 channels.
    let (commands, creators) = (&fixture.app.app().commands, [fixture.team.owner.id, fixture.team.member.id].map(UserId));
    let created = (0..CHANNELS).map(|n| async move {
        let new = NewChannel {
            workspace_id: WorkspaceId(fixture.team.id),
            kind: Kind::Public,
            name: Some(ChannelName::parse(&format!("channel-{n}")).expect("a name")),
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: false,
            members: BTreeSet::new(),
        };
        commands.create_channel(&asked(creators[n % 2]), ChannelId(Uuid::now_v7()), new, &[]).await.expect("a channel");
    });
    futures::stream::iter(created).for_each_concurrent(8, |created| created).await;
}

async fn ask(app: &TestApp, person: &Person, path: &str) -> Value {
    let request = reqwest::Client::new().get(format!("{}{path}", app.url)).bearer_auth(&person.token);
    tests::person::send(request).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_very_many_channels_loads_few_and_respects_a_removal_at_once() {
    let mut fixture = Fixture::start(Backend::Postgres).await;
    create_channels(&fixture).await;
    let secret = fixture.team.channel(&fixture.team.owner, "private", "secret", &[&fixture.team.member]).await;
    fixture.team.message(&fixture.team.owner, secret, "the treasure is in the garden").await;
    assert_eq!(fixture.find_as(&fixture.team.member, "treasure").await.len(), 1);

    // Another node, with empty memory, and from now on nothing is projected.
    let still = Roles { http: true, relay: false, projectors: false };
    let answers = [("BACKSCROLL_POSTGRES_URL", fixture.app.database.url.as_str()), ("BACKSCROLL_NATS_STREAM", fixture.app.stream.as_str())];
    let other = TestApp::start_as(still, &answers).await;
    let search = fixture.path("treasure", "");
    fixture.app.stop().await;
    let store = other.app().commands.store();
    let before = store.loads();
    assert_eq!(ask(&other, &fixture.team.member, &search).await["total"], json!(1));
    let loaded = store.loads() - before;
    assert!(loaded < 20, "{loaded} aggregates were loaded for {CHANNELS} channels");

    let removal = format!("{}/v1/channels/{secret}/members/{}", other.url, fixture.team.member.id);
    let removed = reqwest::Client::new().delete(removal).bearer_auth(&fixture.team.owner.token);
    tests::person::send(removed).await.expect(204);
    assert_eq!(ask(&other, &fixture.team.member, &search).await["total"], json!(0));
    assert_eq!(ask(&other, &fixture.team.owner, &search).await["total"], json!(1));
    let loaded = store.loads() - before;
    assert!(loaded < 40, "{loaded} aggregates were loaded after one of {CHANNELS} channels has changed");
}
