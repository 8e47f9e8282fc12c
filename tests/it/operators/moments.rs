//! Views of a time after an import: an imported message belongs to the time at which it was said.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::elastic::documents;
use tests::place::WITH_ELASTICSEARCH;
use tests::servers::checkout;
use tests::{Team, TestApp, program};
use uuid::Uuid;

use crate::cache::settled;

/// A time in the middle of the sample archive, which goes from January to December 2025.
const WITHIN: &str = "2025-04-01T00:00:00Z";

/// A server with the sample archive in a workspace of today.
struct Imported {
    app: TestApp,
    team: Team,
    pool: PgPool,
}

impl Imported {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(changes: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(changes).await;
        let team = Team::found(&app).await;
        let sample = checkout().join("tests/fixtures/sample-export.zip");
        let imported = Self { pool: app.app().pool.clone(), app, team };
        let (workspace, sample) = (imported.team.id.to_string(), sample.to_str().expect("a path").to_owned());
        imported.run(&["import", "slack", &sample, "--workspace", &workspace]).await;
        imported.team.message(&imported.team.owner, imported.team.general, "said today").await;
        settled(&imported.app).await;
        imported
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let (code, said) = program::said(&program::output(arguments, &self.app.environment).await);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    }

    async fn ids(&self, statement: &str) -> BTreeSet<Uuid> {
        sqlx::query_scalar(statement).fetch_all(&self.pool).await.expect("a view").into_iter().collect()
    }

