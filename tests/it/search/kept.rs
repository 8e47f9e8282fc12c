//! The project's fixed searches find the same messages as a plain scan of all messages. This test uses the small
//! archive, if it is in the folder beside the project. `make bench` uses the large one.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::Utc;
use identity::sessions::Device;
use projections::search::TOTAL_MAX;
use reqwest::Client;
use serde_json::Value;
use slack::import::{self, Limits, Settings};
use tests::person::send;
use tests::searches::{everything_said, listed_searches};
use tests::{TestApp, servers};
use uuid::Uuid;

use super::fixture::{Backend, escaped};
use super::over_every_backend;

/// The longest time that a projection may take to apply the archive.
const CATCH_UP_MAX: Duration = Duration::from_secs(120);

over_every_backend!(the_fixed_searches_find_what_a_plain_scan_finds);

async fn the_fixed_searches_find_what_a_plain_scan_finds(backend: Backend) {
    let archive = servers::checkout().join("../shared/data/gitter-slack-export-small.zip");
    if !archive.exists() {
        println!("{archive:?} was not found beside the project, and is not used");
        return;
    }
    let app = TestApp::start_with(&backend.settings()).await;
    let team = crate::laws::workspace(&app.app().commands).await;
    let (workspace_id, importer) = (team.workspace_id, team.owner);
    let settings = Settings { workspace_id, importer, at: Utc::now(), correlation_id: Uuid::now_v7(), limits: Limits::default() };
    import::slack(app.app().commands.store(), &archive, &settings, &()).await.expect("an import");
    let head = app.app().commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(backend.projection(), head, CATCH_UP_MAX).await.expect("everything is projected");
    let (token, _) = app.app().sessions.start(team.owner, Device::default()).await.expect("a session");
    let ask = async |path: String| send(Client::new().get(format!("{}{path}", app.url)).bearer_auth(token.expose())).await;

    let said = everything_said(&app.app().pool).await;
    let mut found_some = 0;
    for search in listed_searches() {
        let path = format!("/v1/workspaces/{workspace_id}/search/messages?q={}&order=newest&limit=100", escaped(search.query));
        let expected = said.iter().filter(|said| search.means(said)).map(|said| said.message_id.to_string()).collect::<Vec<_>>();
        let first = ask(path.clone()).await;
        if first.status == 400 {
            // The small archive lacks some of the users and channels.
            let wrong = first.expect_problem(400, "search.query_invalid")["detail"].to_string();
            assert!(search.authors().into_iter().chain(search.channels()).any(|name| wrong.contains(name)), "{}: {wrong}", search.query);
            continue;
        }
        let mut page = first.expect(200);
        let total = page["total"].as_u64();
        assert_eq!(total, Some(TOTAL_MAX.min(expected.len() as u64)), "{}", search.query);
        let mut found = ids(&page);
        while let Some(next) = page["next"].as_str() {
            page = ask(format!("{path}&after={next}")).await.expect(200);
            found.extend(ids(&page));
        }
        assert_eq!(found, expected, "{}", search.query);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{}", search.query);
        found_some += usize::from(!found.is_empty());
    }
    assert!(found_some > 30, "{found_some} searches found messages");
}

fn ids(page: &Value) -> Vec<String> {
    let id = |hit: &Value| hit["message"]["message_id"].as_str().expect("a message").to_owned();
    page["items"].as_array().expect("hits").iter().map(id).collect()
}
