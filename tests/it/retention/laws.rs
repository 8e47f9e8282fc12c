//! Invariants of retention after random histories: exempt and held messages are never removed, the live tables equal a
//! rebuild, and the caches agree with the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use commands::ErasureCandidates;
use domain::channel::{ChannelSettings, Kind};
use domain::ids::{ChannelId, HoldId, MessageId, UserId};
use domain::message::NewMessage;
use domain::permission::Role;
use domain::retention::{RetentionAction, RetentionPolicy};
use domain::text::{Emoji, MessageBody, Reason};
use domain::workspace::{HoldTarget, WorkspaceSettings};
use domain::{ChannelCommand, MessageCommand, WorkspaceCommand};
use projections::relational::messages::HistoryPage;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use slack::import::{self, Limits, Settings};
use tests::{TestApp, servers};
use uuid::Uuid;

use crate::cache::{page_is_right, settled};
use crate::laws::workspace;
use crate::support::{Team, asked, post_dated};

/// The number of random commands between two runs.
const STEPS: usize = 60;
const RUNS: usize = 4;

/// A source of random numbers. The same seed gives the same numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64* is random enough for choices.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bound = u64::try_from(bound).expect("a bound");
        usize::try_from((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound).expect("a number")
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A message, as the test remembers it.
#[derive(Clone, Copy)]
struct Said {
    id: MessageId,
    channel: ChannelId,
    author: UserId,
    sent_at: DateTime<Utc>,
    root: Option<MessageId>,
}

struct World<'a> {
    app: &'a TestApp,
    team: Team,
    people: Vec<UserId>,
    channels: Vec<ChannelId>,
    said: Vec<Said>,
    holds: BTreeMap<HoldId, HoldTarget>,
    erased: BTreeSet<UserId>,
}

