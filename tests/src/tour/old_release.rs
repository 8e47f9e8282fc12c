//! What a release before this one wrote, and this one does not write any more.

use domain::StreamId;

use super::Company;
use crate::TestApp;
use crate::other_release::{OtherEvent, append};

const PAYLOAD: &str = include_str!("../../../domain/fixtures/workspace.settings_changed.v1.json");

/// Version 1 of the workspace's settings, which said for how many days messages are kept. No server may run meanwhile.
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
