//! Query strings: lists, limits, and unknown parameters.

use serde_json::{Value, json};
use tests::{Team, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_a_query_has_three_forms_that_mean_the_same() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (one, other) = (team.owner.id, team.member.id);
    crate::cache::settled(&app).await;
    let found = async |query: &str| {
        let found = team.owner.get(&team.path(&format!("/presence?{query}"))).await.expect(200);
        let mut users = found["items"].as_array().expect("rows").iter().map(|row| row["user_id"].clone()).collect::<Vec<_>>();
        users.sort_by_key(Value::to_string);
        users
    };
    let mut both = vec![json!(one), json!(other)];
    both.sort_by_key(Value::to_string);
    for query in [
        format!("users={one},{other}"),
        format!("users={one}%2C{other}"),
        format!("users={one}&users={other}"),
        format!("users[]={one}&users[]={other}"),
        format!("users%5B%5D={one}&users={other}"),
    ] {
        assert_eq!(found(&query).await, both, "{query}");
    }
    let refused = team.owner.get(&team.path(&format!("/presence?users={one}&users=ann,bob"))).await;
    let refused = refused.expect_problem(400, "request.query_invalid");
    for (error, item) in refused["errors"].as_array().expect("mistakes").iter().zip(["users[1] must be", "users[2] must be"]) {
        assert_eq!(error["field"], "users");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.starts_with(item)), "{refused}");
    }
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_above_the_maximum_is_lowered_and_one_that_is_no_limit_is_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for n in 0..101 {
        team.post(&team.owner, team.general, &format!("message {n}")).await.expect(201);
    }
    let position = team.post(&team.owner, team.general, "the last").await.position();
    for limit in ["101", "1000", "65536", "99999999999999999999999"] {
        let page = team.owner.get_at(position, &team.general(&format!("/messages?limit={limit}"))).await.expect(200);
        assert_eq!(page["items"].as_array().map(Vec::len), Some(100), "{limit}");
        team.owner.get(&team.path(&format!("/analytics/messages?by=day&limit={limit}"))).await.expect(200);
    }
    for limit in ["0", "-1", "many", "1.5", "", "+5", "0x10"] {
        let refused = team.owner.get(&team.general(&format!("/messages?limit={limit}"))).await;
        let refused = refused.expect_problem(400, "request.query_invalid");
        assert_eq!(refused["field"], "limit", "{limit}");
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("a whole number from 1")), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_unknown_or_sent_twice_is_refused_by_name() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let refused = team.owner.get(&team.path("/members?limti=5")).await.expect_problem(400, "request.query_invalid");
    assert_eq!(refused["detail"], "there is no parameter \"limti\": did you mean limit?");
    let refused = team.owner.get(&team.path("/members?colour=red")).await.expect_problem(400, "request.query_invalid");
    assert_eq!(refused["detail"], "there is no parameter \"colour\": the known ones are after, ids, limit");
    let refused = team.owner.get(&team.path("/members?limit=5&limit=6")).await.expect_problem(400, "request.query_invalid");
    assert_eq!((&refused["field"], &refused["detail"]), (&json!("limit"), &json!("limit may be sent only once")));
    let refused = team.owner.get(&team.path("/audit/export?format=word&from=now")).await.expect_problem(400, "request.query_invalid");
    let fields = refused["errors"].as_array().expect("mistakes").iter().map(|error| &error["field"]).collect::<Vec<_>>();
    assert_eq!(fields, ["format", "from"]);
}
