//! The injection and the removal of each fault.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::disk::SmallDisk;
use crate::plan::Fault;
use crate::proxy::Proxy;
use crate::servers::{Server, Servers};
use crate::stack::Stack;

/// Of 1,000 chunks that a process sends to Postgres, this number end their connection.
const POSTGRES_CUTS_PER_MILLE: u32 = 15;
/// Of 1,000 chunks that a process sends to NATS, this number end their connection.
const NATS_CUTS_PER_MILLE: u32 = 20;
/// The seconds by which a clock is set back.
const CLOCK_BACK_SECONDS: i64 = -3_600;

/// The seconds by which a clock is set ahead. When the clock is right again, the events recorded meanwhile lie that far
/// in the future.
const CLOCK_AHEAD_SECONDS: i64 = 20;

/// The targets of the faults.
#[derive(Debug)]
pub struct Breaker<'a> {
    /// The servers.
    pub servers: &'a Servers,
    /// The processes.
    pub stack: &'a mut Stack,
    /// The disk of the read models, if there is one.
    pub disk: Option<&'a mut SmallDisk>,
    /// A pool that uses no proxy.
    pub pool: PgPool,
    frozen: Vec<usize>,
    harassing: Option<JoinHandle<()>>,
    chance: StdRng,
}

impl<'a> Breaker<'a> {
    /// A breaker with no fault injected.
    pub fn new(servers: &'a Servers, stack: &'a mut Stack, disk: Option<&'a mut SmallDisk>, pool: PgPool, chance: StdRng) -> Self {
        Self { servers, stack, disk, pool, frozen: Vec::new(), harassing: None, chance }
    }