impl World<'_> {
    async fn found(app: &TestApp) -> World<'_> {
        let commands = &app.app().commands;
        let team = workspace(commands).await;
        let mut people = vec![team.owner];
        for name in ["ann", "bob", "cat"] {
            people.push(team.member(commands, name, Role::Member).await);
        }
        let mut channels = vec![team.general];
        for name in ["apples", "pears"] {
            channels.push(team.channel(commands, name, Kind::Public, &people[1..]).await);
        }
        World { app, team, people, channels, said: Vec::new(), holds: BTreeMap::new(), erased: BTreeSet::new() }
    }

    async fn say(&mut self, chance: &mut Chance) {
        let (author, days) = (*chance.of(&self.people), i64::try_from(chance.below(120)).expect("days"));
        let mut sent_at = Utc::now() - TimeDelta::days(days);
        let mut channel = *chance.of(&self.channels);
        let roots = self.said.iter().filter(|said| said.root.is_none()).copied().collect::<Vec<_>>();
        let mut root = None;
        if chance.below(3) == 0 && !roots.is_empty() {
            let answered = chance.of(&roots);
            (root, channel, sent_at) = (Some(answered.id), answered.channel, sent_at.max(answered.sent_at));
        }
        let new = NewMessage {
            message_id: MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes")),
            content: MessageBody::parse(&format!("quince for <@{author}>")).expect("a text"),
            thread_id: root,
            client_msg_id: None,
            sent_at,
        };
        let said = Said { id: new.message_id, channel, author, sent_at, root };
        // The server refuses an answer to a removed or deleted thread.
        if post_dated(&self.app.app().commands, author, channel, new).await {
            self.said.push(said);
        }
    }

    async fn touch(&mut self, chance: &mut Chance) {
        if self.said.is_empty() {
            return;
        }
        let said = *chance.of(&self.said);
        let emoji = Emoji::parse("tada").expect("an emoji");
        let command = match chance.below(6) {
            0 => MessageCommand::Delete,
            1 => MessageCommand::Edit { content: MessageBody::parse("quince after all").expect("a text") },
            2 => MessageCommand::React { emoji },
            3 => MessageCommand::Unpin,
            4 if chance.below(4) == 0 => MessageCommand::Purge { reason: reason() },
            _ => MessageCommand::Pin,
        };
        let by = if matches!(command, MessageCommand::Purge { .. }) { self.team.owner } else { said.author };
        // A refused command changes nothing. Other tests check the refusals.
        drop(self.app.app().commands.message(&asked(by), said.id, command).await);
    }

    async fn rule(&mut self, chance: &mut Chance) {
        let commands = &self.app.app().commands;
        let policy = RetentionPolicy {
            days: [None, Some(7), Some(30), Some(60)][chance.below(4)],
            action: [RetentionAction::Archive, RetentionAction::Purge][chance.below(2)],
            keep_pinned: chance.below(2) == 0,
        };
        let policy = Some(policy).filter(|_| chance.below(4) > 0);
        let owner = asked(self.team.owner);
        if chance.below(2) == 0 {
            let settings = WorkspaceSettings { retention_policy: policy, ..WorkspaceSettings::default() };
            commands.workspace(&owner, self.team.workspace_id, WorkspaceCommand::ChangeSettings(settings)).await.expect("a policy");
        } else {
            let settings = ChannelSettings { retention_policy: policy, ..ChannelSettings::default() };
            let channel = *chance.of(&self.channels);
            commands.channel(&owner, channel, ChannelCommand::ChangeSettings(settings)).await.expect("a policy");
        }
    }

    async fn release(&self, hold_id: HoldId) {
        let release = WorkspaceCommand::ReleaseHold { hold_id, reason: reason() };
        let (commands, owner) = (&self.app.app().commands, asked(self.team.owner));
        commands.workspace(&owner, self.team.workspace_id, release).await.expect("a release");
    }

    async fn hold(&mut self, chance: &mut Chance) {
        let (commands, owner) = (&self.app.app().commands, asked(self.team.owner));
        if let Some(hold_id) = self.holds.keys().next().copied().filter(|_| chance.below(2) == 0) {
            self.holds.remove(&hold_id);
            return self.release(hold_id).await;
        }
        let on = match chance.below(5) {
            0 => HoldTarget::Workspace {},
            1 | 2 => HoldTarget::Channel { channel_id: *chance.of(&self.channels) },
            _ => HoldTarget::Person { user_id: *chance.of(&self.people) },
        };
        let hold_id = HoldId(Uuid::now_v7());
        let place = WorkspaceCommand::PlaceHold { hold_id, on, reason: reason() };
        commands.workspace(&owner, self.team.workspace_id, place).await.expect("a hold");
        self.holds.insert(hold_id, on);
    }

    /// Erases a user, after the holds that prevent it are released. The owner stays.
    async fn erase(&mut self, chance: &mut Chance) {
        for hold_id in std::mem::take(&mut self.holds).into_keys() {
            self.release(hold_id).await;
        }
        settled(self.app).await;
        let (app, user_id) = (self.app.app(), *chance.of(&self.people[1..]));
        let around = ErasureCandidates { workspaces: &[self.team.workspace_id], operators: &[] };
        let asked_for = app.commands.request_erasure(&asked(user_id), user_id, TimeDelta::zero(), around).await;
        asked_for.expect("an erasure that no hold prevents");
        // The server may have carried out the erasure first.
        drop(app.erasures().carry_out(user_id).await);
        assert!(app.commands.user_state(user_id).await.expect("a user").erased);
        self.erased.insert(user_id);
    }

    /// Checks that no text of an erased user is left: neither in the messages nor in the archive.
    async fn nothing_is_left_of_the_erased(&self) {
        for table in ["messages", "messages_archive"] {
            let left = format!("SELECT count(*) FROM {table} WHERE user_id = ANY ($1) AND (content <> '' OR edit_history <> '[]')");
            let erased = self.erased.iter().map(|user_id| user_id.0).collect::<Vec<_>>();
            let left = sqlx::query_scalar::<_, i64>(&left).bind(erased).fetch_one(&self.app.app().pool).await.expect("a count");
            assert_eq!(left, 0, "{table}");
        }
    }

    /// The messages that must stay: those that policies, pins or holds protect, each with its whole thread. The state
    /// comes from the write side.
    async fn protected(&self) -> BTreeSet<Uuid> {
        let commands = &self.app.app().commands;
        let workspace = commands.workspace_state(self.team.workspace_id).await.expect("the workspace");
        let mut roots = BTreeSet::new();
        for said in &self.said {
            let channel = commands.channel_state(said.channel).await.expect("the channel");
            let own = channel.settings.retention_policy;
            let policy = own.or(workspace.settings.retention_policy).unwrap_or_default();
            let young = policy.days.is_none_or(|days| said.sent_at >= Utc::now() - TimeDelta::days(i64::from(days)));
            let held = self.holds.values().any(|on| match on {
                HoldTarget::Workspace {} => true,
                HoldTarget::Channel { channel_id } => *channel_id == said.channel,
                HoldTarget::Person { user_id } => *user_id == said.author,
            });
            let pinned = policy.keep_pinned && self.is_pinned(said.id).await;
            if young || held || pinned {
                roots.insert(said.root.unwrap_or(said.id));
            }
        }
        self.said.iter().filter(|said| roots.contains(&said.root.unwrap_or(said.id))).map(|said| said.id.0).collect()
    }

    async fn is_pinned(&self, id: MessageId) -> bool {
        let pinned = sqlx::query_scalar::<_, bool>("SELECT is_pinned FROM messages WHERE message_id = $1").bind(id.0);
        pinned.fetch_optional(&self.app.app().pool).await.expect("a row").unwrap_or(false)
    }

    async fn standing(&self) -> BTreeSet<Uuid> {
        let ids = sqlx::query_scalar::<_, Uuid>("SELECT message_id FROM messages").fetch_all(&self.app.app().pool);
        ids.await.expect("rows").into_iter().collect()
    }

    async fn run(&self) -> usize {
        settled(self.app).await;
        let (before, protected) = (self.standing().await, self.protected().await);
        let report = self.app.app().retention.run(None).await.expect("a run");
        settled(self.app).await;
        let left = before.difference(&self.standing().await).copied().collect::<BTreeSet<_>>();
        assert_eq!(left.intersection(&protected).count(), 0, "an exempt or held message was removed");
        let due = self.said.iter().filter(|said| before.contains(&said.id.0) && !protected.contains(&said.id.0));
        assert!(due.clone().all(|said| left.contains(&said.id.0)), "a message that was due has stayed");
        assert!(report.messages() >= i64::try_from(due.count()).expect("a count"));
        left.len()
    }
}

