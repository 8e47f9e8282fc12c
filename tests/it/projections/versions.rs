//! A projection whose version differs from the live model's. A newer version is built beside the live model and
//! switched to; an older one does not write.

use projections::{Connections, RebuildError, RebuildOptions};
use tests::eventually;
use tests::servers::redis;

use super::{Fixture, LIMIT, Reading, team_of_three};

impl Fixture {
    /// The read side of a release with a newer version of the relational projection.
    async fn newer(&self) -> Reading {
        let version = self.version().await + 1;
        let reading = Reading::of(&self.writing.database).await;
        let stores =
            Connections::new(reading.pool.clone(), reading.stores.keys.clone(), redis()).with_version(projections::RELATIONAL, version);
        Reading { progress: stores.progress.clone(), stores, ..reading }
    }

    async fn version(&self) -> i32 {
        let version = "SELECT version FROM projection_checkpoints WHERE projection = 'relational'";
        sqlx::query_scalar(version).fetch_one(&self.reading.pool).await.expect("a checkpoint")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_is_built_and_switched_to_and_the_older_projector_stops() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let message = fixture.post(ann, team.general, "hello").await;
    fixture.settle().await;
    let was = fixture.version().await;
    assert!(projections::outdated(&fixture.reading.stores).await.expect("versions").is_empty());
    let mut newer = fixture.newer().await;
    newer.start_projector(None);
    assert_eq!(projections::outdated(&newer.stores).await.expect("versions"), [(projections::RELATIONAL, was + 1)]);
    // The old model answers queries until the switch, and the new projector does not write to it.
    let seen = fixture.post(ann, team.general, "while the old one serves").await;
    eventually("the old projector continues", async || fixture.reading.read.message(seen).await.expect("a message").is_some()).await;
    assert_eq!(fixture.version().await, was);

    fixture.replays(&newer).upgrade().await.expect("an upgrade");
    assert_eq!(fixture.version().await, was + 1);
    assert!(newer.read.message(message).await.expect("a message").is_some());
    assert!(projections::outdated(&newer.stores).await.expect("versions").is_empty());
    let ends = fixture.installation_log().await.into_iter().filter(|(name, _)| name == "installation.replay_ended").collect::<Vec<_>>();
    assert!(ends.len() == 1 && ends[0].1["outcome"] == "switched", "{ends:?}");
    // The older projector stops, and the newer one takes over.
    let after = fixture.post(ann, team.general, "after the switch").await;
    eventually("the newer projector continues", async || newer.read.message(after).await.expect("a message").is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_release_neither_writes_to_a_newer_model_nor_replays_it() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.settle().await;
    let was = fixture.version().await;
    let mut newer = fixture.newer().await;
    fixture.replays(&newer).upgrade().await.expect("an upgrade");
    // Only the older projector runs.
    let message = fixture.post(ann, team.general, "for the newer one alone").await;
    let head = fixture.commands().store().catch_up().await.expect("the head");
    let waited = fixture.reading.progress.wait_for(projections::RELATIONAL, head, std::time::Duration::from_secs(2)).await;
    assert!(waited.is_err(), "the older projector has written");
    assert!(fixture.reading.read.message(message).await.expect("no message").is_none());
    let refused = fixture.rebuild(RebuildOptions::default()).await.expect_err("an older release");
    assert!(matches!(refused, RebuildError::Newer { stored, ours, .. } if stored == was + 1 && ours == was), "{refused:?}");
    assert_eq!(fixture.version().await, was + 1);

    newer.start_projector(None);
    newer.progress.wait_for(projections::RELATIONAL, head, LIMIT).await.expect("the newer projector writes");
    assert!(newer.read.message(message).await.expect("a message").is_some());
}
