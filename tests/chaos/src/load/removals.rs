//! A race between posts and removals. Once a client knows of its removal, it must not post or read any more.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Ask, Client, Done};
use super::world::{Person, World};
use crate::record::Effect;

/// The longest time that a user is in before the removal, in milliseconds.
const STAY_MS_MAX: u64 = 150;

/// The owner adds users to a channel and to the workspace and removes them again, while these users post as fast as
/// they can.
pub async fn run(mut owner: Client, posters: Vec<(Client, Person)>, world: World) {
    let Some(channel) = create_channel(&mut owner, &world).await else { return };
    let victims = posters.iter().map(|(_, person)| person.clone()).collect::<Vec<_>>();
    let posting = posters.into_iter().map(|(client, person)| tokio::spawn(post(client, person, channel))).collect::<Vec<_>>();
    let mut turn = 0;
    while !owner.all.are_ending() {
        for victim in &victims {
            owner.pause(STAY_MS_MAX).await;
            turn += 1;
            if turn % 3 == 0 {
                from_workspace(&mut owner, &world, victim, channel).await;
            } else {
                from_channel(&mut owner, &world, victim, channel).await;
            }
        }
    }
    for task in posting {
        let _ = task.await;
    }
}

async fn create_channel(owner: &mut Client, world: &World) -> Option<Uuid> {
    let name = format!("race-{}", Uuid::now_v7().simple());
    let members = world.victims.iter().map(|victim| victim.id).collect::<Vec<_>>();
    let effect = Effect { event_type: "channel.created", stream: None, fields: json!({"kind": "private", "name": name}) };
    let body = Some(json!({"type": "private", "name": name, "members": members}));
    let path = format!("/v1/workspaces/{}/channels", world.workspace);
    let created = command(owner, world, Ask { method: Method::POST, path, body, effect: Some(effect) }).await;
    created.and_then(|done| done.id("channel_id"))
}

async fn post(mut client: Client, person: Person, channel: Uuid) {
    while !client.all.are_ending() {
        let content = format!("{} race {}", person.id.simple(), Uuid::now_v7().simple());
        let fields = json!({"content": content, "channel_id": channel, "author": person.id});
        let effect = Some(Effect { event_type: "message.posted", stream: None, fields });
        let body = Some(json!({"content": content}));
        let ask = Ask { method: Method::POST, path: format!("/v1/channels/{channel}/messages"), body, effect };
        client.command(person.id, &person.token, ask).await;
        client.pause(10).await;
    }
}

async fn from_channel(owner: &mut Client, world: &World, victim: &Person, channel: Uuid) {
    let fields = json!({"user_id": victim.id, "removed_by": world.owner.id});
    let path = format!("/v1/channels/{channel}/members/{}", victim.id);
    if command(owner, world, ask(Method::DELETE, path, None, "channel.member_removed", channel, fields)).await.is_some() {
        owner.expect_refusal(&victim.token, format!("/v1/channels/{channel}/messages")).await;
        owner.expect_nothing_in(&victim.token, world.workspace, "race", channel).await;
    }
    let fields = json!({"user_id": victim.id});
    let path = format!("/v1/channels/{channel}/members");
    command(owner, world, ask(Method::POST, path, Some(fields.clone()), "channel.member_joined", channel, fields)).await;
}

async fn from_workspace(owner: &mut Client, world: &World, victim: &Person, channel: Uuid) {
    let path = format!("/v1/workspaces/{}/members/{}/deactivation", world.workspace, victim.id);
    let fields = json!({"user_id": victim.id});
    let shut_out = ask(Method::PUT, path.clone(), None, "workspace.member_deactivated", world.workspace, fields.clone());
    if command(owner, world, shut_out).await.is_some() {
        for below in [
            format!("channels/{channel}/messages"),
            format!("workspaces/{}/channels", world.workspace),
            format!("workspaces/{}/search/messages?q=race", world.workspace),
        ] {
            owner.expect_refusal(&victim.token, format!("/v1/{below}")).await;
        }
    }
    command(owner, world, ask(Method::DELETE, path, None, "workspace.member_reactivated", world.workspace, fields)).await;
}

fn ask(method: Method, path: String, body: Option<Value>, event_type: &'static str, stream: Uuid, fields: Value) -> Ask {
    Ask { method, path, body, effect: Some(Effect { event_type, stream: Some(stream), fields }) }
}

async fn command(owner: &mut Client, world: &World, ask: Ask) -> Option<Done> {
    owner.command(world.owner.id, &world.owner.token, ask).await
}
