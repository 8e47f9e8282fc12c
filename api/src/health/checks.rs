//! The checks of the single parts. Each says in words what is wrong, and what to do if an operator can do something.

use std::time::Duration;

use async_nats::connection::State;
use commands::relay::published;
use projections::RELATIONAL;

use super::{Health, Part, Verdict};

/// The longest time that each check may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an event may wait until it is published. A relay needs less than a second for it.
const PUBLISHED_WITHIN_SECONDS: f64 = 10.0;

impl Health {
    pub(super) fn process(&self) -> Part {
        if self.leaving.has_begun() {
            return Part::fails(Verdict::Unavailable, "the process is about to stop");
        }
        Part::works(format!("runs {}", self.roles.names()))
    }

    pub(super) async fn postgres(&self) -> Option<Part> {
        let answer = async { stores::postgres::ping(&self.stores.pool).await.map(|()| "answers".to_owned()) };
        Some(within(Verdict::Unavailable, answer).await)
    }

    pub(super) async fn migrations(&self) -> Option<Part> {
        let missing = async { stores::postgres::missing_migrations(&self.stores.pool).await.map(|missing| schema_of(&missing)) };
        Some(judged_within(Verdict::Unavailable, missing).await)
    }

    /// The identifier of the log that this process serves, and the position of its end.
    pub(super) async fn log(&self) -> Option<Part> {
        let log_id = self.log_id;
        let end = async { stores::log::head(&self.stores.pool).await.map(|head| format!("{log_id} ends at {head}")) };
        Some(within(Verdict::Unavailable, end).await)
    }

    pub(super) async fn redis(&self) -> Option<Part> {
        let redis = &self.stores.redis;
        let answer = async {
            let answer = redis.ping().await;
            answer.map(|()| "answers".to_owned()).map_err(|error| redis.diagnosis().unwrap_or_else(|| error.to_string()))
        };
        Some(within(Verdict::Degraded, answer).await)
    }

    pub(super) async fn elasticsearch(&self) -> Option<Part> {
        let elastic = self.stores.elastic.as_ref()?;
        Some(within(Verdict::Degraded, elastic.health()).await)
    }

    pub(super) fn nats(&self) -> Part {
        let state = self.nats.connection_state();
        match self.link.diagnosis() {
            Some(diagnosis) => Part::fails(self.without_relay(), diagnosis.to_string()),
            None if state == State::Connected => Part::works(state.to_string()),
            None => Part::fails(self.without_relay(), state.to_string()),
        }
    }

    /// Whether the log is published, by this process or another one.
    pub(super) async fn relay(&self) -> Option<Part> {
        if let Some(trouble) = self.relay.trouble().filter(|_| self.roles.relay) {
            return Some(Part::fails(self.without_relay(), format!("this process cannot publish the log: {trouble}")));
        }
        Some(judged_within(Verdict::Degraded, async { published(&self.stores.pool).await.map(|published| self.relay_of(published)) }).await)
    }

    fn relay_of(&self, published: commands::relay::Published) -> Part {
        let (position, waiting) = (published.position, published.lag);
        if !published.is_led {
            let state = "no relay leads, so nothing is published: start `backscroll serve`, or `backscroll serve --only relay`";
            return Part::fails(Verdict::Degraded, state);
        }
        if waiting.seconds > PUBLISHED_WITHIN_SECONDS {
            let state = format!("{} events wait to be published, the first for {:.0} s", waiting.events, waiting.seconds);
            return Part::fails(Verdict::Degraded, state);
        }
        let leads = self.relay.leading.load(std::sync::atomic::Ordering::Relaxed);
        let leader = if leads { "this process" } else { "another process" };
        Part::works(format!("{leader} leads, at {position} of {}", position + waiting.events))
    }

    /// Whether every projection is held, by this process or another one.
    pub(super) async fn projectors(&self) -> Option<Part> {
        let names = projections::replayable(&self.stores);
        if self.roles.projectors {
            let failing = names.iter().find_map(|name| Some((*name, self.stores.progress.trouble(name)?)));
            if let Some((name, trouble)) = failing {
                let is_needed = name == RELATIONAL && !self.roles.http;
                let verdict = if is_needed { Verdict::Unavailable } else { Verdict::Degraded };
                return Some(Part::fails(verdict, format!("this process cannot run the projector of {name}: {trouble}")));
            }
        }
        let pool = &self.stores.pool;
        let positions = async {
            let (states, idle) = (projections::states(pool).await?, projections::without_holder(pool, &names).await?);
            Ok::<_, projections::QueryError>(held(&states, &idle))
        };
        Some(judged_within(Verdict::Degraded, positions).await)
    }

    /// Whether there are events that a projection could not apply.
    pub(super) async fn parked(&self) -> Option<Part> {
        let parked = async { projections::count_parked(&self.stores.pool).await.map(|counts| parked_of(&counts)) };
        Some(judged_within(Verdict::Degraded, parked).await)
    }

    /// Whether the log is signed. A process without the consumer that signs has no such part.
    pub(super) async fn proof(&self) -> Option<Part> {
        Some(match ledger::proof::readiness(&self.proof, &self.proofs).await? {
            Ok(state) => Part::works(state),
            Err(reason) => Part::fails(Verdict::Degraded, reason),
        })
    }

    /// The verdict on a process whose relay cannot publish. Projectors and HTTP go on: they read the log.
    fn without_relay(&self) -> Verdict {
        if self.roles.relay && !self.roles.http && !self.roles.projectors { Verdict::Unavailable } else { Verdict::Degraded }
    }
}

fn schema_of(missing: &[stores::postgres::Migration]) -> Part {
    if missing.is_empty() {
        return Part::works("all applied");
    }
    Part::fails(
        Verdict::Unavailable,
        format!("missing: {}; run `backscroll migrate`", missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    )
}

fn held(states: &[projections::ProjectionState], idle: &[&str]) -> Part {
    let positions = states.iter().map(|state| format!("{} at {} of {}", state.name, state.position, state.head)).collect::<Vec<_>>();
    let positions = positions.join("; ");
    if idle.is_empty() {
        return Part::works(positions);
    }
    let start = "start `backscroll serve`, or `backscroll serve --only projectors`";
    Part::fails(Verdict::Degraded, format!("no projector runs for {}: {start}; {positions}", idle.join(", ")))
}

fn parked_of(counts: &[projections::ParkedCount]) -> Part {
    if counts.is_empty() {
        return Part::works("nothing");
    }
    let counts = counts.iter().map(|count| {
        let (keys, events, projection) = (count.keys, count.events, &count.projection);
        format!("{keys} parked keys of {projection}, with {events} events: `backscroll parked list {projection}`")
    });
    Part::fails(Verdict::Degraded, counts.collect::<Vec<_>>().join("; "))
}

/// The state that a check returns, or its failure with this verdict.
async fn within<E: ToString>(failed: Verdict, check: impl Future<Output = Result<String, E>>) -> Part {
    judged_within(failed, async { check.await.map(Part::works) }).await
}

/// The part that a check returns, or its failure with this verdict.
async fn judged_within<E: ToString>(failed: Verdict, check: impl Future<Output = Result<Part, E>>) -> Part {
    match tokio::time::timeout(ANSWER_TIMEOUT, check).await {
        Ok(Ok(part)) => part,
        Ok(Err(error)) => Part::fails(failed, error.to_string()),
        Err(_) => Part::fails(failed, format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
