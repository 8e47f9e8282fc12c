//! The rules of Backscroll: aggregates, commands, events, refusals and value types.
//!
//! Invariant: everything here is a pure function of its arguments. It uses no clock, no randomness, no input and no
//! output. The actor and the time are passed in as a [`Context`]; identifiers are made by the caller.
//!
//! In reading order: the value types ([`ids`], [`text`], [`formatting`], [`permission`], [`retention_policy`]), the
//! context of a command ([`context`]), the aggregates ([`user`], [`workspace`], [`channel`], [`message`],
//! [`retention`], [`session`], [`audit`], [`installation`]), any event of any of them ([`event`]), the personal fields
//! of events ([`personal`]), and the envelope that the write side and the read side share ([`recorded_event`],
//! [`wire_event`], [`upcast`], [`mod@format`]).
//!
//! The modules form no circle: no two of them depend on each other, directly or through others (`tests/it/circles.rs`).

pub mod audit;
pub mod catalogue;
pub mod channel;
pub mod context;
pub mod document;
pub mod event;
pub mod format;
pub mod formatting;
pub mod ids;
pub mod installation;
pub mod message;
pub mod permission;
pub mod personal;
pub mod recorded_event;
pub mod refusal;
pub mod retention;
pub mod retention_policy;
pub mod session;
#[cfg(test)]
mod test_data;
pub mod text;
pub mod timestamp;
pub mod upcast;
pub mod user;
pub mod wire_event;
pub mod workspace;

pub use audit::{Audit, AuditCommand, AuditEvent};
pub use channel::{Channel, ChannelCommand, ChannelEvent, ChannelRefusal};
pub use context::{Context, Metadata};
pub use event::{AggregateType, Event, StreamId};
pub use installation::{Installation, InstallationCommand, InstallationEvent, InstallationRefusal};
pub use message::{Message, MessageCommand, MessageEvent, MessageRefusal};
pub use recorded_event::{DecodeError, Recorded};
pub use refusal::{Refusal, RefusalKind};
pub use retention::{Retention, RetentionEvent, RetentionRefusal};
pub use session::{Session, SessionCommand, SessionEvent, SessionRefusal};
pub use user::{User, UserCommand, UserEvent, UserRefusal};
pub use wire_event::WireEvent;
pub use workspace::{Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};
