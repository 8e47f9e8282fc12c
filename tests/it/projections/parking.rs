//! An event that cannot be applied blocks its workspace, or its user, and nothing else.

use domain::ids::WorkspaceId;
use domain::text::Reason;
use domain::workspace::Details;
use processes::parked::{self, Skip};
use processes::replays::by_the_server;
use projections::{ProjectionState, RebuildOptions, UnparkError};
use sqlx::Executor;
use tests::eventually;

use super::{Fixture, team_of_three};
use crate::support::{Team, asked};

const PROJECTION: &str = projections::RELATIONAL;

impl Fixture {
    /// A second workspace of the same owner.
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

    /// Changes a stored event so that it cannot be read, or changes it back. Only the owner of the database can.
    async fn tamper(&self, position: i64, from: &str, to: &str) {
        let mut tx = self.writing.pool.begin().await.expect("a transaction");
        tx.execute("ALTER TABLE events DISABLE TRIGGER USER").await.expect("the database's owner may do this");
        let update = sqlx::query("UPDATE events SET payload = replace(payload::text, $2, $3)::json WHERE position = $1");
        update.bind(position).bind(from).bind(to).execute(&mut *tx).await.expect("an event");
        tx.execute("ALTER TABLE events ENABLE TRIGGER USER").await.expect("the database's owner may do this");
        tx.commit().await.expect("a transaction");
    }

    async fn head(&self) -> i64 {
        self.writing.commands.store().catch_up().await.expect("the head")
    }

