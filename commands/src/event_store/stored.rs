//! The aggregates that the store can fold: the cache of each, and the content of their snapshots.

use cqrs_es::Aggregate;
use domain::{AggregateType, Audit, Channel, Event, Installation, Message, Retention, Session, User, Workspace, WorkspaceEvent};

use super::cache::{Cache, Caches};

/// An aggregate that the store can fold.
pub trait Stored: Aggregate + Clone + 'static {
    /// Its type.
    const AGGREGATE: AggregateType;

    /// The version of the state in snapshots. Snapshots of another version are not used. `None` means that no snapshots
    /// are kept, because almost all of the state is personal and the streams are short.
    const STATE_VERSION: Option<u32>;

    /// The event of this aggregate, if it is one.
    fn event(event: Event) -> Option<Self::Event>;

    /// The state without personal data. Only this form may be in a snapshot, because destroying a key must erase all
    /// personal data.
    #[must_use]
    fn impersonal(&self) -> Self {
        self.clone()
    }

    /// Puts the personal data of an event back into a state from a snapshot.
    fn restore(&mut self, event: Self::Event) {
        let _ = event;
    }

    /// The store's cache of these aggregates.
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "only the store calls it")]
    fn cache(caches: &Caches) -> &Cache<Self>;
}

macro_rules! stored {
    ($aggregate:ident, $cache:ident, $version:expr $(, $method:item)*) => {
        impl Stored for $aggregate {
            const AGGREGATE: AggregateType = AggregateType::$aggregate;
            const STATE_VERSION: Option<u32> = $version;

            fn event(event: Event) -> Option<Self::Event> {
                match event {
                    Event::$aggregate(event) => Some(event),
                    _ => None,
                }
            }

            #[expect(private_interfaces, reason = "only the store calls it")]
            fn cache(caches: &Caches) -> &Cache<Self> {
                &caches.$cache
            }

            $($method)*
        }
    };
}

stored!(User, users, None);
stored!(
    Workspace,
    workspaces,
    Some(Workspace::STATE_VERSION),
    fn impersonal(&self) -> Self {
        Workspace::impersonal(self)
    },
    fn restore(&mut self, event: WorkspaceEvent) {
        Workspace::restore(self, event);
    }
);
stored!(Channel, channels, Some(Channel::STATE_VERSION));
stored!(Message, messages, None);
stored!(Retention, retentions, Some(Retention::STATE_VERSION));
stored!(Installation, installations, Some(Installation::STATE_VERSION));
stored!(Session, sessions, None);
stored!(Audit, audits, Some(Audit::STATE_VERSION));
