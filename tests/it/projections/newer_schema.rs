//! An old release with a database that a newer release has migrated. The old release keeps working, and a column that
//! it does not know gets its default.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{TimeDelta, Utc};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use projections::{NewView, Phase, RebuildError, RebuildLock, RebuildOptions, RebuildProgress, RebuildReport, ViewModels};
use serde_json::json;
use sqlx::PgPool;
use tests::servers::checkout;
use tests::{Team, TestApp, TestDatabase, eventually};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::{Fixture, team_of_three};
use crate::support::post_at;

/// The column that the newer release adds to every read table.
const NEWER: &str = "something_newer";

const PARKED: &str = "/v1/projections/relational/parked";

/// The read tables, without partitions.
async fn tables(pool: &PgPool) -> Vec<String> {
    let tables = "SELECT relname::text FROM pg_class
                  WHERE relnamespace = 'read'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    sqlx::query_scalar(tables).fetch_all(pool).await.expect("the catalog")
}

/// Adds a column to every read table, as a migration of a newer release would.
async fn migrate(pool: &PgPool) {
    for table in tables(pool).await {
        let add = format!("ALTER TABLE read.{table} ADD COLUMN {NEWER} INTEGER NOT NULL DEFAULT 7");
        sqlx::query(&add).execute(pool).await.expect("a migration");
    }
}

/// The number of rows of each read table that meet a condition.
async fn count(pool: &PgPool, condition: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in tables(pool).await {
        let count = format!("SELECT count(*) FROM read.{table} WHERE {condition}");
        counts.insert(table, sqlx::query_scalar(&count).fetch_one(pool).await.expect("a count"));
    }
    counts
}

async fn assert_that_nothing_is_parked(app: &TestApp, team: &Team) {
    crate::cache::settled(app).await;
    assert_eq!(team.operator.get(PARKED).await.expect(200)["items"], json!([]));
}

/// A team with some activity: every read table has at least one new row, and existing rows have changed.
struct Day {
    team: Team,
    channel: Uuid,
    root: Uuid,
}

impl Day {
    async fn pass(app: &TestApp) -> Self {
        let team = Team::found(app).await;
        let channel = team.channel(&team.member, "public", "apples", &[&team.guest]).await;
        team.owner.put_empty(&format!("/v1/channels/{channel}/membership")).await.expect(200);
        let root = team.message(&team.owner, channel, &format!("hello <@{}>", team.member.id)).await;
        let day = Self { team, channel, root };
        day.talk().await;
        day.change_everything_to("tada").await;
        day.archive_what_is_old(app).await;
        crate::cache::settled(app).await;
        day
    }

    async fn talk(&self) {
        let (team, root) = (&self.team, self.root);
        let reply = json!({"content": "an answer", "thread_id": root});
        team.member.post(&format!("/v1/channels/{}/messages", self.channel), reply).await.expect(201);
        team.member.put_empty(&format!("/v1/messages/{root}/pin")).await.expect(200);
        let edited = json!({"content": format!("hello again <@{}>", team.guest.id)});
        team.owner.patch(&format!("/v1/messages/{root}"), edited).await.expect(200);
        let slip = team.message(&team.member, self.channel, "a slip").await;
        team.member.delete(&format!("/v1/messages/{slip}")).await.expect(204);
        team.guest.delete(&format!("/v1/channels/{}/membership", self.channel)).await.expect(204);
        team.invite(&format!("{}@example.org", Uuid::now_v7().simple()), "member").await;
    }

    async fn change_everything_to(&self, word: &str) {
        let team = &self.team;
        team.member.put("/v1/users/me/custom-status", json!({"text": word})).await.expect(200);
        team.owner.patch(&team.path(""), json!({"name": word})).await.expect(200);
        team.owner.put(&team.path(&format!("/members/{}/details", team.member.id)), json!({"title": word})).await.expect(200);
        team.member.put(&format!("/v1/channels/{}/topic", self.channel), json!({"topic": word})).await.expect(200);
        team.member.put_empty(&format!("/v1/messages/{}/reactions/{word}", self.root)).await.expect(200);
    }

    async fn archive_what_is_old(&self, app: &TestApp) {
        let (team, long_ago) = (&self.team, Utc::now() - TimeDelta::days(60));
        post_at(&app.app().commands, UserId(team.owner.id), ChannelId(team.general), long_ago, "an old story").await;
        team.owner.patch(&team.path("/settings"), json!({"retention_policy": {"days": 30}})).await.expect(200);
        crate::cache::settled(app).await;
        eventually("a run may begin", async || team.owner.post(&team.path("/retention/runs"), json!({})).await.status == 202).await;
        eventually("the story is archived", async || {
            team.owner.get(&team.general("/retained-messages")).await.expect(200)["items"] != json!([])
        })
        .await;
    }

