//! A campaign: it starts the servers, runs the rounds one after another, and ends with a judgement of the whole log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sqlx::PgPool;

use crate::check::{Checker, Violation};
use crate::clock::Clocks;
use crate::counts;
use crate::disk::SmallDisk;
use crate::faults::Breaker;
use crate::index::{CONVERGED_MAX, Index};
use crate::load::{self, Clients, Follower, World};
use crate::plan::{Fault, Round};
use crate::record::{Recorder, Tally};
use crate::recovery::{RECOVERY_MAX, is_level, wait_until, whereabouts, works};
use crate::seed;
use crate::servers::{Servers, checkout};
use crate::stack::Stack;
use crate::work::Works;

/// The number of ordinary clients. The removed clients and the client that removes them are not counted.
const CLIENTS: usize = 10;
/// The number of clients that are removed and taken back, again and again.
const VICTIMS: usize = 3;
/// The number of ordinary users that are followed on sockets. All removed users are followed, too.
const FOLLOWED: usize = 3;
/// The longest time that the product's own rebuild may take.
const REPLAY_MAX: Duration = Duration::from_secs(120);

/// The results of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of rounds that ran.
    pub rounds: u64,
    /// The requests of the clients and their outcomes.
    pub tally: Tally,
    /// The number of connections that were ended and of messages that were tampered with.
    pub meddled: u64,
    /// The number of events that were judged.
    pub events: i64,
    /// The longest time that a recovery took.
    pub slowest_recovery: Duration,
    /// Faults that were left out because this machine cannot produce them.
    pub left_out: Vec<String>,
    /// The violations that were found. The run ends with the first round that has one.
    pub violations: Vec<Violation>,
}

/// A run in progress.
#[derive(Debug)]
pub struct Campaign {
    seed: u64,
    folder: PathBuf,
    pool: PgPool,
    stack: Option<Stack>,
    disk: Option<SmallDisk>,
    index: Option<Index>,
    world: Option<World>,
    followers: Vec<Arc<Follower>>,
    checker: Checker,
    works: Works,
    recorder: Arc<Recorder>,
    known: Arc<AtomicI64>,
    report: Report,
    // The last field, so that the servers stop after everything that uses them.
    servers: Servers,
}

