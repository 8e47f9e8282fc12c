//! The schedule of a run: which processes, which faults, when, and what else goes on. The seed says it all.

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
    /// Connections to NATS end at random moments.
    CutNats,
    /// Messages of JetStream are dropped, doubled and swapped.
    MistreatMessages,
    /// The clock of the processes is set back.
    ClockBack,
    /// The disk of the read models is full.
    FullDisk,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 17] = [
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
        Self::CrashNats,
        Self::FreezeRelay,
        Self::FreezeServer,
        Self::CutNats,
        Self::CrashRedis,
    ];

    /// Whether another process must be there to take over.
    fn needs_a_standby(self) -> bool {
        matches!(self, Self::FreezeProjector | Self::FreezeRelay)
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

/// The rounds of a run: one fault at a time until each has had its turn, then two.
#[must_use]
pub fn rounds(seed: u64, count: u64) -> Vec<Round> {
    let mut queue = Vec::new();
    let mut shape = Shape::Whole;
    (1..=count)
        .map(|number| {
            let chance = &mut seed::stream(seed, "plan", number);
            if number % 3 == 1 {
                shape = *[Shape::Whole, Shape::Twins, Shape::Split].choose(chance).unwrap_or(&shape);
            }
            let pairs = number > Fault::ALL.len() as u64;
            let mut faults = vec![next(&mut queue, chance)];
            if pairs {
                faults.push(next(&mut queue, chance));
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
        (Shape::Whole, vec![Fault::CutPostgres, Fault::ClockBack], None),
        (Shape::Whole, vec![Fault::CrashPostgres], None),
        (Shape::Split, vec![Fault::WipeNats, Fault::WipeRedis], None),
        (Shape::Split, vec![Fault::KillProjector, Fault::KillRelay], Some(Work::Import)),
        (Shape::Split, vec![Fault::FreezeProjector, Fault::MistreatMessages], Some(Work::Rebuild)),
        (Shape::Split, vec![Fault::FullDisk], None),
    ];
    let rounds = fixed.into_iter().zip(1..).map(|((shape, faults, work), number)| {
        let chance = &mut seed::stream(seed, "plan", number);
        Round { work, replays: false, ..round(number, shape, faults, chance) }
    });
    rounds.collect()
}

/// Every fault once in chance's order, then again.
fn next(queue: &mut Vec<Fault>, chance: &mut StdRng) -> Fault {
    if queue.is_empty() {
        *queue = Fault::ALL.to_vec();
    }
    queue.swap_remove(chance.random_range(0..queue.len()))
}

fn round(number: u64, shape: Shape, faults: Vec<Fault>, chance: &mut StdRng) -> Round {
    let shape = if shape == Shape::Whole && faults.iter().any(|fault| fault.needs_a_standby()) { Shape::Twins } else { shape };
    Round {
        number,
        shape,
        faults,
        work: match chance.random_range(0..4) {
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
        assert_eq!(rounds(5, 60), rounds(5, 60));
        assert_ne!(rounds(5, 60), rounds(6, 60));
        assert_eq!(short(5), short(5));
    }

    #[test]
    fn every_fault_comes_alone_first_and_then_with_another() {
        let plan = rounds(1, 60);
        let alone = plan.iter().take(Fault::ALL.len()).flat_map(|round| round.faults.clone()).collect::<Vec<_>>();
        assert!(Fault::ALL.iter().all(|fault| alone.contains(fault)));
        assert!(plan.iter().skip(Fault::ALL.len()).all(|round| round.faults.len() == 2));
    }
}
