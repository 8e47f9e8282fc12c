//! Elasticsearch loses data.

use reqwest::Method;
use tests::elastic::expect;
use tests::eventually;

use super::SearchHouse;
use crate::projections::team_of_three;

#[tokio::test(flavor = "multi_thread")]
async fn indices_that_are_wiped_under_load_are_rebuilt() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "before").await;
    search.settle().await;
    let before = search.indices().await;
    for round in 0..60 {
        if round == 20 {
            expect(Method::DELETE, &format!("/{}", before.join(",")), None).await;
        }
        search.fixture.post(ann, team.general, &format!("message {round}")).await;
    }
    search.settle().await;
    assert!(search.indices().await.iter().all(|index| !before.contains(index)), "a write does not create a lost index again");
    search.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_does_not_create_a_lost_index_again() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.settle().await;
    let lost = search.indices().await;
    for index in &lost {
        expect(Method::DELETE, &format!("/{index}"), None).await;
    }
    search.fixture.post(ann, team.general, "after").await;
    eventually("there is a new model", async || {
        let found = search.indices().await;
        !found.is_empty() && found.iter().all(|index| !lost.contains(index))
    })
    .await;
    search.settle().await;
    search.assert_equal().await;
}
