//! An event that cannot be applied holds up its workspace, or its user, and nothing else.

use domain::ids::WorkspaceId;
use domain::text::Reason;
use domain::workspace::Details;
use processes::parked::{self, Skip};
use processes::replays::by_the_server;
use projections::{ProjectionState, RebuildOptions, UnparkError};
use sqlx::Executor;
use tests::eventually;

use super::{House, team_of_three};
use crate::support::{Team, asked};

const PROJECTION: &str = projections::RELATIONAL;

impl House {
    /// Another workspace of the same owner.
    pub async fn another_team(&self, team: Team) -> Team {
        let (workspace_id, general) = (WorkspaceId(uuid::Uuid::now_v7()), domain::ids::ChannelId(uuid::Uuid::now_v7()));
        let name = domain::text::WorkspaceName::parse("Other").expect("a name");
        let details = Details { name, description: None, avatar_url: None };
        let new =
            commands::NewWorkspace { workspace_id, general_channel_id: general, details, domain: None, max_members: 10, each_max: None };
        self.commands().create_workspace(&asked(team.owner), new).await.expect("a workspace");
        Team { owner: team.owner, workspace_id, general }
    }

    pub async fn state(&self) -> ProjectionState {
        projections::states(&self.reading.pool).await.expect("states").remove(0)
    }

    /// Makes a stored event such as no release has written it, or mends it. Only the owner of the database can.
    async fn tamper(&self, position: i64, from: &str, to: &str) {
        let mut tx = self.writing.pool.begin().await.expect("a transaction");
        tx.execute("ALTER TABLE events DISABLE TRIGGER USER").await.expect("the owner");
        let update = sqlx::query("UPDATE events SET payload = replace(payload::text, $2, $3)::json WHERE position = $1");
        update.bind(position).bind(from).bind(to).execute(&mut *tx).await.expect("an event");
        tx.execute("ALTER TABLE events ENABLE TRIGGER USER").await.expect("the owner");
        tx.commit().await.expect("a transaction");
    }

    async fn head(&self) -> i64 {
        self.writing.commands.store().catch_up().await.expect("the head")
    }

    /// Two workspaces; in the first, an event that cannot be read, and two that wait behind it.
    async fn poisoned(&mut self) -> (Team, Team, i64) {
        let (team, ann, _) = team_of_three(self).await;
        let other = self.another_team(team).await;
        self.post(ann, team.general, "poison").await;
        let position = self.head().await;
        self.tamper(position, "\"sealed\"", "\"sealt\"").await;
        self.post(ann, team.general, "behind the poison").await;
        self.post(team.owner, other.general, "elsewhere").await;
        self.reading.start_projector(None);
        self.settle().await;
        self.post(ann, team.general, "later").await;
        self.post(team.owner, other.general, "elsewhere, later").await;
        self.settle().await;
        (team, other, position)
    }

