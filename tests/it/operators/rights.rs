//! The rights that the role of Postgres needs: the error of `migrate` names them, and they are enough.

use sqlx::{Connection, Executor, PgConnection};
use tests::servers::address;
use tests::{Program, TestApp, TestDatabase, program};
use uuid::Uuid;

/// A superuser's address. A Postgres that was not started by `make services` may have only one address.
fn admin() -> String {
    std::panic::catch_unwind(|| address("BACKSCROLL_POSTGRES_ADMIN_URL")).unwrap_or_else(|_| address("BACKSCROLL_POSTGRES_URL"))
}

/// A role that is dropped with this value.
struct Role {
    name: String,
}

impl Role {
    async fn create() -> Self {
        let name = format!("backscroll_test_{}", Uuid::now_v7().simple());
        run(&admin(), &format!("CREATE ROLE {name} LOGIN PASSWORD 'p@ss#1'")).await;
        Self { name }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let (url, statements) = (admin(), format!("DROP ROLE {}", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&url, &statements)))
        });
        // A failed test must not fail a second time because its role could not be dropped.
        let _ = dropped.join();
    }
}

async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.expect("Postgres");
    connection.execute(sqlx::raw_sql(statements)).await.expect("a statement");
}

fn in_database(url: &str, database: &str) -> String {
    format!("{}/{database}", url.rsplit_once('/').expect("a database").0)
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_names_the_statements_that_a_role_without_rights_needs_and_they_are_enough() {
    // Dropped after the database, in which it owns tables.
    let role = Role::create().await;
    let database = TestDatabase::empty().await;
    let name = database.url.rsplit_once('/').expect("a database").1.to_owned();
    let host = database.url.rsplit_once('@').expect("a login").1;
    // The password has special characters.
    let url = format!("postgres://{}:p%40ss%231@{host}", role.name);
    let app = TestApp::not_started_on(database, &[("BACKSCROLL_POSTGRES_URL", &url)]);

    let (code, text) = program::said(&program::output(&["migrate"], &app.environment).await);
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("(postgres_url)") && text.contains("permission denied") && !text.contains("ss#1"), "{text}");
    let grants = text.split('`').filter(|part| part.starts_with("GRANT")).collect::<Vec<_>>();
    assert_eq!(grants.len(), 2, "{text}");
    run(&in_database(&admin(), &name), &grants.join(";")).await;

    let (code, text) = program::said(&program::output(&["migrate"], &app.environment).await);
    assert_eq!(code, Some(0), "{text}");
    let (_server, url) = Program::serve(&app.environment);
    let registration =
        serde_json::json!({"email": "a@example.org", "username": "ann", "display_name": "Ann", "password": tests::person::PASSWORD});
    let answer = reqwest::Client::new().post(format!("{url}/v1/users")).json(&registration).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
}
