//! The keys of people are counted against the log before anything is served.

use serde_json::json;
use sqlx::Executor;
use tests::eventually;

use super::{Office, answers, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_keys_were_not_restored_is_refused_and_not_erased() {
    let mut office = Office::open(&[]).await;
    let before = office.answers().await;
    office.app.stop().await;
    let pool = office.app.database.pool(1).await;
    pool.execute("CREATE TABLE secret.kept AS SELECT * FROM secret.person_keys; DELETE FROM secret.person_keys").await.expect("a loss");
    for verb in ["serve", "replay all", "restore check"] {
        let (code, said) = run(verb, &office.app).await;
        assert_eq!(code, Some(4), "{verb}: {said}");
        for part in ["the keys of 5 users are missing", "restore the schema `secret` from the backup of the keys"] {
            assert!(said.contains(part), "{verb}: {said}");
        }
    }
    let made = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret.person_keys").fetch_one(&pool).await.expect("a count");
    assert_eq!(made, 0, "no other key takes their place");
    // One of them is missing: a backup of the keys that is older than the log.
    pool.execute("INSERT INTO secret.person_keys SELECT * FROM secret.kept").await.expect("the backup");
    let member = office.team.member.id;
    pool.execute(format!("DELETE FROM secret.person_keys WHERE owner_id = '{member}'").as_str()).await.expect("a loss");
    let (code, said) = run("serve", &office.app).await;
    assert!(code == Some(4) && said.contains(&format!("the key of the user {member} is missing")), "{said}");

    pool.execute("INSERT INTO secret.person_keys SELECT * FROM secret.kept ON CONFLICT DO NOTHING; DROP TABLE secret.kept")
        .await
        .expect("the backup");
    office.app.start_again().await;
    assert_eq!(answers(&office.app, &office.team).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_another_server_made_in_place_of_the_lost_ones_are_found() {
    let mut office = Office::open(&[]).await;
    office.app.stop().await;
    let pool = office.app.database.pool(1).await;
    pool.execute("UPDATE secret.person_keys SET key_id = gen_random_uuid() WHERE owner_id <> '00000000-0000-0000-0000-000000000000'")
        .await
        .expect("other keys");
    let (code, said) = run("restore check", &office.app).await;
    assert!(code == Some(4) && said.contains("5 users have another key than the log names"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_another_master_key_are_refused_with_the_setting() {
    let office = Office::open(&[]).await;
    let mut environment = office.app.environment.clone();
    environment.insert("BACKSCROLL_MASTER_KEY".into(), "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=".into());
    let (code, said) = tests::program::said(&tests::program::output(&["restore", "check"], &environment).await);
    assert!(code == Some(4) && said.contains("keys are of another master key: set `master_key`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_erased_has_no_key_and_nobody_misses_it() {
    let mut office = Office::open(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let stranger = &office.team.stranger;
    stranger.delete_confirmed("/v1/users/me").await.expect(204);
    let pool = office.app.database.pool(1).await;
    eventually("the key is destroyed", async || {
        let left = "SELECT count(*) FROM secret.person_keys WHERE wrapped IS NULL";
        sqlx::query_scalar::<_, i64>(left).fetch_one(&pool).await.expect("a count") == 1
    })
    .await;
    office.app.stop().await;
    let (code, said) = run("restore check", &office.app).await;
    assert!(code == Some(0) && said.contains("1 destroyed"), "{said}");
    // A backup without the row: nobody needs the key.
    pool.execute("DELETE FROM secret.person_keys WHERE wrapped IS NULL").await.expect("a loss");
    office.app.start_again().await;
    office.team.post(&office.team.owner.at(&office.app), office.team.general, "still here").await.expect(201);
}

/// A log from before there were keys is plain. It needs none.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_is_not_sealed_needs_no_key() {
    let office = Office::open(&[]).await;
    let pool = office.app.database.pool(1).await;
    let user_id = office.team.stranger.id;
    let plain = json!({"user.registered": {"email": "old@example.org", "username": "old", "display_name": "Old", "is_operator": false}});
    super::tamper(&pool, &format!("UPDATE public.events SET payload = '{plain}' WHERE aggregate_id = '{user_id}' AND sequence = 1")).await;
    pool.execute(format!("DELETE FROM secret.person_keys WHERE owner_id = '{user_id}'").as_str()).await.expect("no key");
    assert_eq!(stores::restored::keys::missing(&pool).await.expect("the keys"), None);
}
