//! The work of operators and background processes: an import, retention, reading the audit, replays, parked events, and
//! the key of the proof.

use std::path::Path;

use chrono::Utc;
use domain::InstallationCommand;
use domain::ids::{UserId, WorkspaceId};
use domain::installation::KeyChange;
use serde_json::{Value, json};
use slack::import::{Limits, Settings, slack};
use sqlx::Executor;
use uuid::Uuid;

use super::{Company, project};
use crate::team::id;
use crate::{Person, TestApp, eventually, servers};

const RELATIONAL: &str = "/v1/projections/relational";

/// Imports the sample export, which is from 2025, into a separate workspace. A hold protects one channel, retention
/// purges another one, and the other channels are archived.
pub(super) async fn import_and_retain(app: &TestApp, company: &Company) {
    let stranger = &company.team.stranger;
    let created = stranger.post("/v1/workspaces", json!({"name": "Hollow Hill", "domain": "orchard.example.org"})).await.expect(201);
    let workspace_id = id(&created, "workspace_id");
    import(app, stranger, workspace_id, &servers::checkout().join("tests/fixtures/sample-export.zip")).await;

    let path = |below: &str| format!("/v1/workspaces/{workspace_id}{below}");
    stranger.patch(&path("/settings"), json!({"retention_policy": {"days": 30}})).await.expect(200);
    let position = project(app).await;
    let channel = async |name: &str| {
        let named = stranger.get_at(position, &path(&format!("/channels?name={name}"))).await.expect(200);
        id(&named["items"][0], "channel_id")
    };
    let held = json!({"on": {"kind": "channel", "channel_id": channel("market").await}, "reason": "The matter of the missing apples"});
    stranger.post(&path("/holds"), held).await.expect(201);
    let policy = json!({"days": 30, "action": "purge", "keep_pinned": false});
    let settings = json!({"allow_threads": true, "allow_file_upload": true, "allow_external_sharing": false, "retention_policy": policy});
    stranger.put(&format!("/v1/channels/{}/settings", channel("cider").await), settings).await.expect(200);
    project(app).await;
    stranger.post(&path("/retention/runs"), json!({})).await.expect(202);
    eventually("no message is old enough for retention any more", async || {
        let position = project(app).await;
        stranger.get_at(position, &path("/retention/preview")).await.expect(200)["messages"] == 0
    })
    .await;
}

/// Imports an export, as `backscroll import slack` does.
pub(super) async fn import(app: &TestApp, importer: &Person, workspace_id: Uuid, export: &Path) {
    let settings = Settings {
        workspace_id: WorkspaceId(workspace_id),
        importer: UserId(importer.id),
        at: Utc::now(),
        correlation_id: Uuid::now_v7(),
        limits: Limits::default(),
    };
    slack(app.app().commands.store(), export, &settings, &()).await.expect("an import");
}

pub(super) async fn read_the_audit(company: &Company) {
    let team = &company.team;
    team.owner.get(&team.path("/audit?limit=10")).await.expect(200);
    team.owner.get(&team.path("/audit?type=channel.created")).await.expect(200);
    for format in ["jsonl", "csv", "cloudevents"] {
        let export = team.owner.get(&team.path(&format!("/audit/export?type=channel.created&format={format}"))).await;
        assert_eq!(export.status, 200, "{}", export.body);
    }
}

/// Parks two messages that the read tables refuse for a time. The operator skips one, and retries the other with
/// success.
pub(super) async fn park(app: &TestApp, company: &Company) {
    let (team, pool) = (&company.team, &app.app().pool);
    pool.execute("ALTER TABLE read.messages ADD CONSTRAINT no_bilge CHECK (content NOT LIKE 'Bilge%')")
        .await
        .expect("the database's owner may do this");
    let key = format!("{RELATIONAL}/parked/workspace:{}", team.id);
    let skipped = team.post(company.sailor(0), company.logbook, "Bilge water, and nobody wants to read of it.").await.position();
    wait_until_parked(company).await;
    let skip = json!({"position": skipped, "reason": "The read tables do not take it"});
    team.operator.post(&format!("{key}/skip"), skip).await.expect(200);
    team.post(company.sailor(1), company.logbook, "Bilge water, pumped out after all.").await.expect(201);
    wait_until_parked(company).await;
    team.post(company.sailor(2), company.logbook, "This waits behind it.").await.expect(201);
    pool.execute("ALTER TABLE read.messages DROP CONSTRAINT no_bilge").await.expect("the database's owner may do this");
    team.operator.post(&format!("{key}/retry"), json!({})).await.expect(200);
}

async fn wait_until_parked(company: &Company) {
    let parked = format!("{RELATIONAL}/parked");
    eventually("the event is parked", async || company.team.operator.get(&parked).await.expect(200)["items"] != json!([])).await;
}

/// Runs replays: a dry run, one that differs and is refused, one that differs and is accepted, a repair, one of the
/// cache, and two views of the past that are kept.
pub(super) async fn replay(app: &TestApp, company: &Company) {
    let pool = &app.app().pool;
    project(app).await;
    assert_eq!(replayed(company, "relational", json!({"dry_run": true})).await["state"], "checked");
    let forge = "UPDATE read.channels SET topic = 'a topic that no event gave' WHERE name = 'weather'";
    pool.execute(forge).await.expect("the database's owner may do this");
    assert_eq!(replayed(company, "relational", json!({})).await["state"], "differs");
    assert_eq!(replayed(company, "relational", json!({"accept_differences": true})).await["state"], "switched");
    assert_eq!(replayed(company, "relational", json!({"workspace_id": company.team.id})).await["state"], "repaired");
    assert_eq!(replayed(company, "cache", json!({})).await["state"], "switched");
    // The view is small, and ends before the events that are erased or purged later.
    assert_eq!(replayed(company, "relational", json!({"until_position": 40, "view": "founding"})).await["state"], "built");
    let long_ago = json!({"until_time": "2001-01-01T00:00:00Z"});
    assert_eq!(replayed(company, "relational", long_ago).await["state"], "built");
}

async fn replayed(company: &Company, projection: &str, plan: Value) -> Value {
    let operator = &company.team.operator;
    operator.post(&format!("/v1/projections/{projection}/replays"), plan).await.expect(202);
    let current = format!("/v1/projections/{projection}/replays/current");
    eventually("the replay ends", async || operator.get(&current).await.expect(200)["state"] != "running").await;
    operator.get(&current).await.expect(200)
}

/// Rotates the key of the proof, as `backscroll audit rotate-key` does.
pub(super) async fn rotate_the_proof_key(app: &TestApp) {
    let app = app.app();
    let vkey = ledger::proof::keyring::rotate(&app.pool, &app.settings.proof_keys()).await.expect("a new key");
    let asked = processes::replays::by_the_server(Some("backscroll audit rotate-key".into()));
    let note = InstallationCommand::NoteKeyRotation { vkey, change: KeyChange::Rotation };
    app.commands.installation(&asked, note).await.expect("the log records the new key");
}