    /// Two workspaces. The first has an event that cannot be read, and two events that wait behind it.
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
async fn an_unreadable_event_parks_its_workspace_and_no_other() {
    let mut fixture = Fixture::without_projector().await;
    let (team, other, position) = fixture.poisoned().await;
    assert_eq!(fixture.texts(team).await, Vec::<String>::new());
    assert_eq!(fixture.texts(other).await, ["elsewhere", "elsewhere, later"]);
    let state = fixture.state().await;
    assert_eq!((state.lag, state.parked.len()), (0, 1));
    let parked = &state.parked[0];
    assert_eq!((parked.park_key.clone(), parked.first_position, parked.events), (format!("workspace:{}", team.workspace_id), position, 3));
    assert!(parked.error.contains("content"), "{}", parked.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_event_and_those_behind_it_are_applied_when_the_key_is_unparked() {
    let mut fixture = Fixture::without_projector().await;
    let (team, _, position) = fixture.poisoned().await;
    let key = format!("workspace:{}", team.workspace_id);
    let stores = fixture.reading.stores.clone();
    let refused = projections::unpark(&stores, PROJECTION, &key).await.expect_err("the event is still unreadable");
    assert!(matches!(refused, UnparkError::StillPoison { position: at, .. } if at == position), "{refused:?}");
    fixture.tamper(position, "\"sealt\"", "\"sealed\"").await;
    assert_eq!(projections::unpark(&stores, PROJECTION, &key).await.expect("the event is readable again").applied, 3);
    assert_eq!(fixture.texts(team).await, ["poison", "behind the poison", "later"]);
    assert!(fixture.state().await.parked.is_empty());
    // The running projector has noticed it.
    fixture.post(team.owner, team.general, "afterwards").await;
    fixture.settle().await;
    assert_eq!(fixture.texts(team).await.last().map(String::as_str), Some("afterwards"));
    let report = fixture.rebuild(RebuildOptions::default()).await.expect("both models are equal");
    assert!(report.compared_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_parks_unreadable_events_and_unparks_readable_ones() {
    let mut fixture = Fixture::without_projector().await;
    let (team, other, position) = fixture.poisoned().await;
    fixture.rebuild(RebuildOptions::default()).await.expect("a parked key does not prevent a switch");
    assert_eq!((fixture.texts(team).await.len(), fixture.state().await.parked.len()), (0, 1));
    fixture.tamper(position, "\"sealt\"", "\"sealed\"").await;
    fixture.rebuild(RebuildOptions::default()).await.expect("parked keys are not compared");
    assert_eq!(fixture.texts(team).await, ["poison", "behind the poison", "later"]);
    assert_eq!(fixture.texts(other).await.len(), 2);
    assert!(fixture.state().await.parked.is_empty());
    fixture.post(team.owner, team.general, "afterwards").await;
    eventually("the projector continues", async || fixture.texts(team).await.len() == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_row_the_database_refuses_is_parked_by_the_projector_and_by_a_rebuild() {
    let mut fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.post(ann, team.general, "poison").await;
    // Postgres stores no U+0000: the event can be read, but its row cannot be written.
    let position = fixture.head().await;
    fixture.tamper(position, "\"sent_at\"", "\"formatted\":{\"bot_name\":\"\\u0000\"},\"sent_at\"").await;
    fixture.reading.start_projector(None);
    fixture.settle().await;
    let parked = fixture.state().await.parked;
    assert_eq!(parked.iter().map(|p| p.first_position).collect::<Vec<_>>(), [position]);
    let before = fixture.reading.dump().await;
    fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild parks it too");
    assert_eq!(fixture.state().await.parked.iter().map(|p| p.first_position).collect::<Vec<_>>(), [position]);
    assert_eq!(fixture.reading.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_is_left_out_by_the_projector_and_by_every_rebuild() {
    let mut fixture = Fixture::without_projector().await;
    let (team, _, position) = fixture.poisoned().await;
    let key = format!("workspace:{}", team.workspace_id);
    let (stores, commands) = (fixture.reading.stores.clone(), fixture.commands().clone());
    let skip =
        |position| Skip { projection: PROJECTION, park_key: &key, position, reason: Reason::parse("written by nobody").expect("a reason") };
    let listed = projections::parked_payloads(&fixture.reading.pool, PROJECTION).await.expect("the parked events");
    assert_eq!(listed.iter().map(|p| p.event_type.as_str()).collect::<Vec<_>>(), ["message.posted"]);
    assert!(listed[0].payload.to_string().contains("sealt"), "{listed:?}");

    let by_ann = asked(team.member(&commands, "dan", domain::permission::Role::Member).await);
    let refused = parked::skip(&stores, &commands, &by_ann, skip(position)).await.expect_err("only operators may");
    assert!(refused.to_string().contains("operators"), "{refused}");
    let refused = parked::skip(&stores, &commands, &by_the_server(None), skip(position + 1)).await.expect_err("another event is parked");
    assert!(refused.to_string().contains(&position.to_string()), "{refused}");

    parked::skip(&stores, &commands, &by_the_server(None), skip(position)).await.expect("the event is skipped");
    assert_eq!(fixture.texts(team).await, ["behind the poison", "later"]);
    assert!(fixture.state().await.parked.is_empty());
    fixture.post(team.owner, team.general, "afterwards").await;
    fixture.settle().await;
    let live = fixture.reading.dump().await;
    let report = fixture.rebuild(RebuildOptions::default()).await.expect("the live tables equal the rebuild");
    assert!(report.compared_at.is_some() && report.differences.is_empty());
    assert_eq!(fixture.reading.dump().await, live);
    // The same holds if the rebuild applies event by event, as it does when an event cannot be copied.
    fixture
        .replay(processes::replays::Plan {
            scope: processes::replays::Scope::Workspace(team.workspace_id),
            ..processes::replays::Plan::whole()
        })
        .await
        .expect("a repair skips the event, too");
    let same = |dump: Vec<String>| dump.into_iter().filter(|row| !row.contains("installation")).collect::<Vec<_>>();
    fixture.settle().await;
    assert_eq!(same(fixture.reading.dump().await), same(live));
    let skipped = fixture
        .installation_log()
        .await
        .into_iter()
        .find(|(name, _)| name == "installation.event_skipped")
        .expect("the log records the skipped event");
    assert_eq!((&skipped.1["position"], &skipped.1["reason"]), (&position.into(), &"written by nobody".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_skipped_event_the_next_event_that_cannot_be_applied_is_parked() {
    let mut fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let root = fixture.post(ann, team.general, "poison").await;
    let first = fixture.head().await;
    fixture.post(ann, team.general, "between").await;
    fixture.message_is_asked(ann, root, domain::MessageCommand::Pin).await;
    let second = fixture.head().await;
    fixture.tamper(first, "\"sealed\"", "\"sealt\"").await;
    fixture.reading.start_projector(None);
    fixture.settle().await;
    let key = format!("workspace:{}", team.workspace_id);
    let (stores, commands) = (fixture.reading.stores.clone(), fixture.commands().clone());
    let reason = || Reason::parse("written by nobody").expect("a reason");
    let skip = Skip { projection: PROJECTION, park_key: &key, position: first, reason: reason() };
    let refused = parked::skip(&stores, &commands, &by_the_server(None), skip).await.expect_err("the pin finds no message");
    assert!(refused.to_string().contains(&second.to_string()), "{refused}");
    assert_eq!(fixture.texts(team).await, ["between"], "the readable event is applied");
    assert_eq!(fixture.state().await.parked.iter().map(|p| (p.first_position, p.events)).collect::<Vec<_>>(), [(second, 1)]);
    let skip = Skip { projection: PROJECTION, park_key: &key, position: second, reason: reason() };
    parked::skip(&stores, &commands, &by_the_server(None), skip).await.expect("no other event is parked");
    fixture.settle().await;
    let live = fixture.reading.dump().await;
    fixture.rebuild(RebuildOptions::default()).await.expect("the live tables equal the rebuild");
    assert_eq!(fixture.reading.dump().await, live);
}