    /// Checks that every query of the read tables succeeds.
    async fn is_read(&self) {
        let (team, channel, root) = (&self.team, self.channel, self.root);
        let of_workspace = [
            "",
            "/members",
            "/directory",
            "/channels",
            "/invitations",
            "/mentions",
            "/unread",
            "/audit",
            "/retention/preview",
            "/search/messages?q=hello",
            "/search/people?q=member",
            "/search/files?q=plan",
            "/analytics/messages?by=channel",
            "/analytics/members",
        ];
        let others = [
            "/v1/users/me".to_owned(),
            "/v1/workspaces".to_owned(),
            format!("/v1/messages/{root}"),
            format!("/v1/messages/{root}/thread"),
            format!("/v1/channels/{channel}"),
            format!("/v1/channels/{channel}/messages"),
            format!("/v1/channels/{channel}/pins"),
            format!("/v1/channels/{channel}/members"),
            team.general("/retained-messages"),
        ];
        let mut refused = Vec::new();
        for path in of_workspace.iter().map(|below| team.path(below)).chain(others) {
            let answer = team.owner.get(&path).await;
            if answer.status != 200 {
                refused.push(answer);
            }
        }
        let export = team.owner.post_confirmed("/v1/users/me/export").await;
        refused.extend((export.status != 202).then_some(export));
        assert!(refused.is_empty(), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_working_after_a_newer_release_has_migrated_the_database() {
    let app = TestApp::start().await;
    // A first round, so that every statement is prepared before the migration.
    let before = Day::pass(&app).await;
    let pool = &app.app().stores.pool;
    migrate(pool).await;
    let rows = count(pool, "TRUE").await;

    app.sign_up("newcomer").await;
    assert_that_nothing_is_parked(&app, &before.team).await;
    let after = Day::pass(&app).await;
    before.change_everything_to("heart").await;
    let comes_back = json!({"user_id": before.team.guest.id});
    before.team.member.post(&format!("/v1/channels/{}/members", before.channel), comes_back).await.expect(200);
    assert_that_nothing_is_parked(&app, &before.team).await;
    let more = count(pool, "TRUE").await;
    assert!(rows.iter().all(|(table, rows)| more[table] > *rows), "each table has new rows: {rows:?}, {more:?}");
    assert_eq!(count(pool, &format!("{NEWER} = 7")).await, more, "every row has the default of the new column");
    before.is_read().await;
    after.is_read().await;

    let replays = "/v1/projections/relational/replays";
    before.team.operator.post(replays, json!({})).await.expect(202);
    let current = async || before.team.operator.get(&format!("{replays}/current")).await.expect(200);
    eventually("the replay ends", async || current().await["state"] != "running").await;
    let ended = current().await;
    assert!(ended["state"] == "failed" && ended["error"].as_str().is_some_and(|error| error.contains("users.something_newer")), "{ended}");
    after.is_read().await;
}

impl Fixture {
    async fn repair(
        &self,
        workspace_id: WorkspaceId,
        observe: impl Fn(RebuildProgress) + Send + Sync,
    ) -> Result<RebuildReport, RebuildError> {
        let turn = RebuildLock::acquire(&self.reading.pool, projections::RELATIONAL).await.expect("the rebuild lock");
        projections::repair(turn, &self.reading.stores, workspace_id, RebuildOptions::default(), observe).await
    }

    async fn view(&self) -> Result<RebuildReport, RebuildError> {
        let turn = RebuildLock::acquire(&self.reading.pool, projections::RELATIONAL).await.expect("the rebuild lock");
        let view = NewView::parse(None, 1).expect("a name");
        projections::build_view(turn, &self.reading.stores, &view, ViewModels::Relational, RebuildOptions::default(), |_| {}).await
    }
}

/// The columns that the refusal names.
#[track_caller]
fn newer_columns(outcome: Result<RebuildReport, RebuildError>) -> Vec<String> {
    match outcome {
        Err(RebuildError::NewerColumns(columns)) => columns,
        other => panic!("the rebuild was not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_release_refuses_to_rebuild_tables_of_a_newer_one() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.post(ann, team.general, "hello").await;
    fixture.settle().await;
    let pool = &fixture.reading.pool;
    migrate(pool).await;
    // A value that the newer release writes, and that this one cannot.
    sqlx::query(&format!("UPDATE read.users SET {NEWER} = 8")).execute(pool).await.expect("the read tables");
    let before = fixture.reading.dump().await;
    let named = tables(pool).await.iter().map(|table| format!("{table}.{NEWER}")).collect::<Vec<_>>();

    let options = RebuildOptions::default;
    for options in [
        options(),
        RebuildOptions { dry_run: true, ..options() },
        RebuildOptions { accept_differences: true, ..options() },
        RebuildOptions { skip_comparing: true, ..options() },
    ] {
        assert_eq!(newer_columns(fixture.rebuild(options).await), named);
    }
    assert_eq!(newer_columns(fixture.repair(team.workspace_id, |_| {}).await), named);
    assert_eq!(newer_columns(fixture.view().await), named);
    let refusal = fixture.rebuild(options()).await.expect_err("a refusal").to_string();
    assert!(refusal.contains("users.something_newer") && refusal.contains("newer release"), "{refusal}");
    assert_eq!(fixture.reading.dump().await, before, "the live tables are unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_added_during_a_rebuild_is_not_lost() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.settle().await;
    let pool = &fixture.reading.pool;
    // The migration runs at the last moment: the tables are built, and they were equal.
    let add = |to: &'static str| {
        move |progress: RebuildProgress| {
            if progress.phase == Phase::Switching {
                let add = format!("ALTER TABLE read.{to} ADD COLUMN {NEWER} INTEGER NOT NULL DEFAULT 7");
                block_in_place(|| Handle::current().block_on(sqlx::query(&add).execute(pool))).expect("a migration");
            }
        }
    };
    let rebuilt = projections::rebuild(&fixture.reading.stores, projections::RELATIONAL, RebuildOptions::default(), add("users")).await;
    assert_eq!(newer_columns(rebuilt), ["users.something_newer"]);
    sqlx::query(&format!("ALTER TABLE read.users DROP COLUMN {NEWER}")).execute(pool).await.expect("the column is dropped");
    assert_eq!(newer_columns(fixture.repair(team.workspace_id, add("channels")).await), ["channels.something_newer"]);

    fixture.post(ann, team.general, "goes on").await;
    fixture.settle().await;
    assert_eq!(count(pool, "TRUE").await["users"], 3);
    let sevens = sqlx::query_scalar::<_, i64>("SELECT sum(something_newer) FROM read.channels").fetch_one(pool).await.expect("the column");
    assert_eq!(sevens, 7);
}

/// The words in the first parentheses after `before`, if the statement contains it.
fn list_behind<'a>(statement: &'a str, before: &str) -> Option<BTreeSet<&'a str>> {
    let (_, behind) = statement.split_once(before)?;
    let (list, _) = behind.split_once('(')?.1.split_once(')')?;
    Some(list.split(',').map(str::trim).collect())
}

/// The checked statements that write rows of a read table, in all files.
fn statements_that_write(table: &str) -> Vec<String> {
    let files = std::fs::read_dir(checkout().join(".sqlx")).expect("the checked statements");
    let texts = files.map(|file| std::fs::read(file.expect("a file").path()).expect("a statement"));
    let statements = texts.map(|text| {
        let checked = serde_json::from_slice::<serde_json::Value>(&text).expect("JSON");
        checked["query"].as_str().expect("a statement").to_owned()
    });
    statements.filter(|statement| statement.split_whitespace().take(3).eq(["INSERT", "INTO", table])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_that_writes_a_read_table_names_all_of_its_columns() {
    let database = TestDatabase::create().await;
    let pool = database.read_pool(1).await;
    let columns = "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'read' AND table_name = $1";
    for table in tables(&pool).await {
        let columns = sqlx::query_scalar::<_, String>(columns).bind(&table).fetch_all(&pool).await.expect("the catalog");
        let ours = columns.iter().map(String::as_str).collect::<BTreeSet<_>>();
        let statements = statements_that_write(&table);
        let [statement] = statements.as_slice() else { panic!("{table} is written by {statements:?}") };
        assert_eq!(list_behind(statement, "INSERT INTO "), Some(ours.clone()), "new rows of {table}");
        if let Some(mut changed) = list_behind(statement, "SET ") {
            changed.append(&mut list_behind(statement, "ON CONFLICT ").expect("a key"));
            assert_eq!(changed, ours, "existing rows of {table}");
        }
    }
}
