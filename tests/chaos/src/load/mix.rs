//! The mix of one client's requests: mostly messages, and now and then every other command.

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Ask, Client};
use super::world::{Channel, Message, Person, World, register};
use crate::record::Effect;

const EMOJIS: [&str; 6] = ["👍", "🎉", "❤️", "😀", "🚀", "👀"];
/// The longest pause of a client between two requests, in milliseconds.
const THINK_MS_MAX: u64 = 25;

/// Sends requests until the clients are to end.
pub async fn run(mut client: Client, world: World, person: Person) {
    let mut next = 0_u64;
    while !client.all.are_ending() {
        next += 1;
        act(&mut client, &world, &person, next).await;
        client.pause(THINK_MS_MAX).await;
    }
}

async fn act(client: &mut Client, world: &World, person: &Person, number: u64) {
    // No other message has this text, so the checker can find the message by it.
    let text = format!("{} {number} {}", person.id.simple(), Uuid::now_v7().simple());
    match client.chance.random_range(0..100) {
        0..40 => post(client, world, person, text, None).await,
        40..52 => reply(client, world, person, text).await,
        52..60 => edit(client, world, person, text).await,
        60..64 => delete(client, world, person).await,
        64..76 => react(client, world, person).await,
        76..80 => take_reaction_back(client, world, person).await,
        80..84 => pin(client, world, person).await,
        84..88 => create_channel(client, world, person, &text).await,
        88..90 => converse(client, world, person).await,
        90..94 => come_or_go(client, world, person).await,
        94..96 => describe(client, world, person, text).await,
        96..98 => archive(client, world).await,
        98..99 => change_profile(client, person, text).await,
        _ => newcomer(client, world).await,
    }
}

async fn post(client: &mut Client, world: &World, person: &Person, text: String, thread: Option<&Message>) {
    let channel = thread.map_or_else(|| world.channel(&mut client.chance).id, |root| root.channel);
    // No other message has the last word of this text.
    let word = text.rsplit(' ').next().unwrap_or_default().to_owned();
    let content = if client.chance_of(15) { format!("{text} <@{}>", world.anybody(&mut client.chance).id) } else { text };
    let mut body = json!({"content": content});
    let mut fields = json!({"content": content, "channel_id": channel, "author": person.id});
    if let Some(root) = thread {
        put(&mut body, "thread_id", json!(root.id));
        put(&mut fields, "thread_id", json!(root.id));
    }
    if client.chance_of(10) {
        let name = json!(Uuid::now_v7());
        // The log has a hash of it only.
        put(&mut body, "client_msg_id", name);
    }
    let effect = Some(Effect { event_type: "message.posted", stream: None, fields });
    let ask = Ask { method: Method::POST, path: format!("/v1/channels/{channel}/messages"), body: Some(body), effect };
    let Some(done) = client.command(person.id, &person.token, ask).await else { return };
    let Some(id) = done.id("message_id") else { return };
    if client.chance_of(20) && channel == world.general {
        client.expect_message(&person.token, id, Some(done.position), content.clone()).await;
    }
    if client.chance_of(20) && channel == world.general && thread.is_none() {
        client.expect_on_page(&person.token, channel, done.position, id).await;
    }
    if client.chance_of(10) && channel == world.general {
        client.expect_found(&person.token, world.workspace, &word, done.position, (id, content)).await;
    }
    world.add_message(Message { id, channel, author: person.id, thread: thread.map(|root| root.id) });
}

/// Posts a message to #general as the owner, and returns its position.
pub async fn post_last(client: &mut Client, world: &World) -> Option<i64> {
    let content = format!("{} last {}", world.owner.id.simple(), Uuid::now_v7().simple());
    let fields = json!({"content": content, "channel_id": world.general, "author": world.owner.id});
    let effect = Some(Effect { event_type: "message.posted", stream: None, fields });
    let path = format!("/v1/channels/{}/messages", world.general);
    let ask = Ask { method: Method::POST, path, body: Some(json!({"content": content})), effect };
    client.command(world.owner.id, &world.owner.token, ask).await.map(|done| done.position)
}

async fn reply(client: &mut Client, world: &World, person: &Person, text: String) {
    let root = world.message(&mut client.chance, None).filter(|message| message.thread.is_none());
    post(client, world, person, text, root.as_ref()).await;
}

async fn edit(client: &mut Client, world: &World, person: &Person, text: String) {
    let Some(message) = world.message(&mut client.chance, Some(person.id)) else { return };
    let fields = json!({"content": text, "by": person.id});
    let body = Some(json!({"content": text}));
    let ask = on_message(Method::PATCH, &message, "", body, "message.edited", fields);
    let done = client.command(person.id, &person.token, ask).await;
    if let Some(done) = done
        && message.channel == world.general
    {
        client.expect_message(&person.token, message.id, Some(done.position), text).await;
    }
}

async fn delete(client: &mut Client, world: &World, person: &Person) {
    let Some(message) = world.message(&mut client.chance, Some(person.id)) else { return };
    let ask = on_message(Method::DELETE, &message, "", None, "message.deleted", json!({"by": person.id}));
    client.command(person.id, &person.token, ask).await;
    world.forget_message(message.id);
}

async fn react(client: &mut Client, world: &World, person: &Person) {
    let Some((message, emoji)) = message_and_emoji(client, world) else { return };
    let fields = json!({"user_id": person.id, "emoji": emoji});
    let ask = on_message(Method::PUT, &message, &format!("/reactions/{emoji}"), None, "message.reacted", fields);
    client.command(person.id, &person.token, ask).await;
}