    async fn texts(&self, team: Team) -> Vec<String> {
        let history = self.reading.read.history(team.general, projections::relational::messages::HistoryPage::Latest, 50).await;
        history.expect("a page").into_iter().filter(|m| m.message_type == "text").map(|m| m.content).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_parks_its_workspace_and_no_other() {
    let mut house = House::without_projector().await;
    let (team, other, position) = house.poisoned().await;
    assert_eq!(house.texts(team).await, Vec::<String>::new());
    assert_eq!(house.texts(other).await, ["elsewhere", "elsewhere, later"]);
    let state = house.state().await;
    assert_eq!((state.lag, state.parked.len()), (0, 1));
    let parked = &state.parked[0];
    assert_eq!((parked.park_key.clone(), parked.first_position, parked.events), (format!("workspace:{}", team.workspace_id), position, 3));
    assert!(parked.error.contains("content"), "{}", parked.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_event_and_what_waited_behind_it_are_applied_when_the_key_is_let_go() {
    let mut house = House::without_projector().await;
    let (team, _, position) = house.poisoned().await;
    let key = format!("workspace:{}", team.workspace_id);
    let stores = house.reading.stores.clone();
    let refused = projections::unpark(&stores, PROJECTION, &key).await.expect_err("it is still poison");
    assert!(matches!(refused, UnparkError::StillPoison { position: at, .. } if at == position), "{refused:?}");
    house.tamper(position, "\"sealt\"", "\"sealed\"").await;
    assert_eq!(projections::unpark(&stores, PROJECTION, &key).await.expect("it is mended").applied, 3);
    assert_eq!(house.texts(team).await, ["poison", "behind the poison", "later"]);
    assert!(house.state().await.parked.is_empty());
    // The projector that runs has noticed.
    house.post(team.owner, team.general, "afterwards").await;
    house.settle().await;
    assert_eq!(house.texts(team).await.last().map(String::as_str), Some("afterwards"));
    let report = house.rebuild(RebuildOptions::default()).await.expect("both models are the same");
    assert!(report.compared_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_parks_what_cannot_be_applied_and_lets_go_what_can() {
    let mut house = House::without_projector().await;
    let (team, other, position) = house.poisoned().await;
    house.rebuild(RebuildOptions::default()).await.expect("a parked key keeps no rebuild from switching");
    assert_eq!((house.texts(team).await.len(), house.state().await.parked.len()), (0, 1));
    house.tamper(position, "\"sealt\"", "\"sealed\"").await;
    house.rebuild(RebuildOptions::default()).await.expect("what was parked is not compared");
    assert_eq!(house.texts(team).await, ["poison", "behind the poison", "later"]);
    assert_eq!(house.texts(other).await.len(), 2);
    assert!(house.state().await.parked.is_empty());
    house.post(team.owner, team.general, "afterwards").await;
    eventually("the projector goes on", async || house.texts(team).await.len() == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_is_parked_by_the_projector_and_by_a_rebuild_alike() {
    let mut house = House::without_projector().await;
    let (team, ann, _) = team_of_three(&house).await;
    house.post(ann, team.general, "poison").await;
    // Longer than the column: the event can be read, and cannot be written.
    let long = "x".repeat(101);
    let position = house.head().await;
    house.tamper(position, "\"sent_at\"", &format!("\"client_msg_id\":\"{long}\",\"sent_at\"")).await;
    house.reading.start_projector(None);
    house.settle().await;
    let parked = house.state().await.parked;
    assert_eq!(parked.iter().map(|p| p.first_position).collect::<Vec<_>>(), [position]);
    let before = house.reading.dump().await;
    house.rebuild(RebuildOptions::default()).await.expect("a rebuild parks it too");
    assert_eq!(house.state().await.parked.iter().map(|p| p.first_position).collect::<Vec<_>>(), [position]);
    assert_eq!(house.reading.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_is_left_out_by_the_projector_and_by_every_rebuild() {
    let mut house = House::without_projector().await;
    let (team, _, position) = house.poisoned().await;
    let key = format!("workspace:{}", team.workspace_id);
    let (stores, commands) = (house.reading.stores.clone(), house.commands().clone());
    let skip =
        |position| Skip { projection: PROJECTION, park_key: &key, position, reason: Reason::parse("written by nobody").expect("a reason") };
    let listed = projections::parked_payloads(&house.reading.pool, PROJECTION).await.expect("what waits");
    assert_eq!(listed.iter().map(|p| p.event_type.as_str()).collect::<Vec<_>>(), ["message.posted"]);
    assert!(listed[0].payload.to_string().contains("sealt"), "{listed:?}");

    let by_ann = asked(team.member(&commands, "dan", domain::permission::Role::Member).await);
    let refused = parked::skip(&stores, &commands, &by_ann, skip(position)).await.expect_err("only operators may");
    assert!(refused.to_string().contains("operators"), "{refused}");
    let refused =
        parked::skip(&stores, &commands, &by_the_server(None), skip(position + 1)).await.expect_err("another event is in the way");
    assert!(refused.to_string().contains(&position.to_string()), "{refused}");

    parked::skip(&stores, &commands, &by_the_server(None), skip(position)).await.expect("it is skipped");
    assert_eq!(house.texts(team).await, ["behind the poison", "later"]);
    assert!(house.state().await.parked.is_empty());
    house.post(team.owner, team.general, "afterwards").await;
    house.settle().await;
    let live = house.reading.dump().await;
    let report = house.rebuild(RebuildOptions::default()).await.expect("live = rebuild");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
    assert_eq!(house.reading.dump().await, live);
    // With care, event by event, as when an event cannot be copied: the same.
    house
        .replay(processes::replays::Plan {
            scope: processes::replays::Scope::Workspace(team.workspace_id),
            ..processes::replays::Plan::whole()
        })
        .await
        .expect("a repair leaves it out, too");
    let same = |dump: Vec<String>| dump.into_iter().filter(|row| !row.contains("installation")).collect::<Vec<_>>();
    house.settle().await;
    assert_eq!(same(house.reading.dump().await), same(live));
    let skipped =
        house.installation_log().await.into_iter().find(|(name, _)| name == "installation.event_skipped").expect("the log says so");
    assert_eq!((&skipped.1["position"], &skipped.1["reason"]), (&position.into(), &"written by nobody".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_skipped_event_the_next_one_that_cannot_be_applied_waits() {
    let mut house = House::without_projector().await;
    let (team, ann, _) = team_of_three(&house).await;
    let root = house.post(ann, team.general, "poison").await;
    let first = house.head().await;
    house.post(ann, team.general, "between").await;
    house.message_is_asked(ann, root, domain::MessageCommand::Pin).await;
    let second = house.head().await;
    house.tamper(first, "\"sealed\"", "\"sealt\"").await;
    house.reading.start_projector(None);
    house.settle().await;
    let key = format!("workspace:{}", team.workspace_id);
    let (stores, commands) = (house.reading.stores.clone(), house.commands().clone());
    let reason = || Reason::parse("written by nobody").expect("a reason");
    let skip = Skip { projection: PROJECTION, park_key: &key, position: first, reason: reason() };
    let refused = parked::skip(&stores, &commands, &by_the_server(None), skip).await.expect_err("the pin finds no message");
    assert!(refused.to_string().contains(&second.to_string()), "{refused}");
    assert_eq!(house.texts(team).await, ["between"], "what could be applied is");
    assert_eq!(house.state().await.parked.iter().map(|p| (p.first_position, p.events)).collect::<Vec<_>>(), [(second, 1)]);
    let skip = Skip { projection: PROJECTION, park_key: &key, position: second, reason: reason() };
    parked::skip(&stores, &commands, &by_the_server(None), skip).await.expect("nothing else is in the way");
    house.settle().await;
    let live = house.reading.dump().await;
    house.rebuild(RebuildOptions::default()).await.expect("live = rebuild");
    assert_eq!(house.reading.dump().await, live);
}
