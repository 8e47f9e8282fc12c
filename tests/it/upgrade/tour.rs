//! The tour that makes the database fixture of a release (`scripts/make-fixture.sh`).

use std::collections::{BTreeMap, BTreeSet};

use domain::catalogue::EVENTS;
use tests::{TestApp, release, tour};

use crate::http::answers;

/// Every event type of the catalogue, in each of its versions.
fn catalogue() -> BTreeMap<String, BTreeSet<String>> {
    let versions = |newest: &str| (1..=newest.parse().expect("a number")).map(|version: u32| version.to_string()).collect();
    EVENTS.iter().map(|event| (event.wire_name.into(), versions(event.version))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_the_catalogue_occurs_on_the_tour_in_each_of_its_versions() {
    let mut app = TestApp::start_with(&tour::SETTINGS).await;
    let company = tour::take(&mut app, 0).await;
    let log = release::log(&app.app().pool).await.into_iter();
    let log = log.map(|(event_type, versions)| (event_type, versions.into_keys().collect())).collect::<BTreeMap<String, BTreeSet<_>>>();
    assert_eq!(log, catalogue(), "a new event, or a new version, needs a place in tests/src/tour");
    answers::walk(&app, &company).await;
}
