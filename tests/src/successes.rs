//! The operations of a server that have succeeded, as its metrics count them.

use std::collections::BTreeMap;

use crate::TestApp;

/// Counts by method, in lowercase, and route.
pub type Successes = BTreeMap<(String, String), u64>;

/// How often each route of a server has succeeded.
///
/// # Panics
/// Panics if the metrics have another form.
pub async fn successes(app: &TestApp) -> Successes {
    let metrics = app.as_operator("/metrics").await.expect(200);
    let mut successes = Successes::new();
    for line in metrics.as_str().expect("a text").lines().filter(|line| line.contains(r#"_request_seconds_count{"#)) {
        let parts = line.split('"').collect::<Vec<_>>();
        let [_, method, _, route, _, status, count] = parts[..] else { panic!("{line}") };
        if status.starts_with('2') {
            let count = count.trim_start_matches('}').trim().parse::<u64>().expect("a count");
            *successes.entry((method.to_lowercase(), route.to_owned())).or_default() += count;
        }
    }
    successes
}
