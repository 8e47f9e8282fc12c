//! A database that lacks schemas, tables or rows that can be made again.

use sqlx::{Executor, PgPool, query_scalar};
use tests::release::{self, Release};
use tests::{Person, TestApp, TestDatabase, eventually, tour};

use super::{Office, answers, run, tamper};

/// Every column, index and constraint of the schemas that can be made again.
async fn catalog(pool: &PgPool) -> Vec<String> {
    query_scalar(
        "WITH tables AS (SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname IN ('read', 'state', 'proof') AND c.relkind IN ('r', 'p'))
         SELECT concat_ws(' ', t.name, t.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage, a.attidentity,
                          pg_get_expr(d.adbin, d.adrelid), row_number() OVER (PARTITION BY t.oid ORDER BY a.attnum))
         FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
                       LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
         UNION ALL SELECT pg_get_indexdef(i.indexrelid) || i.indisvalid FROM pg_index i JOIN tables t ON t.oid = i.indrelid
         UNION ALL SELECT t.name || ' ' || k.conname || ' ' || translate(pg_get_constraintdef(k.oid), '()', '') FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid
         ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("the catalog")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_that_are_made_again_equal_those_of_the_migrations() {
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    let migrated = catalog(&pool).await;
    pool.execute("DROP SCHEMA read CASCADE; DROP SCHEMA state CASCADE; DROP SCHEMA proof CASCADE").await.expect("no schemas");
    let mut connection = pool.acquire().await.expect("a connection");
    let made = projections::restored::make_schemas(&mut connection).await.expect("the schemas");
    assert_eq!(made, ["read", "proof", "state"]);
    let changed = "a migration has changed a schema that can be made again: run scripts/with-services.sh scripts/derived-schemas.sh, and add the \
                   version to migrations/src/derived.rs";
    assert_eq!(catalog(&pool).await, migrated, "{changed}");
    assert!(projections::restored::make_schemas(&mut connection).await.expect("nothing to do").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_without_its_read_tables_builds_them() {
    let mut office = Office::open(&[]).await;
    let before = office.answers().await;
    let pool = office.app.database.pool(1).await;
    for loss in [
        "DROP SCHEMA read CASCADE; DROP SCHEMA state CASCADE",
        // A dump without the rows of `read`.
        "TRUNCATE read.users, read.workspaces, read.workspace_members, read.channels, read.channel_members, read.messages, read.audit_log",
        // A dump of `read` from an earlier moment.
        "DELETE FROM read.audit_log WHERE position > 3; DELETE FROM read.messages",
        // One table was not restored.
        "DROP TABLE read.mentions",
    ] {
        office.app.stop().await;
        pool.execute(loss).await.expect("a loss");
        office.app.start_again().await;
        assert_eq!(answers(&office.app, &office.team).await, before, "{loss}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_builds_missing_read_tables_and_says_so() {
    let mut office = Office::open(&[]).await;
    let before = office.answers().await;
    office.app.stop().await;
    let pool = office.app.database.pool(1).await;
    pool.execute("DROP SCHEMA read CASCADE").await.expect("a loss");
    let (code, said) = run("restore check", &office.app).await;
    assert!(code == Some(0) && said.contains("made again  read is missing"), "{said}");
    let (code, said) = run("migrate", &office.app).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("created the schema read, which the backup did not have\nbuilt the read tables from"), "{said}");
    let (_, said) = run("migrate", &office.app).await;
    assert_eq!(said, "the schema is up to date\n");
    office.app.start_again().await;
    assert_eq!(answers(&office.app, &office.team).await, before);
}

/// After a restore without `read`, `replay all` failed for want of the schema, and then refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_builds_missing_read_tables_too() {
    let mut office = Office::open(&[]).await;
    let before = office.answers().await;
    office.app.stop().await;
    office.app.database.pool(1).await.execute("DROP SCHEMA read CASCADE").await.expect("a loss");
    let (code, said) = run("replay all", &office.app).await;
    assert!(code == Some(0) && said.contains("relational was rebuilt"), "{said}");
    office.app.start_again().await;
    assert_eq!(answers(&office.app, &office.team).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_earlier_release_without_the_read_tables_is_migrated() {
    for kept in Release::all() {
        let database = kept.restore().await;
        database.pool(1).await.execute("DROP SCHEMA read CASCADE").await.expect("a loss");
        let mut app = TestApp::not_started_on(database, &[("BACKSCROLL_MASTER_KEY", kept.manifest.master_key.as_str())]);
        let (code, said) = run("restore check", &app).await;
        assert!(code == Some(4) && said.contains("run `backscroll migrate`"), "{said}");
        let (code, said) = run("migrate", &app).await;
        assert!(code == Some(0) && said.contains("created the schema read"), "{said}");
        app.start_again().await;
        let reader = &kept.manifest.reader;
        let token = app.sign_in_with(&reader.email, &kept.manifest.password).await;
        let reader: Person = app.person(reader.user_id, &reader.username, &reader.email, token);
        let head = stores::log::head(&app.app().pool).await.expect("the log");
        eventually("the read tables have the log", async || {
            release::history(&reader, kept.manifest.history.channel_id, head).await == kept.manifest.history.clone().as_shown_now()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_is_missing_and_what_to_do() {
    let empty = TestApp::not_started_on(TestDatabase::empty().await, &[]);
    let (code, said) = run("restore check", &empty).await;
    assert!(code == Some(4) && said.contains("restore the backup of the schema `public` first"), "{said}");

    let mut office = Office::open(&[]).await;
    tour::settle(&office.app).await;
    office.app.stop().await;
    let (code, said) = run("restore check", &office.app).await;
    assert!(code == Some(0) && !said.contains("MISSING") && said.contains("events, without a gap"), "{said}");
    let pool = office.app.database.pool(1).await;
    for (loss, named) in [
        ("UPDATE public.events SET metadata = '{}' WHERE position = 5", "event 5 was changed"),
        ("DELETE FROM public.claims", "public.claims is empty: names could be taken twice"),
        ("DELETE FROM public.events WHERE position = 7", "some are missing, so the restore is not complete"),
        ("DELETE FROM public.events WHERE position > 9", "the backup of the log is older"),
        ("DROP TABLE secret.credentials CASCADE", "secret lacks credentials: restore the schema from its backup"),
    ] {
        tamper(&pool, loss).await;
        let (code, said) = run("restore check", &office.app).await;
        assert!(code == Some(4) && said.contains(named), "{loss}: {said}");
    }
}
