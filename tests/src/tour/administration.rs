//! A workspace: its details and settings, its members and their roles, and legal holds.

use serde_json::json;

use super::Company;
use crate::TestApp;
use crate::person::PASSWORD;
use crate::team::id;

pub(super) async fn run_the_workspace(company: &Company) {
    let team = &company.team;
    let details = json!({"name": "Tidewater Ferry Company", "description": "Two ferries, one bell, and now a crane."});
    team.owner.patch(&team.path(""), details).await.expect(200);
    team.owner.patch(&team.path("/settings"), json!({"edit_window_minutes": 600, "upload_max_bytes": 5_000_000})).await.expect(200);
    team.operator.put(&team.path("/plan"), json!({"plan": "pro"})).await.expect(204);
    team.owner.put(&team.path("/domain"), json!({"domain": "tidewater.example.org"})).await.expect(204);
}

pub(super) async fn invite_and_manage(app: &TestApp, company: &Company) {
    let team = &company.team;
    let invited = team.owner.post(&team.path("/invitations"), json!({"email": "late@example.org", "role": "member"})).await.expect(201);
    team.owner.delete(&team.path(&format!("/invitations/{}", id(&invited, "invitation_id")))).await.expect(204);
    // This invitation is neither accepted nor revoked.
    team.invite("unsure@example.org", "guest").await;

    let member = |place: usize, below: &str| team.path(&format!("/members/{}/{below}", company.sailor(place).id));
    team.owner.put(&member(0, "role"), json!({"role": "admin"})).await.expect(200);
    team.owner.put(&member(1, "details"), json!({"title": "First mate", "department": "Deck"})).await.expect(200);
    let permissions = json!({"permissions": {"holds.manage": true, "channel.create_private": false}});
    team.owner.put(&member(2, "permissions"), permissions).await.expect(200);
    team.owner.put_empty(&member(3, "deactivation")).await.expect(200);
    app.sign_in(&company.sailor(3).email).await;
    team.owner.delete(&member(3, "deactivation")).await.expect(204);
    team.owner.put_empty(&member(4, "erasure-proposal")).await.expect(204);
    team.owner.put(&team.path("/owner"), json!({"to": team.member.id, "current_password": PASSWORD})).await.expect(200);
    team.member.put(&team.path("/owner"), json!({"to": team.owner.id, "current_password": PASSWORD})).await.expect(200);
}

/// Adds two emojis, and removes one of them.
pub(super) async fn name_emojis(company: &Company) {
    let team = &company.team;
    for name in ["sea_monster", "rope_ladder"] {
        team.owner.put_empty(&team.path(&format!("/emojis/{name}"))).await.expect(204);
    }
    team.owner.delete(&team.path("/emojis/sea_monster")).await.expect(204);
}

/// Places two holds, and releases one of them.
pub(super) async fn hold(company: &Company) {
    let team = &company.team;
    let holds = team.path("/holds");
    let on_person = json!({"on": {"kind": "person", "user_id": company.sailor(4).id}, "reason": "The matter of the lost anchor"});
    team.owner.post(&holds, on_person).await.expect(201);
    let on_all = json!({"on": {"kind": "workspace"}, "reason": "The yearly inspection"});
    let placed = id(&team.owner.post(&holds, on_all).await.expect(201), "hold_id");
    team.owner.put(&team.path(&format!("/holds/{placed}/release")), json!({"reason": "It is over"})).await.expect(204);
}
