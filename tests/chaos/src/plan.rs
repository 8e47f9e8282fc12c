//! The schedule of a run: which processes, which faults, when, and what else goes on. The seed says it all.

use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::seed;
use crate::stack::Shape;

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a process that serves HTTP.
    KillServer,
    /// `kill -9` of the process that holds the projection.
    KillProjector,
    /// `kill -9` of the relay's leader.
    KillRelay,
    /// The holder of the projection stands still and loses its connections; another takes over; then it wakes up.
    FreezeProjector,
    /// The same with the relay's leader.
    FreezeRelay,
    /// A process that serves HTTP stands still.
    FreezeServer,
    /// `kill -9` of Postgres.
    CrashPostgres,
    /// `kill -9` of NATS.
    CrashNats,
    /// The same, and its data are gone.
    WipeNats,
    /// `kill -9` of Redis.
    CrashRedis,
    /// The same, and its data are gone.
    WipeRedis,
    /// Connections to Postgres end at random moments: before a request came through, or before its answer did.
    CutPostgres,
    /// Every connection to Postgres ends at once.
    CutAllPostgres,
    /// Connections of a rebuild, or of an import, end again and again.
    CutWork,
    /// Connections to NATS end at random moments.
    CutNats,
    /// Messages of JetStream are dropped, doubled and swapped.
    MistreatMessages,
    /// The clocks of all processes are set back.
    ClockBack,
    /// The clock of one process only is set back.
    OneClockBack,
    /// The clocks run ahead for a while; when that is mended they are set back.
    ClockAhead,
    /// Postgres stands still, and keeps its connections.
    FreezePostgres,
    /// NATS stands still, and keeps its connections.
    FreezeNats,
    /// Redis stands still, and keeps its connections.
    FreezeRedis,
    /// The disk of the read models is full.
    FullDisk,
    /// `kill -9` of Elasticsearch.
    CrashElasticsearch,
    /// The same, and its data are gone.
    WipeElasticsearch,
    /// Elasticsearch stands still, and keeps its connections.
    FreezeElasticsearch,
}

impl Fault {
    /// Every one.
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

    /// Whether the processes must go by clocks that can be set.
    #[must_use]
    pub fn sets_a_clock(self) -> bool {
        matches!(self, Self::ClockBack | Self::OneClockBack | Self::ClockAhead)
    }

    /// Whether there must be an Elasticsearch.
    #[must_use]
    pub fn needs_elasticsearch(self) -> bool {
        matches!(self, Self::CrashElasticsearch | Self::WipeElasticsearch | Self::FreezeElasticsearch)
    }

    /// Whether there must be another process.
    fn needs_another(self) -> bool {
        matches!(self, Self::FreezeProjector | Self::FreezeRelay | Self::OneClockBack)
    }
}

/// What goes on beside the load, and is broken into as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The read models are built anew.
    Rebuild,
    /// An export is imported.
    Import,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// Which processes.
    pub shape: Shape,
    /// What breaks, each a moment after the one before.
    pub faults: Vec<Fault>,
    /// What else goes on.
    pub work: Option<Work>,
    /// How long the load runs before.
    pub before: Duration,
    /// How long it stays broken.
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

/// The rounds of a run: one fault at a time until each has had its turn, then two. Only some of them, where `only` names any.
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

/// A few rounds with what is most worth breaking, in a fixed order.
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

/// Every fault once in chance's order, then again.
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
    fn a_seed_repeats_its_plan() {
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
    fn every_fault_comes_alone_first_and_then_with_another() {
        let plan = rounds(1, 60, &[]);
        let alone = plan.iter().take(Fault::ALL.len()).flat_map(|round| round.faults.clone()).collect::<Vec<_>>();
        assert!(Fault::ALL.iter().all(|fault| alone.contains(fault)));
        assert!(plan.iter().skip(Fault::ALL.len()).all(|round| round.faults.len() == 2));
    }
}
