//! A workspace that is too large for its shared index moves to another one while users search and write.

use std::time::Duration;

use projections::search::SearchBackend;
use projections::search::elasticsearch::{ElasticSearch, rebalance};
use tests::elastic::documents;

use super::SearchHouse;
use super::backend::query;
use crate::projections::team_of_three;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_workspace_moves_to_a_separate_index_while_it_is_searched() {
    let search = SearchHouse::start_with(|settings| settings.dedicated_index_members = 2).await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    // The workspace has three members, more than the limit of two. The first build of the indices ran before the
    // workspace existed, so the workspace is in a shared index.
    search.settle().await;
    for round in 0..50 {
        search.fixture.post(ann, team.general, &format!("message {round}")).await;
    }
    search.settle().await;
    let backend = ElasticSearch::new(&search.fixture.reading.stores).expect("a backend");
    let head = search.fixture.writing.commands.store().catch_up().await.expect("the head");
    let asked = projections::search::MessageQuery { min_position: Some(head), limit: 200, ..query(team, &[team.general]) };
    let searches = async {
        for _ in 0..20 {
            let found = backend.messages(&asked).await.expect("an answer");
            assert!(found.total >= 50, "{}", found.total);
            let ids = found.hits.iter().map(|hit| hit.message_id).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(ids.len(), found.hits.len(), "no message is found twice");
        }
    };
    let writes = async {
        for round in 0..20 {
            search.fixture.post(ann, team.general, &format!("meanwhile {round}")).await;
        }
    };
    let stores = &search.fixture.reading.stores;
    let (moved, (), ()) = futures::join!(rebalance(stores, Duration::from_secs(60)), searches, writes);
    let moved = moved.expect("a move");
    search.settle().await;
    let own = documents(&format!("{}messages_workspace_{}", search.prefix, team.workspace_id)).await;
    assert!(own.len() >= 70, "{} {moved:?}", own.len());
    // The old index is emptied later, and nothing is written there any more.
    assert!(rebalance(stores, Duration::ZERO).await.expect("nothing to move").is_empty());
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    assert_eq!(search.messages().await.len(), 0);
    let own_after = documents(&format!("{}messages_workspace_{}", search.prefix, team.workspace_id)).await;
    assert_eq!(own_after.len(), own.len() + 1);
    // A rebuild puts the workspace there at once.
    search.rebuild().await.expect("a rebuild");
    assert_eq!(documents(&format!("{}messages_workspace_{}", search.prefix, team.workspace_id)).await.len(), own.len() + 1);
    assert!(backend.messages(&asked).await.expect("an answer").total >= 71);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_of_high_volume_has_an_index_for_each_month() {
    let search = SearchHouse::start_with(|settings| settings.monthly_index_messages = 10).await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.settle().await;
    for round in 0..20 {
        search.fixture.post(ann, team.general, &format!("message {round}")).await;
    }
    search.settle().await;
    let stores = &search.fixture.reading.stores;
    assert_eq!(rebalance(stores, Duration::ZERO).await.expect("a move"), [team.workspace_id.0]);
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    let monthly = documents(&format!("{}messages_monthly_{}", search.prefix, team.workspace_id)).await;
    assert!(monthly.len() >= 21, "{}", monthly.len());
    let months = search.indices().await.into_iter().filter(|index| index.contains(&format!("messages_{}_20", team.workspace_id)));
    assert_eq!(months.count(), 1);
    let backend = ElasticSearch::new(stores).expect("a backend");
    assert!(backend.messages(&query(team, &[team.general])).await.expect("an answer").total >= 20);
}
