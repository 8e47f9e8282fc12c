//! Rules that hold for each answer: no `null`, and moments of one form. The tour of `tests/it/upgrade/tour.rs` walks all
//! queries with these checks, so that every kind of row occurs.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::Value;
use tests::person::send;
use tests::tour::Company;
use tests::{Person, TestApp};

/// Queries that have nothing to show after the tour, and live connections: their frames are those of `GET …/changes`.
const WITHOUT_ANSWER: [&str; 3] = ["/v1/exports/{export_id}", "/v1/live", "/v1/workspaces/current"];

/// Checks the answer of each query, as an owner or an operator sees it, and its HEAD.
///
/// # Panics
/// Panics if an answer breaks a rule.
pub async fn walk(app: &TestApp, company: &Company) {
    let document = api::openapi::document().json;
    let paths = document["paths"].as_object().expect("paths").iter().filter(|(_, item)| item.get("get").is_some());
    let templates = paths.map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let known = Known::of(company).await;
    let (mut answered, mut silent) = (0, BTreeSet::new());
    for template in &templates {
        let paths = addresses(company, &known, template);
        let mut is_answered = false;
        for (path, by) in paths.iter().flat_map(|path| [(path, &company.team.owner), (path, &company.team.operator)]) {
            is_answered |= visit(by, path).await;
        }
        answered += usize::from(is_answered);
        if !is_answered && !WITHOUT_ANSWER.contains(&template.as_str()) {
            silent.insert(template);
        }
    }
    assert!(silent.is_empty(), "no answer from {silent:?}");
    assert!(answered > 50, "only {answered} queries were answered");
    walk_changes(company, &company.team.owner).await;
    let problem = app.get("/v1/users/me").await;
    check(&problem.asked, "", &problem.body);
}

/// Checks the frame of each event that a member can see, from the beginning of the log.
async fn walk_changes(company: &Company, by: &Person) {
    let path = company.team.path("/changes");
    let log_id = by.get(&path).await.expect(200)["log_id"].as_str().expect("the identifier of the log").to_owned();
    let (mut next, mut frames) = (format!("{log_id}:0"), 0);
    loop {
        let answer = by.get(&format!("{path}?limit=100&after={next}")).await;
        let asked = answer.asked.clone();
        let page = answer.expect(200);
        check(&asked, "", &page);
        frames += page["items"].as_array().expect("frames").len();
        next = page["next"].as_str().expect("a cursor").to_owned();
        if page["has_more"] == false {
            break;
        }
    }
    assert!(frames > 50, "only {frames} frames");
}

/// Existing things that queries name.
struct Known {
    message: String,
    invitation: String,
    /// The position of the newest entry of the audit.
    position: i64,
}

impl Known {
    async fn of(company: &Company) -> Self {
        let first = async |path: String| company.team.owner.get(&path).await.expect(200)["items"][0].clone();
        let text = |value: &Value| value.as_str().expect("an identifier").to_owned();
        let message = first(format!("/v1/channels/{}/messages", company.logbook)).await;
        let invitation = first(company.team.path("/invitations")).await;
        let entry = first(company.team.path("/audit?limit=1")).await;
        Self {
            message: text(&message["message_id"]),
            invitation: text(&invitation["invitation_id"]),
            position: entry["position"].as_i64().expect("a position"),
        }
    }
}

/// The addresses of a query: its template with values of the company, and the parameters that it needs.
fn addresses(company: &Company, known: &Known, template: &str) -> Vec<String> {
    let message = known.message.as_str();
    let (team, owner) = (&company.team, company.team.owner.id.to_string());
    let values = [
        ("{workspace_id}", team.id.to_string()),
        ("{channel_id}", company.logbook.to_string()),
        ("{message_id}", message.to_owned()),
        ("{user_id}", owner.clone()),
        ("{position}", known.position.to_string()),
        ("{invitation_id}", known.invitation.clone()),
        ("{name}", "relational".into()),
        ("{level}", "0".into()),
        ("{index}", "000.p/1".into()),
        ("{emoji}", "%F0%9F%91%8D".into()),
        ("{export_id}", team.id.to_string()),
    ];
    let path = values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
    let queries: &[&str] = match template {
        "/v1/proof/consistency" => &["?from=1"],
        "/v1/proof/inclusion" => &["?position=1"],
        "/v1/proof/tile/entries/{index}" | "/v1/proof/tile/{level}/{index}" => &[""],
        path if path.ends_with("/analytics/messages") => &["?by=channel", "?by=person", "?by=day", "?by=hour"],
        path if path.ends_with("/presence") && path.contains("workspaces") && !path.contains("members") => &["?users=USER"],
        path if path.contains("/search/") => &["?q=the", "?q=a"],
        path if path.ends_with("/channels") => &["", "?scope=browse", "?scope=without_members"],
        path if path.ends_with("/messages") => &["", "?limit=5", "?around=MESSAGE"],
        path if path.ends_with("/audit") || path.ends_with("/log") => {
            &["", "?order=oldest", "?aggregate_type=user", "?aggregate_type=session"]
        }
        _ => &[""],
    };
    let paths = queries.iter().map(|query| path.clone() + &query.replace("USER", &owner).replace("MESSAGE", message));
    let (workspace, channel) = (team.id.to_string(), company.logbook.to_string());
    let aggregates = [("channel", channel.as_str()), ("workspace", &workspace), ("message", message), ("user", &owner)];
    paths
        .flat_map(|path| {
            let of = |(kind, id): (&str, &str)| path.replace("{aggregate_type}", kind).replace("{aggregate_id}", id);
            if path.contains("{aggregate_id}") { aggregates.map(of).to_vec() } else { vec![path] }
        })
        .collect()
}

/// Checks the answer to one request, and returns whether it is a success.
async fn visit(by: &Person, path: &str) -> bool {
    let answer = by.get(path).await;
    assert!(!answer.status.is_server_error(), "{}: {}", answer.asked, answer.body);
    match &answer.body {
        // Lines of an export, and of a stream of events.
        Value::String(text) => text.lines().for_each(|line| {
            let line = line.trim_start_matches("data: ");
            if let Ok(line) = serde_json::from_str(line) {
                check(&answer.asked, "", &line);
            }
        }),
        body => check(&answer.asked, "", body),
    }
    let head = send(by.request(Method::HEAD, path)).await;
    assert_eq!(
        (head.status, head.header("content-type"), &head.body),
        (answer.status, answer.header("content-type"), &Value::Null),
        "{path}"
    );
    answer.status.is_success()
}

/// Refuses a member that is `null`, and a moment without six digits and `Z`.
fn check(asked: &str, place: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let place = format!("{place}/{name}");
                assert!(!member.is_null(), "{asked}: {place} is null");
                check(asked, &place, member);
            }
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| check(asked, &format!("{place}/{n}"), item)),
        Value::String(text) => assert!(is_text(text) || has_six_digits(text), "{asked}: {place} is {text}"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether it is no moment. The filter of a reading of the audit is a text that a caller has sent.
fn is_text(text: &str) -> bool {
    text.parse::<DateTime<Utc>>().is_err()
}

fn has_six_digits(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00.000000Z";
    let is_like = |(byte, like): (u8, &u8)| if *like == b'0' { byte.is_ascii_digit() } else { byte == *like };
    text.len() == form.len() && text.bytes().zip(form).all(is_like)
}
