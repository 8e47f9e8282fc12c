//! Rebuilds under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use projections::relational::messages::HistoryPage;
use projections::{RebuildError, RebuildOptions};
use tests::eventually;

use super::{Fixture, new_message};
use crate::support::{Team, asked};

/// Posts and reads until it is stopped, and counts its posts and reads.
struct Load {
    stop: Arc<AtomicBool>,
    posted: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn on(fixture: &Fixture, team: Team) -> Self {
        let (stop, posted, read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let (commands, stop, posted) = (fixture.commands().clone(), stop.clone(), posted.clone());
            tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let asked = asked(team.owner);
                    let new = new_message(asked.context.at, "under load", None);
                    commands.post_message(&asked, team.general, new).await.expect("a message");
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        for _ in 0..3 {
            let (models, stop, read) = (fixture.reading.read.clone(), stop.clone(), read.clone());
            tasks.push(tokio::spawn(async move {
                let mut seen = 0;
                while !stop.load(Ordering::Relaxed) {
                    let page = models.history(team.general, HistoryPage::Latest, 200).await.expect("no reader fails");
                    let workspace = models.workspace(team.workspace_id).await.expect("no reader fails");
                    assert!(page.len() >= seen && workspace.is_some(), "a reader saw a half-built model: {} of {seen}", page.len());
                    seen = page.len();
                    read.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        Self { stop, posted, read, tasks }
    }

    async fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no task failed");
        }
        (self.posted.load(Ordering::Relaxed), self.read.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reader_notices_a_rebuild_under_load_and_it_ends_with_the_same_tables() {
    let fixture = Fixture::start().await;
    let team = fixture.with_every_change().await;
    fixture.settle().await;
    let load = Load::on(&fixture, team);
    for _ in 0..3 {
        let report = fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild");
        assert!(report.compared_at.is_some() && report.differences.is_empty());
        assert!(report.held_up < std::time::Duration::from_secs(2), "the live projector was blocked for {:?}", report.held_up);
    }
    let (posted, read) = load.stop().await;
    assert!(posted > 10 && read > 10, "{posted} posts, {read} reads");
    fixture.settle().await;
    let live = fixture.reading.dump().await;
    fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild");
    assert_eq!(fixture.reading.dump().await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_refused_if_a_row_differs_from_the_log() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let before = fixture.reading.dump().await;
    let tamper =
        "UPDATE messages SET content = 'something else' WHERE message_id = (SELECT message_id FROM messages WHERE content <> '' LIMIT 1)";
    sqlx::query(tamper).execute(&fixture.reading.pool).await.expect("a row");
    sqlx::query("DELETE FROM mentions WHERE message_id = (SELECT message_id FROM mentions LIMIT 1)")
        .execute(&fixture.reading.pool)
        .await
        .expect("a row");
    let tampered = fixture.reading.dump().await;

    match fixture.rebuild(RebuildOptions::default()).await {
        Err(RebuildError::Differs { differences, .. }) => {
            assert_eq!(differences.iter().map(|d| d.table.as_str()).collect::<Vec<_>>(), ["mentions", "messages"]);
            assert!(differences[0].live_rows < differences[0].new_rows && differences[1].live_rows == differences[1].new_rows);
        }
        other => panic!("the switch was not refused: {other:?}"),
    }
    assert_eq!(fixture.reading.dump().await, tampered, "the live model is unchanged");
    let leftovers = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_namespace WHERE nspname IN ('read_next', 'read_old')");
    assert_eq!(leftovers.fetch_one(&fixture.reading.pool).await.expect("a count"), 0);

    let report = fixture
        .rebuild(RebuildOptions { accept_differences: true, ..RebuildOptions::default() })
        .await
        .expect("the differences are accepted");
    assert_eq!(report.differences.len(), 2);
    assert_eq!(fixture.reading.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_concurrent_rebuilds_one_is_refused() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let (first, second) = futures::join!(fixture.rebuild(RebuildOptions::default()), fixture.rebuild(RebuildOptions::default()));
    let outcomes = [first, second];
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(outcomes.iter().any(|o| matches!(o, Err(RebuildError::UnderWay(_)))));
    assert!(matches!(
        projections::rebuild(&fixture.reading.stores, "carrots", RebuildOptions::default(), |_| {}).await,
        Err(RebuildError::Unknown(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_rebuild_leaves_the_live_model_unchanged() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let before = fixture.reading.dump().await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'backscroll rebuild'";
    let cut =
        async || sqlx::query_scalar::<_, i64>(cut).fetch_one(&fixture.reading.pool).await.expect("the database's owner may do this") > 0;
    let (rebuilt, ()) = futures::join!(fixture.rebuild(RebuildOptions::default()), eventually("the rebuild is interrupted", cut));
    assert!(rebuilt.is_err());
    assert_eq!(fixture.reading.dump().await, before);
    fixture.rebuild(RebuildOptions::default()).await.expect("the next rebuild");
    assert_eq!(fixture.reading.dump().await, before);
}
