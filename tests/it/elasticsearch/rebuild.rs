//! Rebuilds: new indices are built beside the live ones.

use domain::MessageCommand;
use projections::{DifferingRow, Phase, RebuildError, RebuildOptions, RebuildProgress};
use reqwest::Method;
use serde_json::json;
use tests::elastic::expect;
use tokio_util::sync::CancellationToken;

use super::SearchHouse;
use crate::projections::team_of_three;
use crate::support::asked;

#[tokio::test(flavor = "multi_thread")]
async fn new_indices_equal_the_rows_and_replace_the_old_ones() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "to be deleted").await;
    for round in 0..20 {
        search.fixture.post(ann, team.general, &format!("message {round}")).await;
    }
    search.fixture.commands().message(&asked(ann), message, MessageCommand::Delete).await.expect("the message is deleted");
    search.settle().await;
    let (before, indices) = (search.messages().await, search.indices().await);
    let report = search.rebuild().await.expect("a rebuild");
    assert!(report.differences.is_empty() && report.rows.iter().map(|(_, n)| n).sum::<i64>() >= 24, "{report:?}");
    let without_versions =
        |documents: Vec<(String, i64, serde_json::Value)>| documents.into_iter().map(|(id, _, source)| (id, source)).collect::<Vec<_>>();
    assert_eq!(without_versions(search.messages().await), without_versions(before));
    assert!(search.indices().await.iter().all(|index| !indices.contains(index)), "the old indices are removed");
    // The running projector continues with the new indices.
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    search.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_under_load_ends_with_equal_documents() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.settle().await;
    let load = async {
        for round in 0..200 {
            let message = search.fixture.post(ann, team.general, &format!("under load {round}")).await;
            if round % 3 == 0 {
                search.fixture.commands().message(&asked(ann), message, MessageCommand::Delete).await.expect("the message is deleted");
            }
        }
    };
    let (rebuilt, ()) = futures::join!(search.rebuild(), load);
    rebuilt.expect("a rebuild");
    search.settle().await;
    search.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_refused_if_documents_differ_from_the_rows() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "hello").await;
    search.settle().await;
    let indices = search.indices().await;
    // A foreign template has priority over ours. It maps `content` as a number.
    let template = json!({
        "index_patterns": [format!("{}messages_*", search.prefix)],
        "priority": 900,
        "template": {"mappings": {"properties": {"content": {"type": "long"}}}},
    });
    let name = format!("/_index_template/{}other", search.prefix);
    expect(Method::PUT, &name, Some(&template)).await;
    let refused = search.rebuild().await;
    expect(Method::DELETE, &name, None).await;
    match refused {
        Err(RebuildError::Differs { differences, .. }) => {
            assert!(differences.iter().all(|d| d.table.starts_with("messages_shared_") && d.live_rows > d.new_rows), "{differences:?}");
            let rows = differences.iter().flat_map(|difference| &difference.rows).collect::<Vec<_>>();
            let posted = |row: &DifferingRow| row.events.iter().any(|event| event.event_type == "message.posted");
            assert!(!rows.is_empty() && rows.iter().all(|row| row.in_live && !row.in_new && posted(row)), "{rows:?}");
        }
        other => panic!("the switch was not refused: {other:?}"),
    }
    assert_eq!(search.indices().await, indices, "the refused rebuild leaves no index");
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    search.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_cancelled_rebuild_leave_the_live_indices_and_no_others() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "here").await;
    search.settle().await;
    search.rebuild().await.expect("a rebuild");
    let (stores, indices) = (&search.fixture.reading.stores, search.indices().await);
    let dry = RebuildOptions { dry_run: true, ..RebuildOptions::default() };
    let report = projections::rebuild(stores, projections::SEARCH, dry, |_| {}).await.expect("a dry run");
    assert!(!report.switched && report.differences.is_empty() && !report.rows.is_empty(), "{report:?}");
    assert_eq!(search.indices().await, indices);
    for phase in [Phase::Folding, Phase::Comparing] {
        let cancel = CancellationToken::new();
        let options = RebuildOptions { cancel: cancel.clone(), ..RebuildOptions::default() };
        let observe = |progress: RebuildProgress| {
            if progress.phase == phase {
                cancel.cancel()
            }
        };
        let rebuilt = projections::rebuild(stores, projections::SEARCH, options, observe).await;
        assert!(matches!(rebuilt, Err(RebuildError::Cancelled)), "{phase}: {rebuilt:?}");
        assert_eq!(search.indices().await, indices, "{phase}");
    }
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    search.assert_equal().await;
}
