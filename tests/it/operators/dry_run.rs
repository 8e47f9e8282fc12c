//! The exit codes of replays that find differences.

use sqlx::Executor;
use tests::{Team, TestApp, program};

use crate::cache::settled;

async fn replay(app: &TestApp, arguments: &str) -> (Option<i32>, String) {
    let arguments = ["replay"].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>();
    program::said(&program::output(&arguments, &app.environment).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_finds_differences_exits_with_4_and_reports_every_projection() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "hello").await;
    settled(&app).await;
    for projection in ["relational", "cache", "all"] {
        let (code, said) = replay(&app, &format!("{projection} --dry-run")).await;
        assert_eq!(code, Some(0), "{projection}: {said}");
    }
    app.app().pool.execute("UPDATE read.channels SET topic = 'a topic that no event gave'").await.expect("the owner may do this");
    for arguments in ["relational --dry-run".to_owned(), "all --dry-run".into(), format!("relational --dry-run --workspace {}", team.id)] {
        let (code, said) = replay(&app, &arguments).await;
        assert_eq!(code, Some(4), "{arguments}: {said}");
        assert!(said.contains("a topic that no event gave") && said.contains("backscroll: relational differs at position"), "{said}");
        assert_eq!(said.contains("cache was rebuilt"), arguments.starts_with("all"), "{said}");
    }
    let (code, said) = replay(&app, "relational --dry-run --accept-differences").await;
    assert_eq!(code, Some(0), "the caller accepts them: {said}");
    let (code, said) = replay(&app, "relational").await;
    assert_eq!(code, Some(4), "{said}");
    let (code, said) = replay(&app, "search --dry-run").await;
    assert_eq!(code, Some(2), "Postgres answers searches here: {said}");
    let (code, said) = replay(&app, "relational --until 5 --dry-run").await;
    assert_eq!((code, said.contains("cannot be used with")), (Some(2), true), "{said}");
}
