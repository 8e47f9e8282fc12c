//! Messages: posted with an identifier of the client, edited, answered, pinned, reacted to, deleted, purged.

use serde_json::json;
use uuid::Uuid;

use super::Company;
use crate::team::id;

/// Makes the users converse, and returns a message that is purged later.
pub(super) async fn converse(company: &Company) -> Uuid {
    let team = &company.team;
    let (ilse, teodor) = (company.sailor(0), company.sailor(1));
    let root = team.message(ilse, company.logbook, "Who has seen the spare anchor?").await;
    let answer = json!({"content": "Ask the harbour cat.", "thread_id": root});
    let answer = id(&teodor.post(&format!("/v1/channels/{}/messages", company.logbook), answer).await.expect(201), "message_id");
    let path = |message: Uuid, below: &str| format!("/v1/messages/{message}{below}");
    ilse.patch(&path(root, ""), json!({"content": "Who has seen the spare anchor? The *small* one."})).await.expect(200);
    for person in [ilse, teodor, &team.owner] {
        person.put_empty(&path(answer, "/reactions/anchor")).await.expect(200);
    }
    ilse.delete(&path(answer, "/reactions/anchor")).await.expect(204);
    team.owner.put_empty(&path(root, "/pin")).await.expect(200);
    team.owner.put_empty(&path(answer, "/pin")).await.expect(200);
    team.owner.delete(&path(answer, "/pin")).await.expect(204);

    let mistaken = team.message(teodor, company.logbook, "The ferry is on fire!").await;
    teodor.delete(&path(mistaken, "")).await.expect(204);
    let mention = format!("<@{}> please look at <#{}> and https://ferry.example.org/anchors <!channel>", teodor.id, company.engine_room);
    team.message(&team.owner, company.logbook, &mention).await;
    let once = json!({"content": "Said twice, posted once.", "client_msg_id": "bridge-1"});
    for _ in 0..2 {
        ilse.post(&format!("/v1/channels/{}/messages", company.logbook), once.clone()).await.expect(201);
    }
    for (channel, by) in [(company.engine_room, company.sailor(2)), (company.direct, ilse), (company.group, company.sailor(3))] {
        let said = team.message(by, channel, "Between us: the anchor is in the galley.").await;
        by.put(&format!("/v1/channels/{channel}/read-marker"), json!({"message_id": said})).await.expect(200);
    }
    let slander = team.message(teodor, company.logbook, "The cook sold the anchor to a pirate.").await;
    teodor.patch(&path(slander, ""), json!({"content": "The cook sold both anchors to a pirate."})).await.expect(200);
    slander
}

pub(super) async fn purge(company: &Company, slander: Uuid) {
    let purge = format!("/v1/messages/{slander}/purge");
    company.team.owner.put(&purge, json!({"reason": "Decision of the harbour court"})).await.expect(204);
}