    /// Injects a fault. Returns a description for the report.
    ///
    /// # Errors
    /// Fails if the fault cannot be injected.
    pub async fn inject(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::KillServer => self.kill(self.server()).await,
            Fault::KillProjector => self.kill(self.holder_of(PROJECTION_LOCK).await).await,
            Fault::KillRelay => self.kill(self.holder_of(RELAY_LOCK).await).await,
            Fault::FreezeServer => self.freeze(self.server(), false).await,
            Fault::FreezeProjector => self.freeze(self.holder_of(PROJECTION_LOCK).await, true).await,
            Fault::FreezeRelay => self.freeze(self.holder_of(RELAY_LOCK).await, true).await,
            Fault::CrashPostgres => self.servers.crash(Server::Postgres).await.map(|()| "killed".to_owned()),
            Fault::CrashNats => self.servers.crash(Server::Nats).await.map(|()| "killed".to_owned()),
            Fault::WipeNats => self.servers.wipe(Server::Nats).await.map(|()| "killed, data deleted".to_owned()),
            Fault::CrashRedis => self.servers.crash(Server::Redis).await.map(|()| "killed".to_owned()),
            Fault::WipeRedis => self.servers.wipe(Server::Redis).await.map(|()| "killed, data deleted".to_owned()),
            Fault::CrashElasticsearch => self.servers.crash(Server::Elasticsearch).await.map(|()| "killed".to_owned()),
            Fault::WipeElasticsearch => self.servers.wipe(Server::Elasticsearch).await.map(|()| "killed, data deleted".to_owned()),
            Fault::CutPostgres => {
                self.cut_postgres_per_mille(POSTGRES_CUTS_PER_MILLE);
                Ok(format!("{POSTGRES_CUTS_PER_MILLE} of 1000 requests"))
            }
            Fault::CutAllPostgres => {
                self.stack.to_postgres.cut_all();
                self.stack.processes.iter().for_each(|process| process.to_postgres.cut_all());
                Ok("all at once".to_owned())
            }
            Fault::CutWork => {
                let (proxy, chance) = (self.stack.to_postgres.clone(), StdRng::from_rng(&mut self.chance));
                self.harassing = Some(tokio::spawn(harass(proxy, chance)));
                Ok("again and again".to_owned())
            }
            Fault::CutNats => {
                self.stack.processes.iter().for_each(|process| process.to_nats.cut_per_mille(NATS_CUTS_PER_MILLE));
                Ok(format!("{NATS_CUTS_PER_MILLE} of 1000 requests"))
            }
            Fault::MistreatMessages => {
                self.stack.processes.iter().for_each(|process| process.to_nats.mistreatment().set(100, 150, 150));
                Ok("10 % dropped, 15 % doubled, 15 % swapped".to_owned())
            }
            Fault::ClockBack => self.set_clocks(usize::MAX, CLOCK_BACK_SECONDS),
            Fault::OneClockBack => self.set_clocks(1, CLOCK_BACK_SECONDS),
            Fault::ClockAhead => self.set_clocks(usize::MAX, CLOCK_AHEAD_SECONDS),
            Fault::FreezePostgres => self.servers.freeze(Server::Postgres).await.map(|()| "stands still".to_owned()),
            Fault::FreezeNats => self.servers.freeze(Server::Nats).await.map(|()| "stands still".to_owned()),
            Fault::FreezeRedis => self.servers.freeze(Server::Redis).await.map(|()| "stands still".to_owned()),
            Fault::FreezeElasticsearch => self.servers.freeze(Server::Elasticsearch).await.map(|()| "stands still".to_owned()),
            Fault::FullDisk => match self.disk.as_mut() {
                Some(disk) => disk.fill(),
                None => Ok("left out: nothing may be mounted here".to_owned()),
            },
        }
    }

    /// Removes the faults.
    ///
    /// # Errors
    /// Fails if a fault cannot be removed.
    pub async fn heal(&mut self, faults: &[Fault]) -> Result<()> {
        if let Some(harassing) = self.harassing.take() {
            harassing.abort();
        }
        self.cut_postgres_per_mille(0);
        for process in &self.stack.processes {
            process.to_nats.cut_per_mille(0);
            process.to_nats.mistreatment().set(0, 0, 0);
        }
        if let Some(disk) = self.disk.as_mut() {
            disk.empty()?;
        }
        self.set_clocks(usize::MAX, 0)?;
        for index in std::mem::take(&mut self.frozen) {
            if let Some(process) = self.stack.processes.get(index) {
                process.wake().await?;
            }
        }
        for fault in faults {
            match fault {
                Fault::CrashPostgres => self.servers.restart(Server::Postgres).await?,
                Fault::CrashNats | Fault::WipeNats => self.servers.restart(Server::Nats).await?,
                Fault::CrashRedis | Fault::WipeRedis => self.servers.restart(Server::Redis).await?,
                Fault::CrashElasticsearch | Fault::WipeElasticsearch => self.servers.restart(Server::Elasticsearch).await?,
                Fault::FreezeElasticsearch => self.servers.thaw(Server::Elasticsearch).await?,
                Fault::FreezePostgres => self.servers.thaw(Server::Postgres).await?,
                Fault::FreezeNats => self.servers.thaw(Server::Nats).await?,
                Fault::FreezeRedis => self.servers.thaw(Server::Redis).await?,
                _ => {}
            }
        }
        self.stack.start().await
    }

    /// Sets the clocks of the first `processes` processes.
    fn set_clocks(&self, processes: usize, seconds: i64) -> Result<String> {
        if let Some(clocks) = &self.stack.clocks {
            for process in 0..self.stack.processes.len().min(processes) {
                clocks.set(process, seconds)?;
            }
        }
        Ok(format!("{seconds} s"))
    }

    fn cut_postgres_per_mille(&self, requests: u32) {
        self.stack.to_postgres.cut_per_mille(requests);
        self.stack.processes.iter().for_each(|process| process.to_postgres.cut_per_mille(requests));
    }

    /// The first process that serves HTTP and runs.
    fn server(&self) -> Option<usize> {
        (0..self.stack.processes.len()).find(|index| {
            let process = self.stack.processes.get(*index);
            !self.frozen.contains(index) && process.is_some_and(|process| process.role.serves_http() && process.pid().is_some())
        })
    }

    /// The process whose connection to Postgres holds a lock, if any does.
    async fn holder_of(&self, lock: &str) -> Option<usize> {
        let sql = format!(
            "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
             WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = {lock}"
        );
        let port = tokio::time::timeout(Duration::from_secs(2), sqlx::query_scalar::<_, i32>(&sql).fetch_optional(&self.pool));
        let port = u16::try_from(port.await.ok()?.ok()??).ok()?;
        self.stack.processes.iter().position(|process| process.to_postgres.carries(port))
    }

    async fn kill(&mut self, index: Option<usize>) -> Result<String> {
        let Some((index, process)) = index.and_then(|index| Some((index, self.stack.processes.get_mut(index)?))) else {
            return Ok("no such process runs".to_owned());
        };
        process.kill().await?;
        // The process may have been frozen before. It has ended now.
        self.frozen.retain(|frozen| *frozen != index);
        Ok(format!("process {index}, {:?}", process.role))
    }

    async fn freeze(&mut self, index: Option<usize>, cut_off: bool) -> Result<String> {
        let Some((index, process)) = index.and_then(|index| Some((index, self.stack.processes.get(index)?))) else {
            return Ok("no such process runs".to_owned());
        };
        process.pause().await?;
        if cut_off {
            process.to_postgres.cut_all();
        }
        self.frozen.push(index);
        Ok(format!("process {index}, {:?}", process.role))
    }
}

/// Ends the connections again and again, at random times.
async fn harass(proxy: Arc<Proxy>, mut chance: StdRng) {
    loop {
        tokio::time::sleep(Duration::from_millis(chance.random_range(20..250))).await;
        proxy.cut_all();
    }
}

/// The advisory lock of the relay's leader.
const RELAY_LOCK: &str = "4702";
/// The advisory lock of the projection's holder.
const PROJECTION_LOCK: &str = "hashtextextended('backscroll projection relational', 0)";
