//! Entries of the audit: the filters that find them, and their content.

use serde_json::json;
use tests::{Team, TestApp};

use super::{audit, each};

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_its_actor_address_command_and_changes() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "apples", &[]).await;
    team.member.put(&format!("/v1/channels/{channel}/topic"), json!({"topic": "pears"})).await.expect(200);
    let entries = audit(&app, &team, &team.owner, &format!("&aggregate_id={channel}&type=channel.topic_changed")).await;
    let entry = &entries[0];
    assert_eq!(
        (entry["actor_id"].as_str(), entry["actor_name"].as_str()),
        (Some(&*team.member.id.to_string()), Some(&*team.member.username))
    );
    assert_eq!((&entry["command"], &entry["aggregate_name"]), (&json!("change topic"), &json!("apples")));
    assert_eq!((&entry["address"], &entry["withheld"]), (&json!("127.0.0.1"), &json!(false)));
    assert_eq!(entry["session_id"].as_str().map(str::len), Some(36));
    assert_eq!(entry["changes"], json!([{"op": "add", "path": "/creation/topic", "value": "pears"}]));

    let message = team.message(&team.member, channel, "hello").await;
    team.member.patch(&format!("/v1/messages/{message}"), json!({"content": "good morning"})).await.expect(200);
    let edited = audit(&app, &team, &team.owner, &format!("&aggregate_id={message}&type=message.edited")).await;
    let change = json!([{"op": "replace", "path": "/posting/content", "value": "good morning", "was": "hello"}]);
    assert_eq!((&edited[0]["changes"], &edited[0]["channel_name"]), (&change, &json!("apples")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_filter_finds_its_entries() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "public", "apples", &[&team.guest]).await;
    team.message(&team.member, channel, "hello").await;
    team.owner.put_empty(&format!("/v1/channels/{channel}/archived")).await.expect(200);
    let all = audit(&app, &team, &team.owner, "").await;
    let archived = audit(&app, &team, &team.owner, "&command=ARCHIVE&aggregate_type=channel").await;
    assert_eq!(each(&archived, "event_type"), ["channel.archived"]);
    let (session, correlation) = (archived[0]["session_id"].as_str().expect("a session"), archived[0]["correlation_id"].as_str());
    let in_session = audit(&app, &team, &team.owner, &format!("&session={session}")).await;
    assert!(in_session.len() > 1 && each(&in_session, "session_id").iter().all(|id| *id == session));
    let together = audit(&app, &team, &team.owner, &format!("&correlation_id={}", correlation.expect("a correlation"))).await;
    assert!(each(&together, "event_type").contains(&"channel.archived"));
    let from_here = audit(&app, &team, &team.owner, "&address=127.0.0.1&aggregate_type=channel").await;
    assert!(!from_here.is_empty() && each(&from_here, "aggregate_type").iter().all(|kind| *kind == "channel"));
    for nothing in ["&address=203.0.113.9", "&command=no+such+command", "&type=channel.exploded", "&from=2999-01-01T00:00:00Z"] {
        assert_eq!(audit(&app, &team, &team.owner, nothing).await.len(), 0, "{nothing}");
    }
    let by_member = audit(&app, &team, &team.owner, &format!("&actor={}", team.member.id)).await;
    assert!(by_member.len() < all.len() && each(&by_member, "actor_id").iter().all(|id| *id == team.member.id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_paged_in_both_orders_without_gaps_or_repetitions() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "hello").await;
    let all = audit(&app, &team, &team.owner, "&type=workspace.member_joined").await;
    let all = all.iter().map(|entry| entry["position"].as_i64().expect("a position")).collect::<Vec<_>>();
    for order in ["newest", "oldest"] {
        let (mut seen, mut place) = (Vec::new(), String::new());
        loop {
            let page =
                team.owner.get(&team.path(&format!("/audit?type=workspace.member_joined&limit=1&order={order}{place}"))).await.expect(200);
            seen.extend(page["items"].as_array().expect("entries").iter().map(|entry| entry["position"].as_i64().expect("a position")));
            match page["next"].as_str() {
                Some(next) => place = format!("&after={next}"),
                None => break,
            }
        }
        if order == "oldest" {
            seen.reverse();
        }
        assert_eq!(seen, all, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_refuses_users_without_permission_and_invalid_filters() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.owner.get(&team.path("/audit")).await.expect(200);
    team.member.get(&team.path("/audit")).await.expect_problem(403, "access.forbidden");
    team.stranger.get(&team.path("/audit")).await.expect_problem(404, "workspace.not_found");
    for nonsense in ["aggregate_type=house", "from=yesterday", "before=-1", "limit=0", "order=random", "unknown=1"] {
        team.owner.get(&team.path(&format!("/audit?{nonsense}"))).await.expect_problem(400, "request.query_invalid");
    }
    team.owner.get(&team.path("/audit?command=")).await.expect_problem(422, "input.invalid");
}
