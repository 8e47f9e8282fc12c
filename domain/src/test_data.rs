//! The users, the workspace and the moments of the tests.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::context::Context;
use crate::ids::{ChannelId, UserId, WorkspaceId};

pub(crate) const ANN: UserId = UserId(Uuid::from_u128(0xa));
pub(crate) const BOB: UserId = UserId(Uuid::from_u128(0xb));
pub(crate) const CAT: UserId = UserId(Uuid::from_u128(0xc));
pub(crate) const DAN: UserId = UserId(Uuid::from_u128(0xd));
pub(crate) const ACME: WorkspaceId = WorkspaceId(Uuid::from_u128(0x100));
pub(crate) const GENERAL: ChannelId = ChannelId(Uuid::from_u128(0x200));

/// The moment that every test begins at.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

pub(crate) fn minutes_later(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

pub(crate) fn days_later(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

pub(crate) fn by(actor: UserId) -> Context {
    by_at(actor, now())
}

pub(crate) fn by_at(actor: UserId, at: DateTime<Utc>) -> Context {
    Context::of(actor, at, Uuid::from_u128(1))
}
