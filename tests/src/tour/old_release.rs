//! Events that an earlier release wrote, and that this release does not write any more.

use chrono::{SubsecRound, Utc};
use domain::StreamId;
use domain::ids::MessageId;
use serde_json::json;

use super::Company;
use crate::TestApp;
use crate::eventually;
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

/// Appends a message with the identifier of its client in clear, as release 0.1.0 did. No server may run meanwhile.
pub(super) async fn post_with_a_client_id(app: &TestApp, company: &Company) {
    let (team, sent_at) = (&company.team, Utc::now().trunc_subsecs(6));
    let posted = json!({
        "workspace_id": team.id, "channel_id": company.logbook, "author": team.owner.id, "content": "Cast off!",
        "client_msg_id": "bridge-0", "sent_at": sent_at,
    });
    let event = OtherEvent {
        stream: StreamId::message(MessageId::at(sent_at, [7; 10])),
        workspace_id: team.id,
        actor: team.owner.id,
        event_type: "message.posted",
        version: "1",
        payload: json!({"message.posted": posted}),
    };
    append(&app.database.pool(1).await, &event).await;
}

/// Waits until the server has removed the identifier from that message.
pub(super) async fn lose_the_client_id(app: &TestApp) {
    eventually("the identifier of the client is removed", async || {
        let removed = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM client_id_removals");
        removed.fetch_one(&app.app().pool).await.expect("the removals") > 0
    })
    .await;
}
