//! The state of the connection to NATS and of its stream. Each change is logged once, with the reason.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::host;
use crate::diagnosis::{Diagnosis, Fault, Named, network_advice};

/// The setting of the address.
const SETTING: &str = "nats_url";
/// The port of NATS.
const PORT: u16 = 4222;

const NAMED: Named = Named { server: "nats", url: SETTING, authority: "nats_ca_file" };

/// How the connection to NATS stands. Clones share the state.
/// The default is a link that nothing reports to, for tests that connect by themselves.
#[derive(Clone, Debug, Default)]
pub struct Link(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    subject: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why there is no connection.
    connection: Option<Diagnosis>,
    /// Why the stream cannot be used.
    stream: Option<Diagnosis>,
    /// The last request that NATS refused.
    refused: Option<String>,
}

impl Link {
    /// The link to the server at this address, which may contain a password.
    pub(super) fn to(url: &str) -> Self {
        Self(Arc::new(Shared { subject: format!("nats at {}", host(url, PORT)), state: Mutex::default() }))
    }

    /// The server, with its address.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    pub(super) fn wrong_setting(&self, reason: &str) -> Diagnosis {
        Diagnosis::new(self.subject().to_owned(), SETTING, reason, "write it as `nats://user:password@host:port`", Fault::Setting)
    }

    /// Why NATS cannot be used at the moment, as far as it is known.
    #[must_use]
    pub fn diagnosis(&self) -> Option<Diagnosis> {
        let state = self.state();
        state.connection.clone().or_else(|| state.stream.clone())
    }

    pub(super) fn connected(&self) {
        let earlier = self.state().connection.take();
        if earlier.is_some() {
            tracing::info!("{} answers again", self.subject());
        }
    }

    /// The connection has ended. Why it cannot be made again is known after the next try.
    pub(super) fn disconnected(&self) {
        let advice = "the server connects again as soon as it can";
        self.state().connection = Some(self.diagnose("the connection has ended", advice.into(), Fault::Unreachable));
        tracing::info!("{}: the connection has ended", self.subject());
    }

    /// A try to connect has failed.
    pub(super) fn failed(&self, reason: &str) {
        let diagnosis = self.diagnose(reason, connection_advice(reason), Fault::Unreachable);
        let earlier = self.state().connection.replace(diagnosis.clone());
        if earlier.is_none_or(|earlier| earlier.advice != diagnosis.advice) {
            tracing::warn!("{diagnosis}. Until it can, the projections read the log from postgres");
        }
    }

    /// NATS has refused a request.
    pub(super) fn refused(&self, reason: &str) {
        let earlier = self.state().refused.replace(reason.to_owned());
        if earlier.as_deref() != Some(reason) {
            let advice = "give the user of nats_url the rights that docs/OPERATIONS.md names";
            tracing::warn!("{}", self.diagnose(reason, advice.into(), Fault::Refused));
        }
    }

    /// The stream cannot be used. This is not logged while there is no connection, and not while the reason is the same.
    pub fn stream_failed(&self, reason: &str) {
        let diagnosis = self.diagnose(reason, stream_advice(reason), Fault::Refused);
        let mut state = self.state();
        if state.connection.is_some() {
            return;
        }
        let earlier = state.stream.replace(diagnosis.clone());
        drop(state);
        if earlier.is_none_or(|earlier| earlier.reason != diagnosis.reason) {
            tracing::warn!("{diagnosis}. Until it can, the projections read the log from postgres");
        }
    }

    /// The stream can be used.
    pub fn stream_works(&self) {
        if self.state().stream.take().is_some() {
            tracing::info!("{}: the stream can be used again", self.subject());
        }
    }

    fn diagnose(&self, reason: &str, advice: String, fault: Fault) -> Diagnosis {
        Diagnosis::new(self.subject().to_owned(), SETTING, reason, advice, fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connection_advice(reason: &str) -> String {
    let lower = reason.to_lowercase();
    if lower.contains("authorization") || lower.contains("authentication") {
        return "correct the user and the password in nats_url (special characters percent-encoded), or the file in nats_credentials_file"
            .to_owned();
    }
    network_advice(reason, &NAMED).unwrap_or_else(|| "check that a NATS server listens there, and read its log".to_owned())
}

fn stream_advice(reason: &str) -> String {
    let lower = reason.to_lowercase();
    let has = |part: &str| lower.contains(part);
    let advice = if has("not enabled") || has("no responders") || has("unavailable") {
        "switch JetStream on: `jetstream {}` in the configuration of NATS, or `nats-server --jetstream`"
    } else if has("insufficient") || has("resource") || has("storage") || has("maximum") {
        "give JetStream 1 GiB of room for the stream: `max_file_store`, and the limits of the account"
    } else if has("permission") {
        "give the user of nats_url the rights that docs/OPERATIONS.md names"
    } else if has("subject") || has("name already in use") || has("overlap") {
        "another stream has this name or these subjects: choose another name in nats_stream"
    } else {
        "read the log of NATS, and check that JetStream is on and has 1 GiB of room"
    };
    advice.to_owned()
}