impl Campaign {
    /// Starts the servers that these rounds need. The run keeps its records and logs in `.run/chaos/<name>`.
    ///
    /// # Errors
    /// Fails if the servers do not start.
    pub async fn start(seed: u64, name: &str, rounds: &[Round]) -> Result<Self> {
        let folder = checkout().join(".run/chaos").join(name);
        if folder.join("servers").exists() {
            // An earlier run with this name may have left servers.
            Servers::at(folder.join("servers")).destroy().await?;
        }
        SmallDisk::unmount(&SmallDisk::place(&folder));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("log"))?;
        let elasticsearch = rounds.iter().flat_map(|round| &round.faults).any(|fault| fault.needs_elasticsearch());
        let servers = Servers::start(folder.join("servers"), elasticsearch).await?;
        let pool = servers.pool("BACKSCROLL_POSTGRES_URL")?;
        let disk = SmallDisk::mount(&SmallDisk::place(&folder), rounds.len(), servers.address("BACKSCROLL_POSTGRES_ADMIN_URL")?).await?;
        Ok(Self {
            seed,
            checker: Checker::new(pool.clone()),
            works: Works::new(seed),
            recorder: Arc::new(Recorder::append_to(&folder.join("records.jsonl"))?),
            folder,
            pool,
            stack: None,
            disk,
            index: Index::of(&servers)?,
            world: None,
            followers: Vec::new(),
            known: Arc::default(),
            report: Report::default(),
            servers,
        })
    }

    /// Runs the rounds until one shows a violation, then judges the whole log.
    ///
    /// # Errors
    /// Fails if the campaign itself fails.
    pub async fn run(mut self, rounds: &[Round]) -> Result<Report> {
        for round in rounds {
            let began = Instant::now();
            let told = self.round(round).await.with_context(|| format!("round {}", round.number))?;
            self.report.rounds += 1;
            println!(
                "round {:>3}  {:<6} {:<44} {told}  {:.1} s",
                round.number,
                format!("{:?}", round.shape),
                format!("{:?}{}", round.faults, round.work.map(|work| format!(" {work:?}")).unwrap_or_default()),
                began.elapsed().as_secs_f64()
            );
            if !self.report.violations.is_empty() {
                break;
            }
        }
        if self.report.violations.is_empty() {
            self.judge_at_last().await?;
        }
        self.finish().await
    }

    async fn round(&mut self, round: &Round) -> Result<String> {
        self.make_ready(round).await?;
        let stack = self.stack.as_mut().context("no processes")?;
        let world = self.world.clone().context("no world")?;
        let prefix = format!("{}-{}", self.seed, round.number);
        let clients = Clients::new(self.recorder.clone(), stack.servers(), self.known.clone(), prefix)?;
        let load = begin_load(&clients, &world, self.seed, round.number);
        let following = begin_following(&clients, &self.followers, self.seed, round.number);

        tokio::time::sleep(round.before).await;
        let work = self.works.begin(round.work, &stack.command_line)?;
        let mut breaker =
            Breaker::new(&self.servers, stack, self.disk.as_mut(), self.pool.clone(), seed::stream(self.seed, "faults", round.number));
        let mut did = Vec::new();
        for fault in &round.faults {
            did.push(format!("{fault:?}: {}", breaker.inject(*fault).await?));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(round.broken).await;
        // Elasticsearch takes long to start. Clients with short pauses would fill the log while this one server starts.
        clients.patient.store(round.faults.iter().any(|fault| fault.needs_elasticsearch()), Relaxed);
        breaker.heal(&round.faults).await?;
        clients.patient.store(false, Relaxed);
        self.recorder.note("faults", &round.number.to_string(), &did);
        self.report.left_out.extend(did.into_iter().filter(|done| done.contains("left out")));

        let meddled = self.stack.as_ref().map_or(0, Stack::take_meddled);
        self.report.meddled += meddled;
        let recovered = self.recover(round, &world).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        clients.ending.store(true, Relaxed);
        let began = Instant::now();
        for task in load {
            task.await?;
        }
        self.works.end(work, &mut self.report.violations).await?;
        self.drain(round).await;
        self.follow_to_the_end(&clients, &world, round.number, following).await?;
        let servers = self.stack.as_ref().map(Stack::servers).unwrap_or_default();
        let wrong = counts::judge(&servers, &world, &self.pool).await;
        self.report.violations.extend(wrong.into_iter().map(|wrong| format!("round {}: {wrong}", round.number)));
        let drained = began.elapsed();
        let judged = Instant::now();
        let tally = self.judge(round, false).await?;
        if round.replays && self.report.violations.is_empty() {
            self.replay().await?;
        }
        Ok(format!(
            "{:>4} commands, {:>3} × 503, {:>3} broken, {:>5} frames over {:>3} sockets, {meddled:>3} cuts, log at {:>6}; recovered in {:.1} s, drained in {:.1} s, judged in {:.1} s",
            tally.commands,
            tally.later,
            tally.broken,
            tally.frames,
            tally.sockets,
            self.checker.head(),
            recovered.as_secs_f64(),
            drained.as_secs_f64(),
            judged.elapsed().as_secs_f64()
        ))
    }

    /// Starts the processes of the round, and creates a workspace with its users.
    async fn make_ready(&mut self, round: &Round) -> Result<()> {
        let wants_clocks = round.faults.iter().any(|fault| fault.sets_a_clock());
        let fits = |stack: &Stack| stack.shape == round.shape && stack.clocks.is_some() == wants_clocks;
        if !self.stack.as_ref().is_some_and(fits) {
            if let Some(stack) = &mut self.stack {
                stack.stop().await?;
            }
            let clocks = if wants_clocks { Some(Clocks::new(self.folder.join("clocks")).await?) } else { None };
            let log = self.folder.join("log");
            let mut stack = Stack::prepare(&self.servers, round.shape, clocks, log, self.seed, round.number).await?;
            if self.world.is_none() && !stack.command_line.run(&["migrate"], RECOVERY_MAX).await? {
                bail!("the schema cannot be made");
            }
            stack.start().await?;
            self.stack = Some(stack);
        }
        if self.world.is_none() {
            let servers = self.stack.as_ref().map(Stack::servers).unwrap_or_default();
            let clients = Clients::new(self.recorder.clone(), servers, self.known.clone(), format!("{}-0", self.seed))?;
            let mut client = clients.client("founder", seed::stream(self.seed, "founder", 0));
            let world = World::found(&mut client, CLIENTS, VICTIMS).await?;
            let followed = world.members.iter().take(FOLLOWED).chain(&world.victims);
            self.followers = followed.map(|person| Arc::new(Follower::new(person.clone()))).collect();
            self.world = Some(world);
            self.works.found(&mut client, self.world.as_ref()).await?;
        }
        if round.faults.contains(&Fault::FullDisk)
            && let Some(disk) = &self.disk
        {
            disk.take_read_models(self.servers.address("BACKSCROLL_POSTGRES_URL")?).await?;
        }
        Ok(())
    }

    /// Measures the time until every server for HTTP works again.
    async fn recover(&mut self, round: &Round, world: &World) -> Duration {
        let began = Instant::now();
        let servers = self.stack.as_ref().map(Stack::servers).unwrap_or_default();
        let http = reqwest::Client::new();
        for door in servers.iter() {
            let works = || works(&http, &door.url, &world.owner.token, world.general);
            if wait_until(RECOVERY_MAX, works).await.is_none() {
                self.report.violations.push(format!("round {}: {} does not work after {RECOVERY_MAX:?}", round.number, door.url));
            }
        }
        if let Some(process) = self.stack.iter_mut().flat_map(|stack| &mut stack.processes).find_map(|p| p.has_ended().then_some(p.role)) {
            self.report.violations.push(format!("round {}: {process:?} has ended, and the campaign did not stop it", round.number));
        }
        let took = began.elapsed();
        self.report.slowest_recovery = self.report.slowest_recovery.max(took);
        took
    }

    /// Waits until the relay and the projector have reached the end of the log.
    async fn drain(&mut self, round: &Round) {
        if wait_until(RECOVERY_MAX, || is_level(&self.pool)).await.is_none() {
            let where_they_are = whereabouts(&self.pool).await;
            self.report
                .violations
                .push(format!("round {}: relay or projector behind the log after {RECOVERY_MAX:?}: {where_they_are}", round.number));
        }
        let Some(index) = &self.index else { return };
        if wait_until(CONVERGED_MAX, || index.is_level(&self.pool)).await.is_none() {
            let found = index.differences(&self.pool).await;
            self.report
                .violations
                .push(format!("round {}: documents differ from the rows after {CONVERGED_MAX:?}: {found:?}", round.number));
        }
    }

    /// Posts one more message, waits until every follower has it, and ends the following. Whether somebody missed
    /// something is judged by the log.
    async fn follow_to_the_end(&mut self, clients: &Clients, world: &World, round: u64, following: Following) -> Result<()> {
        let mut last = clients.client("last", seed::stream(self.seed, "last", round));
        let position = load::post_last(&mut last, world).await.unwrap_or(i64::MAX);
        let followers = &self.followers;
        let has_all = || async move { Ok(followers.iter().all(|follower| follower.reached() >= position)) };
        wait_until(RECOVERY_MAX, has_all).await;
        following.is_over.store(true, Relaxed);
        for task in following.tasks {
            task.await?;
        }
        Ok(())
    }

    async fn judge(&mut self, round: &Round, thorough: bool) -> Result<Tally> {
        let mut taken = self.recorder.take();
        taken.followed = self.followers.iter().map(|follower| follower.take()).collect();
        let found = self.checker.check(&taken, thorough).await?;
        let tally = taken.tally();
        self.report.tally += tally;
        self.report.violations.extend(found.into_iter().map(|violation| format!("round {}: {violation}", round.number)));
        self.works.judge(&self.checker, &mut self.report.violations);
        Ok(tally)
    }

    /// Runs the product's own comparison: it rebuilds its read models, and compares them with the live ones.
    async fn replay(&mut self) -> Result<()> {
        let stack = self.stack.as_ref().context("no processes")?;
        if !stack.command_line.run(&["replay", "relational"], REPLAY_MAX).await? {
            self.report.violations.push("`backscroll replay relational` found differences: log/command-line.log".to_owned());
        }
        Ok(())
    }

    /// Runs the product's own verification of the log: every digest, the tree, and every head that was signed while
    /// processes died.
    async fn verify(&mut self) -> Result<()> {
        let stack = self.stack.as_ref().context("no processes")?;
        if !stack.command_line.run(&["audit", "verify"], REPLAY_MAX).await? {
            self.report.violations.push("`backscroll audit verify` found a difference: log/command-line.log".to_owned());
        }
        Ok(())
    }

    async fn judge_at_last(&mut self) -> Result<()> {
        let began = Instant::now();
        let found = self.checker.check(&self.recorder.take(), true).await?;
        self.report.violations.extend(found.into_iter().map(|violation| format!("at last: {violation}")));
        self.replay().await?;
        self.verify().await?;
        println!("judged the whole log and every row again in {:.1} s", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Stops everything. Data and records are kept only if the run has violations.
    async fn finish(mut self) -> Result<Report> {
        self.report.events = self.checker.head();
        if let Some(stack) = &mut self.stack {
            stack.stop().await?;
        }
        self.pool.close().await;
        if self.report.violations.is_empty() {
            self.servers.destroy().await?;
            drop(self.disk.take());
            let _ = std::fs::remove_dir_all(&self.folder);
        } else {
            std::fs::write(self.folder.join("violations.txt"), self.report.violations.join("\n"))?;
        }
        Ok(std::mem::take(&mut self.report))
    }
}

/// The clients on sockets, which go on until they are told.
struct Following {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

fn begin_following(clients: &Clients, followers: &[Arc<Follower>], seed: u64, round: u64) -> Following {
    let is_over = Arc::new(AtomicBool::new(false));
    let tasks = followers.iter().enumerate().map(|(number, follower)| {
        let chance = seed::stream(seed, &format!("follower{number}"), round);
        tokio::spawn(Arc::clone(follower).run(clients.clone(), chance, Arc::clone(&is_over)))
    });
    Following { tasks: tasks.collect(), is_over }
}

/// Starts every client, and the race of removals.
fn begin_load(clients: &Clients, world: &World, seed: u64, round: u64) -> Vec<tokio::task::JoinHandle<()>> {
    let client = |name: &str, number: usize| {
        let name = format!("{name}{number}");
        let chance = seed::stream(seed, &name, round);
        clients.client(&name, chance)
    };
    let mixed =
        world.members.iter().enumerate().map(|(number, person)| load::run_mix(client("client", number), world.clone(), person.clone()));
    let mut tasks = mixed.map(tokio::spawn).collect::<Vec<_>>();
    let posters = world.victims.iter().enumerate().map(|(number, person)| (client("victim", number), person.clone())).collect();
    tasks.push(tokio::spawn(load::run_removals(client("owner", 0), posters, world.clone())));
    tasks
}

/// The folder in which a run keeps its records.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    Path::new(".run/chaos").join(name)
}
