//! Channels: every command on a channel except posting.

use serde_json::json;
use uuid::Uuid;

use super::Company;
use crate::{TestApp, eventually};

/// A number of events of one stream that makes the server write a snapshot.
const LONG_STREAM: usize = 520;

pub(super) async fn run_channels(company: &Company) {
    let team = &company.team;
    let (owner, members) = (&team.owner, company.crew.iter().take(6).collect::<Vec<_>>());
    let channel = team.channel(owner, "public", "timetable", &members).await;
    let path = |below: &str| format!("/v1/channels/{channel}{below}");
    owner.put(&path("/name"), json!({"name": "timetables", "display_name": "Time tables"})).await.expect(200);
    owner.put(&path("/topic"), json!({"topic": "Winter: every two hours"})).await.expect(200);
    owner.put(&path("/purpose"), json!({"purpose": "When which ferry leaves"})).await.expect(200);
    owner.put(&path("/description"), json!({"description": "Changes are said here before they are printed."})).await.expect(200);
    owner
        .put(&path("/settings"), json!({"allow_threads": true, "allow_file_upload": false, "allow_external_sharing": false}))
        .await
        .expect(200);
    team.member.put_empty(&path("/membership")).await.expect(200);
    team.member.delete(&path("/membership")).await.expect(204);
    owner.post(&path("/members"), json!({"user_id": team.guest.id})).await.expect(200);
    owner.delete(&path(&format!("/members/{}", company.sailor(5).id))).await.expect(204);
    owner.put(&path(&format!("/members/{}/role", company.sailor(0).id)), json!({"role": "admin"})).await.expect(200);
    company.sailor(1).put(&path("/notification-level"), json!({"level": "mentions"})).await.expect(200);
    company.sailor(2).put(&path("/notification-level"), json!({"level": "none"})).await.expect(200);
    for archival in 0..2 {
        owner.put_empty(&path("/archived")).await.expect(200);
        if archival == 0 {
            owner.delete(&path("/archived")).await.expect(204);
        }
    }
}

/// Creates a channel with a long stream. The server reads such a stream from a snapshot, not from its first event.
pub(super) async fn make_a_long_stream(company: &Company) -> Uuid {
    let owner = &company.team.owner;
    let channel = company.team.channel(owner, "public", "weather", &[]).await;
    for n in 0..LONG_STREAM {
        let topic = json!({"topic": format!("Wind from {} degrees", n % 360)});
        owner.put(&format!("/v1/channels/{channel}/topic"), topic).await.expect(200);
    }
    channel
}

/// Makes a server with empty memory read the long stream, so that it writes a snapshot.
pub(super) async fn read_a_long_stream(app: &TestApp, company: &Company, channel: Uuid) {
    company.team.message(&company.team.owner, channel, "It turns.").await;
    eventually("there is a snapshot", async || {
        let snapshots = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM snapshots WHERE aggregate_id = $1").bind(channel.to_string());
        snapshots.fetch_one(&app.app().pool).await.expect("the snapshots") == 1
    })
    .await;
}
