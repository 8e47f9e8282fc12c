//! The invariant of the cache, in any order of steps: a fresh state is never older than an event that this process
//! knows of.

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use serde::{Deserialize, Serialize};

use super::*;

/// The number of its events, so the fold of a stream equals its version.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Count(i64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted;

impl DomainEvent for Counted {
    fn event_type(&self) -> String {
        "counted".into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

impl Aggregate for Count {
    const TYPE: &'static str = "count";
    type Command = ();
    type Event = Counted;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _: &EventSink<Self>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn apply(&mut self, _: Counted) {
        self.0 += 1;
    }
}

/// The first two share a bucket.
const STREAMS: [u128; 4] = [1, 1 + BUCKETS as u128, 2, 3];
/// Fewer than there are streams, so that some entries are evicted.
const ENTRIES_MAX: NonZeroUsize = at_least_one(2);

#[derive(Clone, Debug)]
enum Step {
    /// An event is committed to the stream. This process does not know of it yet.
    Append { stream: usize, by_this_process: bool },
    /// This process learns of one of the events that it does not know of yet.
    Learn(Index),
    /// A loader looks the stream up, and takes a ticket.
    Look { stream: usize },
    /// A loader reads the present state of the stream from the database.
    Read(Index),
    /// A loader stores the state that it read.
    Put(Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stream = || select((0..STREAMS.len()).collect::<Vec<_>>());
    let step = prop_oneof![
        2 => (stream(), any::<bool>()).prop_map(|(stream, by_this_process)| Step::Append { stream, by_this_process }),
        2 => any::<Index>().prop_map(Step::Learn),
        3 => stream().prop_map(|stream| Step::Look { stream }),
        3 => any::<Index>().prop_map(Step::Read),
        3 => any::<Index>().prop_map(Step::Put),
    ];
    vec(step, 1..120)
}

struct Loader {
    stream: usize,
    ticket: Ticket,
    read: Option<i64>,
}

/// The log, and the part of it that this process knows of.
struct World {
    cache: Cache<Count>,
    /// The number of events of each stream.
    log: [i64; STREAMS.len()],
    /// The last event of each stream that this process knows of.
    known: [i64; STREAMS.len()],
    unknown: Vec<(usize, i64, bool)>,
    loaders: Vec<Loader>,
}

impl World {
    fn new() -> Self {
        let (log, known) = ([1; STREAMS.len()], [0; STREAMS.len()]);
        Self { cache: Cache::new(ENTRIES_MAX), log, known, unknown: Vec::new(), loaders: Vec::new() }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append { stream, by_this_process } => {
                self.log[*stream] += 1;
                self.unknown.push((*stream, self.log[*stream], *by_this_process));
            }
            Step::Learn(which) if !self.unknown.is_empty() => {
                let (stream, sequence, by_this_process) = self.unknown.swap_remove(which.index(self.unknown.len()));
                if by_this_process {
                    self.cache.record_own_event(id(stream), sequence, Counted);
                } else {
                    self.cache.record_other_event(id(stream), sequence);
                }
                self.known[stream] = self.known[stream].max(sequence);
            }
            Step::Look { stream } => match self.cache.look(id(*stream)) {
                Lookup::Fresh(_) => {}
                Lookup::Stale(_, ticket) | Lookup::Absent(ticket) => self.loaders.push(Loader { stream: *stream, ticket, read: None }),
            },
            Step::Read(which) if !self.loaders.is_empty() => {
                let place = which.index(self.loaders.len());
                let loader = &mut self.loaders[place];
                loader.read = Some(self.log[loader.stream]);
            }
            Step::Put(which) if !self.loaders.is_empty() => {
                let Loader { stream, ticket, read } = self.loaders.swap_remove(which.index(self.loaders.len()));
                if let Some(version) = read {
                    self.cache.put(id(stream), &at(version), &ticket);
                }
            }
            Step::Learn(_) | Step::Read(_) | Step::Put(_) => {}
        }
    }

    fn check(&self, stream: usize) -> Result<(), TestCaseError> {
        if let Lookup::Fresh(held) = self.cache.look(id(stream)) {
            prop_assert_eq!(held.state.0, held.version);
            prop_assert!((self.known[stream]..=self.log[stream]).contains(&held.version), "{:?}", held.version);
        }
        Ok(())
    }
}

fn id(stream: usize) -> Uuid {
    Uuid::from_u128(STREAMS[stream])
}

fn at(version: i64) -> Versioned<Count> {
    Versioned { state: Arc::new(Count(version)), version }
}

proptest! {
    #[test]
    fn a_fresh_state_is_never_older_than_an_event_that_the_process_knows_of(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            (0..STREAMS.len()).try_for_each(|stream| world.check(stream))?;
        }
    }

    #[test]
    fn a_state_loaded_without_concurrent_writes_is_fresh(steps in steps(), stream in select((0..STREAMS.len()).collect::<Vec<_>>())) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
        if let Lookup::Stale(_, ticket) | Lookup::Absent(ticket) = world.cache.look(id(stream)) {
            world.cache.put(id(stream), &at(world.log[stream]), &ticket);
            prop_assert!(matches!(world.cache.look(id(stream)), Lookup::Fresh(held) if held.version == world.log[stream]));
        }
    }
}
