//! The main invariant: a live projection equals a rebuild from zero.

use domain::MessageCommand;
use domain::channel::Kind;
use projections::{RebuildOptions, RebuildReport};

use super::events::{body, emoji};
use super::{Fixture, team_of_three};

impl Fixture {
    /// Makes every kind of change to messages, so that there is much to compare.
    pub async fn with_every_change(&self) -> crate::support::Team {
        let (team, ann, bob) = team_of_three(self).await;
        let channel = team.channel(self.commands(), "apples", Kind::Private, &[ann, bob]).await;
        let mut messages = Vec::new();
        for n in 0..30 {
            messages.push(self.post(ann, channel, &format!("message {n} for <@{bob}>")).await);
        }
        for (n, message) in messages.iter().enumerate() {
            let answer = self.reply(bob, channel, *message, "an answer").await;
            match n % 5 {
                // One message has more earlier texts than its row keeps.
                0 => {
                    let edits = if n == 10 { 7 } else { 1 };
                    for edit in 0..edits {
                        let content = body(&format!("now for <@{ann}>, {edit}"));
                        self.message_is_asked(ann, *message, MessageCommand::Edit { content }).await;
                    }
                }
                1 => self.message_is_asked(bob, answer, MessageCommand::Delete).await,
                2 => self.message_is_asked(ann, *message, MessageCommand::Delete).await,
                3 => self.message_is_asked(bob, *message, MessageCommand::React { emoji: emoji("👍") }).await,
                _ => self.message_is_asked(bob, *message, MessageCommand::Pin).await,
            }
        }
        team
    }
}

fn rows(report: &RebuildReport, table: &str) -> Option<i64> {
    report.rows.iter().find(|(name, _)| name == table).map(|(_, rows)| *rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_projection_equals_a_rebuild_from_zero() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let live = fixture.reading.dump().await;
    let report = fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild");
    assert_eq!(fixture.reading.dump().await, live);
    assert_eq!(report.compared_at, Some(report.position));
    assert!(rows(&report, "messages").is_some_and(|rows| rows > 60) && rows(&report, "audit_log") == Some(report.position));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_applies_a_change_to_a_message_that_is_not_in_memory_any_more() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let live = fixture.reading.dump().await;
    for kept_messages in [0, 2, 7, 40] {
        fixture.rebuild(RebuildOptions { kept_messages, ..RebuildOptions::default() }).await.expect("the same tables");
        assert_eq!(fixture.reading.dump().await, live, "{kept_messages} messages are kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_without_a_projector_equals_what_a_projector_builds() {
    let mut fixture = Fixture::without_projector().await;
    fixture.with_every_change().await;
    let report = fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild of empty tables");
    assert_eq!(report.compared_at, None);
    let built = fixture.reading.dump().await;
    sqlx::query("UPDATE projection_checkpoints SET position = 0").execute(&fixture.reading.pool).await.expect("the checkpoint");
    let empty =
        "TRUNCATE users, workspaces, workspace_members, workspace_invitations, channels, channel_members, messages, mentions, audit_log";
    sqlx::query(empty).execute(&fixture.reading.pool).await.expect("the read tables");
    fixture.reading.start_projector(None);
    fixture.settle().await;
    assert_eq!(fixture.reading.dump().await, built);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_and_constraints_are_the_same_after_a_rebuild() {
    let fixture = Fixture::start().await;
    fixture.with_every_change().await;
    fixture.settle().await;
    let shape = async || {
        let indexes = "SELECT pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
                       WHERE t.relnamespace = 'read'::regnamespace AND NOT t.relispartition ORDER BY 1";
        let constraints = "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(c.oid) FROM pg_constraint c
                           JOIN pg_class t ON t.oid = c.conrelid
                           WHERE t.relnamespace = 'read'::regnamespace AND NOT t.relispartition ORDER BY 1";
        let partitions = "SELECT t.relname || ' ' || count(*) FROM pg_class t JOIN pg_index i ON i.indrelid = t.oid
                          WHERE t.relnamespace = 'read'::regnamespace AND t.relispartition GROUP BY t.relname ORDER BY 1";
        let mut shape = Vec::new();
        for statement in [indexes, constraints, partitions] {
            shape.extend(sqlx::query_scalar::<_, String>(statement).fetch_all(&fixture.reading.pool).await.expect("the catalog"));
        }
        shape
    };
    let before = shape().await;
    fixture.rebuild(RebuildOptions::default()).await.expect("a rebuild");
    assert_eq!(shape().await, before);
}