fn reason() -> Reason {
    Reason::parse("a case").expect("a reason")
}

/// Rebuilds the model and checks that it is equal, also with few messages in memory, so that many changes come late.
async fn a_rebuild_is_the_same(app: &TestApp) {
    for kept_messages in [10, 100_000] {
        let options = RebuildOptions { kept_messages, ..RebuildOptions::default() };
        let report = rebuild(&app.app().stores, RELATIONAL, options, |_| {}).await.expect("an equal model");
        assert!(report.compared_at.is_some() && report.differences.is_empty(), "{report:?}");
    }
}

async fn a_history(seed: u64) {
    let app = TestApp::start().await;
    let mut chance = Chance(seed);
    let mut world = World::found(&app).await;
    let mut left = 0;
    for run in 0..RUNS {
        if run == 1 {
            world.erase(&mut chance).await;
        }
        for _ in 0..STEPS {
            match chance.below(12) {
                0 => world.rule(&mut chance).await,
                1 if chance.below(2) == 0 => world.hold(&mut chance).await,
                2..=7 => world.say(&mut chance).await,
                _ => {
                    settled(&app).await;
                    world.touch(&mut chance).await;
                }
            }
        }
        left += world.run().await;
        world.nothing_is_left_of_the_erased().await;
        for channel in &world.channels {
            page_is_right(&app, world.team.workspace_id, *channel, 50).await;
        }
    }
    println!("seed {seed}: {} messages, {left} left", world.said.len());
    a_rebuild_is_the_same(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exempt_and_held_messages_stay_and_a_rebuild_is_equal_after_a_random_history() {
    a_history(0x5EED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exempt_and_held_messages_stay_and_a_rebuild_is_equal_after_a_second_history() {
    a_history(20_261_125).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_real_archive_is_removed_and_a_rebuild_pages_and_search_agree() {
    let beside = servers::checkout().join("../shared/data/gitter-slack-export-small.zip");
    let sample = servers::checkout().join("tests/fixtures/sample-export.zip");
    let archive = if beside.exists() { beside } else { sample };
    let app = TestApp::start().await;
    let commands = &app.app().commands;
    let team = workspace(commands).await;
    let settings = Settings {
        workspace_id: team.workspace_id,
        importer: team.owner,
        at: Utc::now(),
        correlation_id: Uuid::now_v7(),
        limits: Limits::default(),
    };
    import::slack(commands.store(), &archive, &settings, &()).await.expect("an import");
    let head = commands.store().catch_up().await.expect("the head");
    app.app().progress.wait_for(RELATIONAL, head, Duration::from_secs(120)).await.expect("the projection catches up");
    let pool = &app.app().pool;
    let middle = sqlx::query_scalar::<_, DateTime<Utc>>("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at) FROM messages");
    let middle = middle.fetch_one(pool).await.expect("a moment");
    let days = u32::try_from((Utc::now() - middle).num_days()).expect("days");
    let cut_off = |now: DateTime<Utc>| now - TimeDelta::days(i64::from(days));
    let policy = Some(RetentionPolicy::days(days));
    let change = WorkspaceCommand::ChangeSettings(WorkspaceSettings { retention_policy: policy, ..WorkspaceSettings::default() });
    commands.workspace(&asked(team.owner), team.workspace_id, change).await.expect("a policy");
    let count = async |table: &str| {
        let statement = format!("SELECT count(*) FROM {table}");
        sqlx::query_scalar::<_, i64>(&statement).fetch_one(pool).await.expect("a count")
    };
    settled(&app).await;
    let (all, began) = (count("messages").await, std::time::Instant::now());
    let preview = app.app().retention.preview(None).await.expect("a preview");
    let report = app.app().retention.run(None).await.expect("a run");
    println!("{archive:?}: {} of {all} messages removed in {:?}", report.messages(), began.elapsed());
    assert_eq!(preview.messages(), report.messages(), "the preview equals the run");
    settled(&app).await;
    assert_eq!(count("messages_archive").await, report.messages());
    assert_eq!(count("messages").await, all - report.messages());
    assert!(report.messages() * 3 > all && report.messages() < all, "about half of the messages are removed");
    a_rebuild_is_the_same(&app).await;
    let channels = sqlx::query_scalar::<_, Uuid>("SELECT DISTINCT channel_id FROM messages").fetch_all(pool).await.expect("channels");
    for channel in channels {
        page_is_right(&app, team.workspace_id, ChannelId(channel), 50).await;
        let page = app.app().read_models.archive(ChannelId(channel), HistoryPage::Latest, 100).await.expect("a page");
        assert!(page.iter().all(|row| row.created_at < cut_off(Utc::now())), "no recent message is archived");
    }
}
