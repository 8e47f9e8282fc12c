//! A tour through the API. Every event type of the catalogue occurs on it, in each of its versions.
//! `scripts/make-fixture.sh` makes the database fixture of a release with it, so that later releases can show that they
//! still read that database.
//!
//! The company of the tour, the Tidewater Ferry, and all of its texts are invented. A new event, or a new version of an
//! event, needs a place on the tour: a test fails if one is missing (`tests/it/upgrade/tour.rs`).

mod administration;
mod archive;
mod channels;
mod company;
mod crowd;
mod messages;
mod old_release;
mod operations;
mod people;
mod sentences;

use std::time::Duration;

use projections::{CACHE, RELATIONAL};

use crate::{TestApp, eventually};
pub use company::Company;

/// The longest time that the projections may take to catch up.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// The settings that the tour needs: an erasure runs at once, and retention runs only on request.
pub const SETTINGS: [(&str, &str); 2] = [("BACKSCROLL_ERASURE_HOURS", "0"), ("BACKSCROLL_RETENTION_AT", "off")];

/// Makes every event of the catalogue occur, and fills the log to about `events` events. The server must run at the
/// beginning. It runs at the end, too, and is stopped once in between.
pub async fn take(app: &mut TestApp, events: usize) -> Company {
    let company = Company::found(app).await;
    people::change_profiles(app, &company).await;
    people::sign_in_and_out(app, &company).await;
    administration::run_the_workspace(&company).await;
    administration::invite_and_manage(app, &company).await;
    administration::hold(&company).await;
    administration::name_emojis(&company).await;
    channels::run_channels(&company).await;
    let slander = messages::converse(&company).await;
    operations::import_and_retain(app, &company).await;
    operations::read_the_audit(&company).await;
    let weather = channels::make_a_long_stream(&company).await;
    crowd::post(&company, events / 15).await;
    crowd::import_until(app, &company, events).await;

    app.stop().await;
    old_release::change_settings(app, &company).await;
    old_release::post_with_a_client_id(app, &company).await;
    app.start_again().await;
    old_release::lose_the_client_id(app).await;
    let company = company.at(app);
    channels::read_a_long_stream(app, &company, weather).await;

    people::lock_out_and_erase(app, &company).await;
    messages::purge(&company, slander).await;
    operations::park(app, &company).await;
    operations::replay(app, &company).await;
    operations::rotate_the_proof_key(app).await;
    settle(app).await;
    company
}

/// Waits until the projections, the purge and the proof have processed the whole log. Returns the log's last position.
pub async fn settle(app: &TestApp) -> i64 {
    let mut head = project(app).await;
    eventually("the log does not grow, and the purge and the proof have reached its end", async || {
        head = project(app).await;
        let signed = app.app().proofs.newest().await.expect("the heads").map_or(0, |head| head.size);
        let purged = "SELECT coalesce(min(position), 0) FROM process_cursors WHERE process = 'purge'";
        let purged = sqlx::query_scalar::<_, i64>(purged).fetch_one(&app.app().pool).await.expect("the cursors");
        signed == head && purged == head && project(app).await == head
    })
    .await;
    head
}

/// Waits until the projections have processed the whole log. Returns the log's last position.
async fn project(app: &TestApp) -> i64 {
    let head = app.app().commands.store().catch_up().await.expect("the head");
    for projection in [RELATIONAL, CACHE] {
        app.app().progress.wait_for(projection, head, SETTLE_MAX).await.expect("the projections keep up");
    }
    head
}
