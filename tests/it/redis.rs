//! The configuration of Redis that the project ships, and Redis as a cluster.

use serde_json::json;
use tests::person::PASSWORD;
use tests::servers::{address, checkout};
use tests::{RedisCluster, Team, TestApp, eventually};

use crate::cache::{cached_unread, page_is_right, settled};

/// The persistence that the seed requires: the setting of `CONFIG GET`, its value, and its lines in the configuration.
const PERSISTENCE: [(&str, &str, &[&str]); 5] = [
    ("save", "900 1 300 10 60 10000", &["save 900 1", "save 300 10", "save 60 10000"]),
    ("appendonly", "yes", &["appendonly yes"]),
    ("appendfsync", "everysec", &["appendfsync everysec"]),
    ("auto-aof-rewrite-percentage", "100", &["auto-aof-rewrite-percentage 100"]),
    ("auto-aof-rewrite-min-size", "67108864", &["auto-aof-rewrite-min-size 64mb"]),
];

fn read(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap_or_default()
}

/// Whether `make services` started the Redis of the tests. Otherwise the tests use a Redis that the developer chose.
fn is_ours(url: &str) -> bool {
    let run = std::env::var("BACKSCROLL_RUN").unwrap_or_else(|_| ".run".into());
    let state = read(&format!("{run}/state.env"));
    let port = state.lines().find_map(|line| line.strip_prefix("REDIS_PORT="));
    port.is_some_and(|port| url.ends_with(&format!("@127.0.0.1:{port}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_redis_has_the_persistence_that_the_seed_requires() {
    let shipped = read("scripts/services/redis.conf");
    for line in PERSISTENCE.iter().flat_map(|(_, _, lines)| *lines) {
        assert!(shipped.lines().any(|shipped| shipped == *line), "{line}");
    }
    assert!(read("compose.yaml").contains("./scripts/services/redis.conf:/etc/backscroll/redis.conf:ro"), "containers use the same file");

    let url = address("BACKSCROLL_REDIS_URL");
    if !is_ours(&url) {
        return;
    }
    let mut redis = redis::Client::open(url).expect("an address").get_multiplexed_async_connection().await.expect("Redis");
    for (name, expected, _) in PERSISTENCE {
        let (_, says): (String, String) = redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut redis).await.expect("a setting");
        assert_eq!(says, expected, "{name}");
    }
}

async fn on_a_cluster(changes: &[(&str, &str)]) -> (RedisCluster, TestApp) {
    let cluster = RedisCluster::start().await;
    let urls = cluster.urls();
    let settings = [&[("BACKSCROLL_REDIS_URL", urls.as_str()), ("BACKSCROLL_REDIS_CLUSTER", "true")], changes].concat();
    (cluster, TestApp::start_with(&settings).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_limits_presence_and_typing_work_on_a_cluster_of_three_nodes() {
    let (cluster, app) = on_a_cluster(&[("BACKSCROLL_RATE_LIMITS", "all=1000000/60 message=2/60")]).await;
    let team = Team::found(&app).await;
    let people = [&team.owner, &team.member, &team.guest];
    eventually("the server is ready", async || app.as_operator("/readyz").await.expect(200)["redis"]["ok"] == true).await;

    // Sessions of several users on different nodes are renewed, listed, and ended together.
    let mut others = Vec::new();
    eventually("there are several sessions, and a key on every node", async || {
        others.push(team.member.with_token(app.sign_in(&team.member.email).await));
        for person in people.into_iter().chain(&others) {
            person.get("/v1/users/me").await.expect(200);
        }
        others.len() >= 2 && cluster.keys().await.iter().all(|keys| *keys > 0)
    })
    .await;

    // One script checks both windows of a post.
    for expected in [201, 201, 429] {
        let posted = team.post(&team.member, team.general, "hello").await;
        assert_eq!(posted.status.as_u16(), expected);
        assert!(posted.header("ratelimit").is_some_and(|left| left.contains("\"write\"") && left.contains("\"message\"")), "{posted:?}");
    }

    // One script reads the presence of several users of a workspace.
    for person in people {
        person.put(&team.path("/presence"), json!({"presence": "online"})).await.expect(204);
        person.put_empty(&team.general("/typing")).await.expect(204);
    }
    let list = team.path(&format!("/presence?users={}", people.map(|person| person.id.to_string()).join(",")));
    let page = team.guest.get(&list).await.expect(200);
    let there = page["items"].as_array().expect("people").iter().filter(|row| row["presence"] == "online").count();
    assert_eq!(there, 3, "{page}");
    let typing = team.owner.get(&team.general("/typing")).await.expect(200);
    assert_eq!(typing["items"].as_array().map(Vec::len), Some(3));

    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    team.member.put("/v1/users/me/password", change).await.expect(204);
    for ended in &others {
        ended.get("/v1/users/me").await.expect_problem(401, "auth.token_invalid");
    }
    team.member.delete("/v1/sessions/current").await.expect(204);
    let presence = team.path(&format!("/members/{}/presence", team.member.id));
    assert_eq!(team.owner.get(&presence).await.expect(200)["presence"], "offline");
}

/// The keys of the cluster that contain a word.
async fn keys_with(cluster: &RedisCluster, word: &str) -> Vec<String> {
    let texts = cluster.texts().await.into_iter();
    texts.filter(|(key, text)| key.contains(word) || text.to_lowercase().contains(word)).map(|(key, _)| key).collect()
}

/// Waits until the channel's history, with this word in it, is in the cache.
async fn is_cached(cluster: &RedisCluster, app: &TestApp, team: &Team, word: &str) {
    let position = settled(app).await;
    eventually("the history is in the cache", async || {
        team.owner.get_at(position, &team.general("/messages")).await.expect(200);
        !keys_with(cluster, word).await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_data_of_an_erased_user_or_a_purged_message_is_left_on_a_cluster_of_three_nodes() {
    let (cluster, app) = on_a_cluster(&[("BACKSCROLL_ERASURE_HOURS", "0"), ("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    // The keys of several workspaces are on several nodes.
    let teams = [Team::found(&app).await, Team::found(&app).await, Team::found(&app).await, Team::found(&app).await];
    let person = app.sign_up("Quetzalina").await.coming_from("203.0.113.99", "Sakerette/7");
    person.post("/v1/sessions", json!({"login": person.email, "password": PASSWORD})).await.expect(201);
    for team in &teams {
        team.take_in(&person, "member").await;
        team.message(&person, team.general, "xylomarmalade").await;
        let purged = team.message(&team.member, team.general, "wolpertinger").await;
        is_cached(&cluster, &app, team, "wolpertinger").await;
        team.owner.put(&format!("/v1/messages/{purged}/purge"), json!({"reason": "a test"})).await.expect(204);
        settled(&app).await;
        assert_eq!(keys_with(&cluster, "wolpertinger").await, Vec::<String>::new());
        is_cached(&cluster, &app, team, "xylomarmalade").await;
    }
    for word in ["xylomarmalade", "quetzalina", "203.0.113.99", "sakerette"] {
        assert!(!keys_with(&cluster, word).await.is_empty(), "{word} is in the cluster before the erasure");
    }
    let saves = cluster.saves().await;

    person.delete_confirmed("/v1/users/me").await.expect(204);
    settled(&app).await;
    for word in ["xylomarmalade", "quetzalina", "203.0.113.99", "sakerette"] {
        assert_eq!(keys_with(&cluster, word).await, Vec::<String>::new(), "{word}");
    }
    eventually("every node has saved its file again", async || cluster.saves().await.iter().zip(&saves).all(|(now, before)| now > before))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_and_unread_counts_come_from_a_cluster_of_three_nodes() {
    let (_cluster, app) = on_a_cluster(&[]).await;
    let team = Team::found(&app).await;
    let mut channels = vec![team.general];
    for n in 0..6 {
        channels.push(team.channel(&team.owner, "public", &format!("channel-{n}"), &[&team.member]).await);
    }
    for channel in &channels {
        for n in 0..3 {
            team.message(&team.owner, *channel, &format!("message {n}")).await;
        }
    }
    settled(&app).await;
    for channel in &channels {
        page_is_right(&app, team.id.into(), (*channel).into(), 50).await;
    }
    let unread = cached_unread(&app, team.member.id.into(), team.id.into()).await;
    assert_eq!(unread.channels.iter().map(|channel| channel.unread).sum::<i64>(), 3 * 7, "{unread:?}");
    team.member
        .put(&team.general("/read-marker"), json!({"message_id": team.message(&team.owner, team.general, "last").await}))
        .await
        .expect(200);
    let position = settled(&app).await;
    let seen = team.member.get_at(position, &team.path("/unread")).await.expect(200);
    let general = seen["channels"].as_array().expect("channels").iter().find(|row| row["channel_id"] == team.general.to_string());
    assert!(general.is_none_or(|row| row["unread"] == 0), "{seen}");
}
