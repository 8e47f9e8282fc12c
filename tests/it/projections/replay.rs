//! Replays that stop before the switch, are cancelled, repair one workspace, or build a view of the past. The log
//! records them.

use domain::AggregateType;
use processes::replays::{Plan, Replays, Scope, by_the_server};
use projections::{NewView, Phase, RebuildError, RebuildLock, RebuildOptions, RebuildReport};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Fixture, Reading, team_of_three};
use crate::support::causes_of;

impl Fixture {
    /// The service that runs replays with these stores.
    pub fn replays(&self, reading: &Reading) -> Replays {
        Replays::new(reading.stores.clone(), self.commands().clone(), Handle::current(), "a test".into())
    }

    pub async fn replay(&self, plan: Plan) -> Result<RebuildReport, RebuildError> {
        let replays = self.replays(&self.reading);
        let begun = replays.begin(by_the_server(None), projections::RELATIONAL, plan).await.expect("no other replay runs");
        replays.run(begun, CancellationToken::new(), |_| {}).await
    }

    /// The events of the installation: names and payloads.
    pub async fn installation_log(&self) -> Vec<(String, Value)> {
        let rows = sqlx::query_as::<_, (String, Value)>(
            "SELECT event_type, payload -> event_type FROM events WHERE aggregate_type = $1 ORDER BY position",
        );
        rows.bind(AggregateType::Installation.as_str()).fetch_all(&self.reading.pool).await.expect("the log")
    }

    /// The schemas, checkpoints, parked keys and views that an unfinished replay leaves behind.
    pub async fn leftovers(&self) -> Vec<String> {
        let left = "SELECT nspname::text FROM pg_namespace WHERE nspname IN ('read_next', 'read_old') OR nspname LIKE 'view\\_%'
                    UNION ALL SELECT projection FROM projection_checkpoints WHERE projection LIKE '%.next'
                    UNION ALL SELECT projection FROM parked_keys WHERE projection LIKE '%.next'
                    UNION ALL SELECT name FROM replay_views WHERE NOT is_built";
        sqlx::query_scalar(left).fetch_all(&self.reading.pool).await.expect("the catalog")
    }

    async fn change(&self, statement: &str) -> u64 {
        sqlx::query(statement).execute(&self.reading.pool).await.expect("the read tables").rows_affected()
    }
}

