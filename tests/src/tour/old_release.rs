//! Events that an earlier release wrote, and that this release does not write any more.

use domain::StreamId;

use super::Company;
use crate::TestApp;
use crate::other_release::{OtherEvent, append};

const PAYLOAD: &str = include_str!("../../../domain/fixtures/workspace.settings_changed.v1.json");

/// Appends version 1 of the workspace's settings, which had the number of days that messages are kept. No server may
/// run meanwhile.
pub(super) async fn change_settings(app: &TestApp, company: &Company) {
    let event = OtherEvent {
        stream: StreamId::workspace(company.team.id),
        workspace_id: company.team.id,
        actor: company.team.owner.id,
        event_type: "workspace.settings_changed",
        version: "1",
        payload: serde_json::from_str(PAYLOAD).expect("JSON"),
    };
    append(&app.database.pool(1).await, &event).await;
}