async fn take_reaction_back(client: &mut Client, world: &World, person: &Person) {
    let Some((message, emoji)) = message_and_emoji(client, world) else { return };
    let fields = json!({"user_id": person.id, "emoji": emoji});
    let ask = on_message(Method::DELETE, &message, &format!("/reactions/{emoji}"), None, "message.reaction_removed", fields);
    client.command(person.id, &person.token, ask).await;
}

async fn pin(client: &mut Client, world: &World, person: &Person) {
    let Some(message) = world.message(&mut client.chance, None) else { return };
    let (method, event_type) = if client.chance_of(65) { (Method::PUT, "message.pinned") } else { (Method::DELETE, "message.unpinned") };
    let ask = on_message(method, &message, "/pin", None, event_type, json!({"by": person.id}));
    client.command(person.id, &person.token, ask).await;
}

async fn create_channel(client: &mut Client, world: &World, person: &Person, text: &str) {
    let public = client.chance_of(70);
    let kind = if public { "public" } else { "private" };
    let name = format!("c-{}", text.rsplit(' ').next().unwrap_or(text));
    let members = [world.anybody(&mut client.chance).id, world.anybody(&mut client.chance).id];
    let body = Some(json!({"type": kind, "name": name, "members": members}));
    let fields = json!({"kind": kind, "name": name, "created_by": person.id});
    let effect = Some(Effect { event_type: "channel.created", stream: None, fields });
    let ask = Ask { method: Method::POST, path: format!("/v1/workspaces/{}/channels", world.workspace), body, effect };
    if let Some(id) = client.command(person.id, &person.token, ask).await.and_then(|done| done.id("channel_id")) {
        world.add_channel(Channel { id, public, named: true });
    }
}

/// Starts a direct or group conversation. The second time, the same people get the existing conversation and no event
/// is written, so the client can name no effect.
async fn converse(client: &mut Client, world: &World, person: &Person) {
    let others = std::iter::repeat_with(|| world.anybody(&mut client.chance).id).take(6).filter(|id| *id != person.id);
    let mut others = others.collect::<std::collections::BTreeSet<_>>();
    let kind = if client.chance_of(60) { "dm" } else { "group_dm" };
    while others.len() > if kind == "dm" { 1 } else { 3 } {
        others.pop_first();
    }
    let body = Some(json!({"type": kind, "members": others}));
    let ask = Ask { method: Method::POST, path: format!("/v1/workspaces/{}/channels", world.workspace), body, effect: None };
    if let Some(id) = client.command(person.id, &person.token, ask).await.and_then(|done| done.id("channel_id")) {
        world.add_channel(Channel { id, public: false, named: false });
    }
}

async fn come_or_go(client: &mut Client, world: &World, person: &Person) {
    let channel = world.channel(&mut client.chance);
    let (method, event_type) = if client.chance_of(60) && channel.public {
        (Method::PUT, "channel.member_joined")
    } else {
        (Method::DELETE, "channel.member_left")
    };
    let ask = on_channel(method, channel.id, "/membership", None, event_type, json!({"user_id": person.id}));
    client.command(person.id, &person.token, ask).await;
}

async fn describe(client: &mut Client, world: &World, person: &Person, text: String) {
    let channel = world.channel(&mut client.chance);
    if !channel.named {
        return;
    }
    let fields = json!({"topic": text});
    let ask = on_channel(Method::PUT, channel.id, "/topic", Some(fields.clone()), "channel.topic_changed", fields);
    client.command(person.id, &person.token, ask).await;
}

async fn archive(client: &mut Client, world: &World) {
    let channel = world.channel(&mut client.chance);
    let (method, event_type) =
        if client.chance_of(50) { (Method::PUT, "channel.archived") } else { (Method::DELETE, "channel.unarchived") };
    let owner = world.owner.clone();
    let ask = on_channel(method, channel.id, "/archived", None, event_type, json!({"by": owner.id}));
    client.command(owner.id, &owner.token, ask).await;
}

async fn change_profile(client: &mut Client, person: &Person, text: String) {
    let fields = json!({"title": text});
    let effect = Some(Effect { event_type: "user.profile_changed", stream: Some(person.id), fields: fields.clone() });
    let ask = Ask { method: Method::PATCH, path: "/v1/users/me".to_owned(), body: Some(fields), effect };
    client.command(person.id, &person.token, ask).await;
}

/// Registers a user, who is invited, accepts and posts a first message.
async fn newcomer(client: &mut Client, world: &World) {
    // Hashing a password is the slowest operation of the server, so only one client does it at a time.
    let Ok(person) = register(client, "newcomer").await else { return };
    if world.take_in(client, &person).await.is_ok() {
        let text = format!("{} hello {}", person.id.simple(), Uuid::now_v7().simple());
        post(client, world, &person, text, None).await;
    }
}

fn message_and_emoji(client: &mut Client, world: &World) -> Option<(Message, &'static str)> {
    let message = world.message(&mut client.chance, None)?;
    let emoji = EMOJIS.get(client.chance.random_range(0..EMOJIS.len()))?;
    Some((message, emoji))
}

fn on_message(method: Method, message: &Message, below: &str, body: Option<Value>, event_type: &'static str, fields: Value) -> Ask {
    let effect = Some(Effect { event_type, stream: Some(message.id), fields });
    Ask { method, path: format!("/v1/messages/{}{below}", message.id), body, effect }
}

fn on_channel(method: Method, channel: Uuid, below: &str, body: Option<Value>, event_type: &'static str, fields: Value) -> Ask {
    let effect = Some(Effect { event_type, stream: Some(channel), fields });
    Ask { method, path: format!("/v1/channels/{channel}{below}"), body, effect }
}

fn put(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}