fn plan(scope: Scope) -> Plan {
    Plan { scope, ..Plan::whole() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_differences_switches_nothing_and_leaves_nothing() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    fixture.change("UPDATE channels SET topic = 'never said' WHERE name = 'apples'").await;
    let before = fixture.reading.dump().await;
    let report = fixture.replay(Plan { dry_run: true, ..Plan::whole() }).await.expect("a dry run refuses nothing");
    assert!(!report.switched);
    assert_eq!(report.differences.iter().map(|d| d.table.as_str()).collect::<Vec<_>>(), ["channels"]);
    fixture.settle().await;
    // The audit is left out, because it has the events of the replay by now.
    let same = |dump: Vec<String>| dump.into_iter().filter(|row| !row.starts_with("audit_log")).collect::<Vec<_>>();
    assert_eq!(same(fixture.reading.dump().await), same(before));
    assert_eq!(fixture.leftovers().await, Vec::<String>::new());
    let log = fixture.installation_log().await;
    assert_eq!(log.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["installation.replay_started", "installation.replay_ended"]);
    assert_eq!(causes_of(&fixture.reading.pool, "installation.replay_ended").await, ["installation.replay_started"]);
    assert_eq!((&log[0].1["dry_run"], &log[1].1["outcome"]), (&Value::Bool(true), &Value::from("checked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_shows_both_values_and_the_events_of_the_row() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let message = fixture.post(ann, team.general, "what was said").await;
    fixture.settle().await;
    fixture.change(&format!("UPDATE messages SET content = 'something else' WHERE message_id = '{message}'")).await;
    let Err(RebuildError::Differs { position, differences }) = fixture.replay(Plan::whole()).await else {
        panic!("the replay was not refused")
    };
    let [difference] = differences.as_slice() else { panic!("{differences:?}") };
    let [row] = difference.rows.as_slice() else { panic!("{difference:?}") };
    let [column] = row.columns.as_slice() else { panic!("{row:?}") };
    assert!(row.key.contains(&message.to_string()) && row.in_live && row.in_new, "{row:?}");
    let sides = (column.column.as_str(), column.live.as_ref(), column.new.as_ref());
    assert_eq!(sides, ("content", Some(&Value::from("something else")), Some(&Value::from("what was said"))));
    assert_eq!(row.events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>(), ["message.posted"]);
    assert!(row.events[0].position <= position);

    fixture.replay(Plan { accept_differences: true, ..Plan::whole() }).await.expect("the differences are accepted");
    let log = fixture.installation_log().await;
    let (_, switched) =
        log.iter().find(|(name, _)| name == "installation.replay_switched_with_differences").expect("the log records the switch");
    assert!(switched["differences"][0].as_str().is_some_and(|text| text.starts_with("messages")), "{switched}");
    assert_eq!(log.last().map(|(_, ended)| ended["outcome"].clone()), Some("switched".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_cancelled_in_any_phase_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let before = fixture.reading.dump().await;
    for phase in [Phase::Folding, Phase::Indexing, Phase::CatchingUp, Phase::Comparing] {
        let cancel = CancellationToken::new();
        let options = RebuildOptions { cancel: cancel.clone(), ..RebuildOptions::default() };
        let observe = |progress: projections::RebuildProgress| {
            if progress.phase == phase {
                cancel.cancel()
            }
        };
        let rebuilt = projections::rebuild(&fixture.reading.stores, projections::RELATIONAL, options, observe).await;
        assert!(matches!(rebuilt, Err(RebuildError::Cancelled)), "{phase}: {rebuilt:?}");
        assert_eq!(fixture.leftovers().await, Vec::<String>::new(), "{phase}");
        assert_eq!(fixture.reading.dump().await, before, "{phase}");
    }
    let cancel = CancellationToken::new();
    let options = RebuildOptions { cancel: cancel.clone(), ..RebuildOptions::default() };
    let observe = |progress: projections::RebuildProgress| {
        if progress.phase == Phase::Switching {
            cancel.cancel()
        }
    };
    let rebuilt = projections::rebuild(&fixture.reading.stores, projections::RELATIONAL, options, observe).await;
    assert!(rebuilt.is_ok_and(|report| report.switched), "after the switch a replay cannot be cancelled");
    assert_eq!(fixture.leftovers().await, Vec::<String>::new());
    assert_eq!(fixture.reading.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_corrects_the_rows_of_its_workspace_and_of_no_other() {
    let fixture = Fixture::start().await;
    let team = fixture.with_every_change().await;
    let other = fixture.another_team(team).await;
    fixture.post(team.owner, other.general, "elsewhere").await;
    fixture.settle().await;
    let before = fixture.reading.dump().await;
    fixture.change("UPDATE messages SET content = 'something else'").await;
    fixture.change("DELETE FROM mentions").await;
    fixture.change("UPDATE channels SET topic = 'never said'").await;
    fixture.change(&format!("DELETE FROM channel_members WHERE workspace_id = '{}'", team.workspace_id)).await;
    let tampered = fixture.reading.dump().await;

    let report = fixture.replay(plan(Scope::Workspace(team.workspace_id))).await.expect("a repair");
    assert!(report.switched);
    let mended = report.differences.iter().map(|d| d.table.as_str()).collect::<Vec<_>>();
    assert_eq!(mended, ["channel_members", "channels", "mentions", "messages"]);
    fixture.settle().await;
    let of = |dump: &[String], team: &crate::support::Team| {
        let id = team.workspace_id.to_string();
        dump.iter().filter(|row| row.contains(&id)).cloned().collect::<Vec<_>>()
    };
    let now = fixture.reading.dump().await;
    assert_eq!(of(&now, &team), of(&before, &team), "the rows of the workspace agree with the log");
    assert_eq!(of(&now, &other), of(&tampered, &other), "the rows of the other workspace are unchanged");
    assert_eq!(fixture.leftovers().await, Vec::<String>::new());

    fixture.replay(plan(Scope::Workspace(other.workspace_id))).await.expect("a repair of the other one");
    let report = fixture.replay(Plan::whole()).await.expect("the live tables equal the rebuild");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
    // The running projector continues with the corrected rows.
    fixture.post(team.owner, team.general, "afterwards").await;
    fixture.settle().await;
    assert!(fixture.reading.dump().await.iter().any(|row| row.contains("afterwards")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_the_model_as_of_a_position_and_is_dropped_by_name() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.post(ann, team.general, "before").await;
    let then = fixture.commands().store().catch_up().await.expect("the head");
    let moment = chrono::Utc::now();
    fixture.post(ann, team.general, "after").await;
    fixture.settle().await;
    assert_eq!(projections::position_at(&fixture.reading.pool, moment).await.expect("the log"), then);

    let view = NewView::parse(Some("before_it"), then).expect("a name");
    let report = fixture.replay(plan(Scope::View(view.clone()))).await.expect("a view");
    assert_eq!((report.position, report.switched), (then, false));
    let texts = "SELECT content FROM view_before_it.messages WHERE message_type = 'text'";
    let texts = sqlx::query_scalar::<_, String>(texts).fetch_all(&fixture.reading.pool).await.expect("the view");
    assert_eq!(texts, ["before"]);
    let events = sqlx::query_scalar::<_, i64>("SELECT max(position) FROM view_before_it.audit_log");
    assert_eq!(events.fetch_one(&fixture.reading.pool).await.expect("the view"), then);

    assert!(matches!(fixture.replay(plan(Scope::View(view))).await, Err(RebuildError::ViewExists(_))));
    let beyond = NewView::parse(None, 1_000_000).expect("a name");
    assert!(matches!(fixture.replay(plan(Scope::View(beyond))).await, Err(RebuildError::BeyondLog { .. })));
    // A replay of all tables does not change the view.
    fixture.replay(Plan::whole()).await.expect("a rebuild");
    let listed = projections::views(&fixture.reading.pool).await.expect("views");
    assert_eq!(listed.iter().map(|view| (view.name.as_str(), view.position)).collect::<Vec<_>>(), [("before_it", then)]);
    assert!(projections::drop_view(&fixture.reading.stores, "before_it").await.expect("a view"));
    assert!(projections::drop_view(&fixture.reading.stores, "before_it").await.expect("a view that was dropped before"));
    assert!(!projections::drop_view(&fixture.reading.stores, "never_built").await.expect("no view"));
    assert_eq!(fixture.leftovers().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_while_another_runs_and_to_all_but_operators_and_the_server() {
    let fixture = Fixture::start().await;
    let (_, ann, _) = team_of_three(&fixture).await;
    let replays = fixture.replays(&fixture.reading);
    let turn = RebuildLock::acquire(&fixture.reading.pool, projections::RELATIONAL).await.expect("the rebuild lock");
    let refused = replays.begin(by_the_server(None), projections::RELATIONAL, Plan::whole()).await.err().expect("a refusal");
    assert!(refused.to_string().contains("is running"), "{refused}");
    turn.release().await;
    let refused = replays.begin(crate::support::asked(ann), projections::RELATIONAL, Plan::whole()).await.err().expect("a refusal");
    assert!(refused.to_string().contains("operators"), "{refused}");
    let only = replays.begin(by_the_server(None), projections::CACHE, plan(Scope::Upgrade(1))).await;
    assert!(only.is_ok(), "a refused replay has released its lock, and each projection has a separate lock");
    assert_eq!(fixture.installation_log().await.len(), 1);
}
