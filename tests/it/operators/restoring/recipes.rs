//! Every way to back up and to restore that the documents name, from the dump to a server that answers like the old one.

use std::path::Path;

use serde_json::json;
use tests::person::PASSWORD;
use tests::{TestApp, TestDatabase, eventually, tour};

use crate::support::this_month;

use super::{Office, answers, block, paste_well, run, sign_in_again};

const PAGE: &str = "docs/OPERATIONS.md";

/// Backs up with one block of the document, restores with another one, and compares the answers of both servers. Returns
/// what the restoring commands printed.
async fn restore(office: &Office, backup: &str, recipe: &str, folder: &Path) -> (TestApp, String) {
    paste_well(&block(PAGE, backup), &office.app, folder).await;
    let mut restored = TestApp::not_started_on(TestDatabase::empty().await, &[]);
    let said = paste_well(&block(PAGE, recipe), &restored, folder).await;
    restored.start_again().await;
    assert_eq!(answers(&restored, &office.team).await, office.answers().await, "{recipe}");
    sign_in_again(&restored, &office.team.owner).await;
    (restored, said)
}

/// Checks that the server goes on: it takes commands, its replays find no difference, and its log fits.
async fn expect_to_go_on(restored: &TestApp, office: &Office) {
    let owner = office.team.owner.at(restored);
    office.team.post(&owner, office.team.general, "we are back").await.expect(201);
    tour::settle(restored).await;
    let (code, said) = run("replay relational --dry-run", restored).await;
    assert!(code == Some(0) && said.contains("equal to the old model"), "{said}");
    let (code, said) = run("restore check --whole", restored).await;
    assert!(code == Some(0) && !said.contains("MISSING") && !said.contains("LOST"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_database_is_restored() {
    let office = Office::open(&[]).await;
    tour::settle(&office.app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (restored, said) = restore(&office, "**The whole database**", "**A whole database**", folder.path()).await;
    assert!(said.contains("the schema is up to date") && !said.contains("created the schema"), "{said}");
    expect_to_go_on(&restored, &office).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_keys_are_restored_apart_and_the_read_tables_are_built() {
    let office = Office::open(&[]).await;
    tour::settle(&office.app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (restored, said) = restore(&office, "**The log and the keys apart**", "**The log and the keys**", folder.path()).await;
    for part in ["created the schema read", "created the schema state", "built the read tables from"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    expect_to_go_on(&restored, &office).await;
}

/// An earlier version of the page named these dumps. They lack the proof, too.
#[tokio::test(flavor = "multi_thread")]
async fn dumps_of_the_schemas_public_and_secret_alone_are_restored() {
    let office = Office::open(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_, said) = restore(&office, "`public` and `secret` alone, as", "**Dumps of `public` and `secret`**", folder.path()).await;
    for part in
        ["created the schema read", "created the schema proof, which the backup did not have: the signed heads", "created the schema state"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn months_of_the_log_are_restored_with_the_keys_and_the_names() {
    let office = Office::open(&[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let months = folder.path().join("months");
    std::fs::create_dir(&months).expect("a folder");
    let recorded = "SELECT count(*) FROM events WHERE aggregate_type = 'installation'";
    eventually("the first key of the proof is recorded, some seconds after the start", async || {
        sqlx::query_scalar::<_, i64>(recorded).fetch_one(&office.app.app().pool).await.expect("the log") > 0
    })
    .await;
    // The month is not over, so the verb would refuse it.
    this_month(&office.app.app().pool, None, &months).await;
    let (restored, said) = restore(&office, "**The log and the keys apart**", "**Months of the log**", folder.path()).await;
    assert!(said.contains("are restored") && said.contains("built the read tables from"), "{said}");
    // Both names are taken. Which of them a registration with both would name depends on their keyed hashes.
    let (email, username) = (office.team.owner.email.as_str(), office.team.owner.username.as_str());
    for (email, username, code) in [(email, "somebody-else", "user.email_taken"), ("else@example.org", username, "user.username_taken")] {
        let twin = json!({"email": email, "username": username, "display_name": "Somebody else", "password": PASSWORD});
        restored.post("/v1/users", &twin).await.expect_problem(409, code);
    }
}