    async fn count(&self, statement: &str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.expect("a view")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_view_of_a_time_has_a_document_of_each_message_that_was_said_until_then() {
    let here = Imported::start_with(&[WITH_ELASTICSEARCH]).await;
    here.run(&["replay", "search", "--until", WITHIN, "--view", "spring"]).await;
    let said = here.ids(&format!("SELECT message_id FROM read.messages WHERE created_at <= '{WITHIN}'")).await;
    assert!(said.len() >= 20, "{}", said.len());
    let index = format!("{}messages_view_spring", here.app.environment["BACKSCROLL_ELASTICSEARCH_INDEX_PREFIX"]);
    let found = documents(&index).await.into_iter().map(|(id, ..)| id.parse().expect("an identifier")).collect::<BTreeSet<Uuid>>();
    assert_eq!(found, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_a_time_within_an_archive_has_exactly_what_was_said_until_then() {
    let here = Imported::start().await;
    let said = here.run(&["replay", "relational", "--until", WITHIN, "--view", "spring"]).await;
    assert!(said.contains(&format!("said and done by {WITHIN}")) && !said.contains("left out"), "{said}");
    let live = here.ids(&format!("SELECT message_id FROM read.messages WHERE created_at <= '{WITHIN}'")).await;
    assert!((20..90).contains(&live.len()), "{}", live.len());
    assert_eq!(here.ids("SELECT message_id FROM view_spring.messages").await, live);
    let later = format!("SELECT count(*) FROM view_spring.audit_log WHERE happened_at > '{WITHIN}'");
    assert_eq!(here.count(&later).await, 0);

    // Everything that the messages refer to is there, though the workspace and its #general are of today.
    for (table, key, column) in
        [("users", "user_id", "user_id"), ("channels", "channel_id", "channel_id"), ("workspaces", "workspace_id", "workspace_id")]
    {
        let missing = format!(
            "SELECT count(*) FROM view_spring.messages m WHERE NOT EXISTS (SELECT FROM view_spring.{table} t WHERE t.{key} = m.{column})"
        );
        assert_eq!(here.count(&missing).await, 0, "{table}");
    }
    let owner = format!("SELECT count(*) FROM view_spring.workspace_members WHERE user_id = '{}'", here.team.owner.id);
    assert_eq!(here.count(&owner).await, 0, "the owner has been a member since today");

    let listed = here.run(&["replay", "views"]).await;
    assert!(listed.contains("spring") && listed.contains(WITHIN), "{listed}");
    let noted = "SELECT event_version, payload #>> '{installation.replay_started,scope,view,moment}' FROM events
        WHERE event_type = 'installation.replay_started'";
    let noted = sqlx::query_as::<_, (String, String)>(noted).fetch_all(&here.pool).await.expect("the log");
    assert_eq!(noted, [("2".to_owned(), WITHIN.to_owned())]);

    // The audit answers for the same time with the same messages.
    let general = here.team.general;
    let shown = here.run(&["audit", "as-of", "channel", &general.to_string(), "--at", WITHIN, "--limit", "200", "--json"]).await;
    let shown = serde_json::from_str::<Value>(&shown).expect("JSON");
    let shown = shown["messages"].as_array().expect("messages").iter().map(|message| tests::team::id(message, "message_id"));
    let of_view = here.ids(&format!("SELECT message_id FROM view_spring.messages WHERE channel_id = '{general}'")).await;
    assert_eq!(shown.collect::<BTreeSet<_>>(), of_view);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_now_has_everything_one_of_long_ago_nothing_and_one_of_the_recording_goes_by_position() {
    let here = Imported::start().await;
    let operator = &here.team.operator;
    let replays = "/v1/projections/relational/replays";
    let build = async |plan: Value| {
        operator.post(replays, plan).await.expect(202);
        let current = format!("{replays}/current");
        tests::eventually("the replay ends", async || operator.get(&current).await.expect(200)["state"] != "running").await;
        let ended = operator.get(&current).await.expect(200);
        assert_eq!((&ended["state"], &ended["report"]["left_out"]["events"]), (&json!("built"), &json!(0)), "{ended}");
    };
    build(json!({"until_time": "9999-01-01T00:00:00Z", "view": "everything"})).await;
    build(json!({"until_time": "2001-01-01T00:00:00Z"})).await;
    build(json!({"until_recorded_time": WITHIN, "view": "recorded"})).await;
    let head = here.count("SELECT max(position) FROM events").await;
    build(json!({"until_position": head, "view": "head"})).await;

    for table in ["users", "workspaces", "workspace_members", "channels", "channel_members", "messages", "mentions", "message_reactions"] {
        let rows = async |schema: &str| {
            let rows = format!("SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {schema}.{table} t");
            sqlx::query_scalar::<_, String>(&rows).fetch_one(&here.pool).await.expect("rows")
        };
        assert_eq!(rows("view_everything").await, rows("view_head").await, "{table}");
        assert_eq!(here.count(&format!("SELECT count(*) FROM view_at_20010101t000000z.{table}")).await, 0, "{table}");
        assert_eq!(here.count(&format!("SELECT count(*) FROM view_recorded.{table}")).await, 0, "nothing was recorded by then: {table}");
    }
    let views = operator.get("/v1/replay-views").await.expect(200);
    let moments = views["items"].as_array().expect("views").iter().map(|view| view["moment"].clone()).collect::<Vec<_>>();
    assert_eq!(moments, [Value::Null, Value::Null, json!("2001-01-01T00:00:00.000000Z"), json!("9999-01-01T00:00:00.000000Z")]);
    let both = json!({"until_time": WITHIN, "until_recorded_time": WITHIN});
    assert_eq!(operator.post(replays, both).await.expect_problem(422, "replay.plan_invalid")["field"], "until_time");
    let dry = json!({"until_time": WITHIN, "dry_run": true});
    assert_eq!(operator.post(replays, dry).await.expect_problem(422, "replay.plan_invalid")["field"], "dry_run");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_stays_erased_in_a_view_of_a_time_before() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    team.message(&team.member, team.general, "words of the erased").await;
    let moment = chrono::Utc::now().to_rfc3339();
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
    let erased = "SELECT EXISTS (SELECT FROM events WHERE event_type = 'user.erased')";
    let erased = async || sqlx::query_scalar::<_, bool>(erased).fetch_one(&app.app().pool).await.expect("the log");
    tests::eventually("the person is erased", async || erased().await).await;
    let (code, said) =
        program::said(&program::output(&["replay", "relational", "--until", &moment, "--view", "before"], &app.environment).await);
    assert_eq!(code, Some(0), "{said}");
    let plain = "SELECT count(*) FROM view_before.messages WHERE content = 'words of the erased'";
    let texts = sqlx::query_scalar::<_, i64>(plain).fetch_one(&app.app().pool).await.expect("the view");
    assert_eq!(texts, 0);
}
