//! The schedule of a run: its processes, faults, times and background work. All of it follows from the seed.

use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::seed;
use crate::stack::Shape;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a process that serves HTTP.
    KillServer,
    /// `kill -9` of the process that holds the projection.
    KillProjector,
    /// `kill -9` of the relay's leader.
    KillRelay,
    /// The holder of the projection is stopped and loses its connections. Another process takes over, then the first
    /// one continues.
    FreezeProjector,
    /// The same for the leader of the relay.
    FreezeRelay,
    /// A process that serves HTTP is stopped.
    FreezeServer,
    /// `kill -9` of Postgres.
    CrashPostgres,
    /// `kill -9` of NATS.
    CrashNats,
    /// `kill -9` of NATS, and its data are deleted.
    WipeNats,
    /// `kill -9` of Redis.
    CrashRedis,
    /// `kill -9` of Redis, and its data are deleted.
    WipeRedis,
    /// Connections to Postgres end at random times: before the server gets a request, or before the client gets the
    /// answer.
    CutPostgres,
    /// All connections to Postgres end at once.
    CutAllPostgres,
    /// The connections of a rebuild or an import end again and again.
    CutWork,
    /// Connections to NATS end at random times.
    CutNats,
    /// Messages of JetStream are dropped, duplicated and reordered.
    MistreatMessages,
    /// The clocks of all processes are set back.
    ClockBack,
    /// The clock of only one process is set back.
    OneClockBack,
    /// The clocks are ahead for a while, and are then set back.
    ClockAhead,
    /// Postgres is stopped, and keeps its connections.
    FreezePostgres,
    /// NATS is stopped, and keeps its connections.
    FreezeNats,
    /// Redis is stopped, and keeps its connections.
    FreezeRedis,
    /// The disk of the read models is full.
    FullDisk,
    /// `kill -9` of Elasticsearch.
    CrashElasticsearch,
    /// `kill -9` of Elasticsearch, and its data are deleted.
    WipeElasticsearch,
    /// Elasticsearch is stopped, and keeps its connections.
    FreezeElasticsearch,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 26] = [
        Self::KillServer,
        Self::CrashPostgres,
        Self::CutPostgres,
        Self::KillProjector,
        Self::MistreatMessages,
        Self::WipeNats,
        Self::FullDisk,
        Self::ClockBack,
        Self::FreezeProjector,
        Self::KillRelay,
        Self::WipeRedis,
        Self::CutAllPostgres,
        Self::CutWork,
        Self::CrashNats,
        Self::FreezeRelay,
        Self::FreezeServer,
        Self::CutNats,
        Self::CrashRedis,
        Self::OneClockBack,
        Self::ClockAhead,
        Self::FreezePostgres,
        Self::FreezeNats,
        Self::FreezeRedis,
        Self::WipeElasticsearch,
        Self::CrashElasticsearch,
        Self::FreezeElasticsearch,
    ];

    /// Whether the processes need clocks that can be set.
    #[must_use]
    pub fn sets_a_clock(self) -> bool {
        matches!(self, Self::ClockBack | Self::OneClockBack | Self::ClockAhead)
    }

    /// Whether the run needs an Elasticsearch.
    #[must_use]
    pub fn needs_elasticsearch(self) -> bool {
        matches!(self, Self::CrashElasticsearch | Self::WipeElasticsearch | Self::FreezeElasticsearch)
    }

    /// Whether the fault needs a second process.
    fn needs_another(self) -> bool {
        matches!(self, Self::FreezeProjector | Self::FreezeRelay | Self::OneClockBack)
    }
}

/// Background work beside the load. Its connections are cut, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A rebuild of the read models.
    Rebuild,
    /// An import of an export.
    Import,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// The processes.
    pub shape: Shape,
    /// The faults. Each begins a moment after the one before.
    pub faults: Vec<Fault>,
    /// The background work.
    pub work: Option<Work>,
    /// The time that the load runs before the first fault.
    pub before: Duration,
    /// The time until the faults are removed.
    pub broken: Duration,
    /// Whether the product's own comparison runs at the end.
    pub replays: bool,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|fault| format!("{fault:?}")).join(", ");
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name).ok_or_else(|| format!("{name} is none of {}", known()))
    }
}

