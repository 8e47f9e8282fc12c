//! Makes the database fixture of a release. `scripts/make-fixture.sh` calls this binary.
//!
//! The tests do not build it: it needs the feature `fixture`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use domain::format::EventFormat;
use tests::person::PASSWORD;
use tests::release::{self, Manifest};
use tests::{TestApp, tour};

#[tokio::main]
async fn main() -> Result<()> {
    let setting = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set: call scripts/make-fixture.sh"));
    let (folder, pg_dump, commit) = (PathBuf::from(setting("FIXTURE_FOLDER")?), setting("PG_DUMP")?, setting("FIXTURE_COMMIT")?);
    let events = setting("FIXTURE_EVENTS")?.parse()?;
    let mut app = TestApp::start_with(&tour::SETTINGS).await;
    let company = tour::take(&mut app, events).await;
    let events = tour::settle(&app).await;
    let reader = company.sailor(0);
    let history = release::history(reader, company.logbook, events).await;
    app.stop().await;

    let pool = app.database.pool(1).await;
    let manifest = Manifest {
        release: env!("CARGO_PKG_VERSION").into(),
        commit,
        postgres: sqlx::query_scalar("SELECT split_part(current_setting('server_version'), ' ', 1)").fetch_one(&pool).await?,
        master_key: app.environment.get("BACKSCROLL_MASTER_KEY").cloned().unwrap_or_default(),
        event_format: EventFormat::CURRENT.0,
        password: PASSWORD.into(),
        events: sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&pool).await?,
        log: release::log(&pool).await,
        operator: (&company.team.operator).into(),
        reader: reader.into(),
        history,
    };
    release::dump(&pg_dump, &app.database.url, &pool, &folder, &manifest).await;
    println!("{} events of {} types in {}", manifest.events, manifest.log.len(), folder.display());
    Ok(())
}
