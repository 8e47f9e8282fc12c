//! `backscroll parked …`

use std::fmt::Write;

use clap::Subcommand;
use domain::text::Reason;
use processes::parked::{self, ParkedError, Skip};
use projections::UnparkError;

use super::connection::{asked, commands, read_pool, stores};
use super::{Exit, Failure, print};
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the events that a projection could not apply, with their payload, the error, and the number of waiting
    /// events.
    List {
        /// The projection.
        name: String,
    },
    /// Apply the events that wait under a key, after the cause is repaired.
    Retry {
        /// The projection.
        name: String,
        /// The key, as `list` shows it, such as `workspace:…`.
        key: String,
    },
    /// Skip the event that blocks a key, now and in every replay, and apply the events that wait behind it.
    Skip {
        /// The projection.
        name: String,
        /// The key, as `list` shows it.
        key: String,
        /// The position of the event, as `list` shows it.
        position: i64,
        /// The reason. The log keeps it.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(settings: Settings, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { name } => list(&settings, &name).await,
        Verb::Retry { name, key } => {
            let (stores, commands) = (stores(&settings).await?, commands(&settings).await?);
            let applied = parked::retry(&stores, &commands, &asked(), &name, &key).await.map_err(failed)?;
            print(&format!("applied {applied} events of {key} to {name}"))
        }
        Verb::Skip { name, key, position, reason } => {
            let reason = Reason::parse(&reason).map_err(|error| Failure::new(Exit::Wrong, error))?;
            let (stores, commands) = (stores(&settings).await?, commands(&settings).await?);
            let skip = Skip { projection: &name, park_key: &key, position, reason };
            let applied = parked::skip(&stores, &commands, &asked(), skip).await.map_err(failed)?;
            print(&format!("skipped event {position}, and applied {applied} events of {key} to {name}"))
        }
    }
}

async fn list(settings: &Settings, name: &str) -> Result<(), Failure> {
    let mut text = String::new();
    for event in projections::parked_payloads(&read_pool(settings).await?, name).await.map_err(|error| failed(error.into()))? {
        let parked = &event.parked;
        let _ = writeln!(
            text,
            "{}: event {} {} of {}",
            parked.park_key,
            parked.first_position,
            event.event_type,
            event.recorded_at.to_rfc3339()
        );
        let _ = writeln!(text, "  error    {}", parked.error);
        let _ = writeln!(text, "  payload  {}", event.payload);
        let _ = writeln!(text, "  waiting  {} events, up to {}", parked.events, parked.last_position);
    }
    print(if text.is_empty() { "no events are parked" } else { &text })
}

fn failed(error: ParkedError) -> Failure {
    let exit = match &error {
        ParkedError::Unpark(UnparkError::Unknown(_) | UnparkError::NotParked(_)) => Exit::Wrong,
        ParkedError::Unpark(UnparkError::StillPoison { .. } | UnparkError::OtherEvent { .. }) => Exit::Refused,
        ParkedError::Unpark(UnparkError::Log(_)) | ParkedError::Command(_) => Exit::Failed,
        ParkedError::Unpark(UnparkError::OtherStore(_) | UnparkError::Unavailable(_)) => Exit::Unreachable,
    };
    Failure::new(exit, error)
}