/// The rounds of a run: first each fault alone, then two at a time. With `only`, the run has these faults alone.
#[must_use]
pub fn rounds(seed: u64, count: u64, only: &[Fault]) -> Vec<Round> {
    let all = if only.is_empty() { &Fault::ALL } else { only };
    let mut queue = Vec::new();
    let mut shape = Shape::Whole;
    (1..=count)
        .map(|number| {
            let chance = &mut seed::stream(seed, "plan", number);
            if number % 3 == 1 {
                shape = *[Shape::Whole, Shape::Twins, Shape::Split].choose(chance).unwrap_or(&shape);
            }
            let mut faults = vec![next(&mut queue, all, chance)];
            if number > all.len() as u64 {
                faults.push(next(&mut queue, all, chance));
            }
            round(number, shape, faults, chance)
        })
        .collect()
}

/// A few rounds with the most important faults, in a fixed order.
#[must_use]
pub fn short(seed: u64) -> Vec<Round> {
    let fixed = [
        (Shape::Whole, vec![Fault::KillServer], None),
        (Shape::Twins, vec![Fault::CutPostgres, Fault::OneClockBack], None),
        (Shape::Whole, vec![Fault::CrashPostgres], None),
        (Shape::Split, vec![Fault::WipeNats, Fault::WipeRedis], None),
        (Shape::Split, vec![Fault::KillProjector, Fault::CutWork], Some(Work::Import)),
        (Shape::Split, vec![Fault::FreezeProjector, Fault::MistreatMessages], None),
        (Shape::Split, vec![Fault::KillRelay, Fault::CutWork], Some(Work::Rebuild)),
        (Shape::Split, vec![Fault::FullDisk], None),
        (Shape::Whole, vec![Fault::WipeElasticsearch], None),
    ];
    let rounds = fixed.into_iter().zip(1..).map(|((shape, faults, work), number)| {
        let chance = &mut seed::stream(seed, "plan", number);
        Round { work, replays: false, ..round(number, shape, faults, chance) }
    });
    rounds.collect()
}

/// The next fault of a random order. After the last one, the order is drawn again.
fn next(queue: &mut Vec<Fault>, all: &[Fault], chance: &mut StdRng) -> Fault {
    if queue.is_empty() {
        *queue = all.to_vec();
    }
    queue.swap_remove(chance.random_range(0..queue.len()))
}

fn round(number: u64, shape: Shape, faults: Vec<Fault>, chance: &mut StdRng) -> Round {
    let shape = if shape == Shape::Whole && faults.iter().any(|fault| fault.needs_another()) { Shape::Twins } else { shape };
    let works = if faults.contains(&Fault::CutWork) { 2 } else { 4 };
    Round {
        number,
        shape,
        faults,
        work: match chance.random_range(0..works) {
            0 => Some(Work::Rebuild),
            1 => Some(Work::Import),
            _ => None,
        },
        before: Duration::from_millis(chance.random_range(500..1_200)),
        broken: Duration::from_millis(chance.random_range(700..2_000)),
        replays: number.is_multiple_of(3),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, rounds, short};

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        assert_eq!(rounds(5, 60, &[]), rounds(5, 60, &[]));
        assert_ne!(rounds(5, 60, &[]), rounds(6, 60, &[]));
        assert_eq!(short(5), short(5));
    }

    #[test]
    fn a_plan_can_be_of_some_faults_only() {
        let only = [Fault::FullDisk, Fault::CutWork];
        assert_eq!("FullDisk".parse(), Ok(Fault::FullDisk));
        assert!("Flood".parse::<Fault>().is_err());
        assert!(rounds(1, 9, &only).iter().flat_map(|round| &round.faults).all(|fault| only.contains(fault)));
    }

    #[test]
    fn every_fault_is_injected_alone_first_and_then_with_another() {
        let plan = rounds(1, 60, &[]);
        let alone = plan.iter().take(Fault::ALL.len()).flat_map(|round| round.faults.clone()).collect::<Vec<_>>();
        assert!(Fault::ALL.iter().all(|fault| alone.contains(fault)));
        assert!(plan.iter().skip(Fault::ALL.len()).all(|round| round.faults.len() == 2));
    }
}
