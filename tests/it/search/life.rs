//! Search follows the changes of messages, users and channels, and never finds removed texts.

use chrono::{TimeDelta, Utc};
use domain::ids::{ChannelId, UserId};
use projections::{RELATIONAL, RebuildOptions, rebuild};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fixture::{Backend, Fixture};
use super::over_every_backend;
use crate::support::post_at;

over_every_backend!(
    search_follows_edits_and_deletions,
    archived_channels_stay_searchable_and_renamed_ones_have_their_new_names,
    renamed_users_are_shown_with_their_new_names,
    filters_follow_pins_and_reactions,
    archived_and_purged_messages_are_not_found,
    a_search_during_a_rebuild_misses_no_message_and_finds_none_twice,
);

async fn search_follows_edits_and_deletions(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let owner = &fixture.team.owner;
    let message = fixture.say("before the edit").await;
    assert_eq!(fixture.find("before").await, ["before the edit"]);
    owner.patch(&format!("/v1/messages/{message}"), json!({"content": "after that"})).await.expect(200);
    assert_eq!(fixture.find("before").await, [""; 0]);
    assert_eq!(fixture.find("after that").await, ["after that"]);
    owner.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await.expect(200);
    owner.delete(&format!("/v1/messages/{message}")).await.expect(204);
    for query in ["after", "has:reaction", "from:me", "-nothing"] {
        assert_eq!(fixture.find(query).await, [""; 0], "{query}");
    }
}

async fn archived_and_purged_messages_are_not_found(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    for days in [90, 60, 1] {
        let sent_at = Utc::now() - TimeDelta::days(days);
        let text = format!("a quince {days} days ago");
        post_at(&fixture.app.app().commands, UserId(team.owner.id), ChannelId(team.general), sent_at, &text).await;
    }
    assert_eq!(fixture.find("quince").await.len(), 3);
    for (action, days) in [("archive", 75), ("purge", 30)] {
        let policy = json!({"retention_policy": {"days": days, "action": action}});
        team.owner.patch(&team.path("/settings"), policy).await.expect(200);
        fixture.settle().await;
        assert_eq!(fixture.app.app().retention.run(None).await.expect("a run").messages(), if action == "archive" { 1 } else { 2 });
        let left = if action == "archive" { vec!["a quince 1 days ago", "a quince 60 days ago"] } else { vec!["a quince 1 days ago"] };
        for query in ["quince", "from:me", "-nothing"] {
            assert_eq!(fixture.find(query).await, left, "{action}: {query}");
        }
    }
    let message = fixture.say("a medlar").await;
    team.owner.put(&format!("/v1/messages/{message}/purge"), json!({"reason": "an order"})).await.expect(204);
    assert_eq!(fixture.find("medlar").await, [""; 0]);
}

async fn archived_channels_stay_searchable_and_renamed_ones_have_their_new_names(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let channel = team.channel(&team.owner, "public", "attic", &[]).await;
    team.message(&team.owner, channel, "an old chair").await;
    team.owner.put(&format!("/v1/channels/{channel}/name"), json!({"name": "loft"})).await.expect(200);
    team.owner.put_empty(&format!("/v1/channels/{channel}/archived")).await.expect(200);
    assert_eq!(fixture.find("chair in:#loft").await, ["an old chair"]);
    assert_eq!(fixture.mistake(&team.owner, "chair in:#attic").await.1, "in:#attic");
    assert_eq!(fixture.search(&team.owner, "chair", "").await["items"][0]["channel"]["name"], "loft");
}

async fn renamed_users_are_shown_with_their_new_names(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    fixture.say("mine").await;
    fixture.team.owner.patch("/v1/users/me", json!({"display_name": "Queen Bee"})).await.expect(200);
    assert_eq!(fixture.search(&fixture.team.owner, "mine", "").await["items"][0]["message"]["display_name"], "Queen Bee");
}

async fn filters_follow_pins_and_reactions(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let owner = &fixture.team.owner;
    let message = fixture.say("marked").await;
    for (mark, query) in [("pin", "is:pinned"), ("reactions/tada", "has:reaction"), ("reactions/tada", "has::tada:")] {
        let mark = format!("/v1/messages/{message}/{mark}");
        assert_eq!(fixture.find(query).await, [""; 0], "{query}");
        owner.put_empty(&mark).await.expect(200);
        assert_eq!(fixture.find(query).await, ["marked"], "{query}");
        assert_eq!(fixture.find(&format!("-{query}")).await, [""; 0], "{query}");
        owner.delete(&mark).await.expect(204);
        assert_eq!(fixture.find(query).await, [""; 0], "{query}");
    }
}

async fn a_search_during_a_rebuild_misses_no_message_and_finds_none_twice(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for n in 0..50 {
        fixture.say(&format!("before {n}")).await;
    }
    fixture.settle().await;
    let stop = CancellationToken::new();
    let load = async {
        let mut said = 0;
        while !stop.is_cancelled() {
            fixture.say(&format!("during {said}")).await;
            assert_eq!(fixture.find("before").await.len(), 50, "a search saw a part of a model");
            said += 1;
        }
        said
    };
    let rebuilt = async {
        for _ in 0..2 {
            rebuild(&fixture.app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("an equal model");
        }
        stop.cancel();
    };
    let (said, ()) = futures::join!(load, rebuilt);
    let found = fixture.search(&fixture.team.owner, "during", "&order=newest&limit=1").await;
    assert_eq!(found["total"], json!(said));
}
