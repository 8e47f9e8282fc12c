//! The background work beside the load: rebuilds and imports. Their connections are cut, they are repeated until they
//! succeed, and their results are judged.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::check::{Checker, Violation};
use crate::command_line::CommandLine;
use crate::load::{Ask, Client, World};
use crate::plan::Work;
use crate::record::Effect;
use crate::servers::checkout;

/// The longest time that one work may take, with all of its repetitions.
const WORK_MAX: Duration = Duration::from_secs(120);
/// The number of workspaces for imports.
const WORKSPACES: usize = 6;
const EXPORT: &str = "tests/fixtures/sample-export.zip";

/// The background work of a run.
#[derive(Debug)]
pub struct Works {
    /// Empty workspaces. Their domains contain the seed of the run.
    workspaces: Vec<Uuid>,
    /// The workspaces with a finished import, in order.
    imported: Vec<Uuid>,
    /// The number of attempts, of all works.
    pub attempts: u64,
    seed: u64,
}

/// A work in progress.
#[derive(Debug)]
pub struct Begun {
    work: Work,
    into: Uuid,
    /// The number of attempts, or `None` if none succeeded.
    running: JoinHandle<Result<Option<u32>>>,
}

impl Works {
    /// Nothing has begun yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { workspaces: Vec::new(), imported: Vec::new(), attempts: 0, seed }
    }

    /// Creates the workspaces for imports.
    ///
    /// # Errors
    /// Fails if the server refuses.
    pub async fn found(&mut self, client: &mut Client, world: Option<&World>) -> Result<()> {
        let owner = world.context("no world")?.owner.clone();
        for number in 0..WORKSPACES {
            let domain = format!("import-{}-{number}.example.org", self.seed);
            let effect = Some(Effect { event_type: "workspace.created", stream: None, fields: json!({"domain": domain}) });
            let body = Some(json!({"name": "Imported", "domain": domain}));
            let ask = Ask { method: Method::POST, path: "/v1/workspaces".to_owned(), body, effect };
            let created = client.command(owner.id, &owner.token, ask).await.and_then(|done| done.id("workspace_id"));
            self.workspaces.push(created.context("no workspace to import into")?);
        }
        Ok(())
    }

    /// Begins a work, and repeats it whenever it fails.
    ///
    /// # Errors
    /// Fails if there is no workspace to import into.
    pub fn begin(&mut self, work: Option<Work>, command_line: &CommandLine) -> Result<Option<Begun>> {
        let Some(work) = work else { return Ok(None) };
        let into = match work {
            // If every workspace has its import, an import is repeated: it must change nothing.
            Work::Import => self.workspaces.pop().or(self.imported.last().copied()).context("no workspace to import into")?,
            Work::Rebuild => Uuid::nil(),
        };
        Ok(Some(Begun { work, into, running: tokio::spawn(until_done(work, into, command_line.clone())) }))
    }

    /// Waits until the work has ended.
    ///
    /// # Errors
    /// Fails if the program cannot be run.
    pub async fn end(&mut self, begun: Option<Begun>, found: &mut Vec<Violation>) -> Result<()> {
        let Some(Begun { work, into, running }) = begun else { return Ok(()) };
        let Some(times) = running.await?? else {
            found.push(format!("{work:?} does not succeed in {WORK_MAX:?}: log/command-line.log"));
            return Ok(());
        };
        self.attempts += u64::from(times);
        if work == Work::Import && !self.imported.contains(&into) {
            self.imported.push(into);
        }
        Ok(())
    }

    /// Checks that the same export gave every workspace the same events, whatever broke meanwhile.
    pub fn judge(&self, checker: &Checker, found: &mut Vec<Violation>) {
        let Some((first, others)) = self.imported.split_first() else { return };
        let expected = checker.imported(*first);
        if expected.is_empty() {
            found.push("the import brought nothing".to_owned());
        }
        for other in others {
            let brought = checker.imported(*other);
            if brought != expected {
                found.push(format!("an import brought {}, another {}", listed(&brought), listed(&expected)));
            }
        }
    }
}

/// Repeats the work until it succeeds. Returns the number of attempts.
async fn until_done(work: Work, into: Uuid, command_line: CommandLine) -> Result<Option<u32>> {
    let (file, into) = (checkout().join(EXPORT).display().to_string(), into.to_string());
    let arguments = match work {
        Work::Rebuild => vec!["replay", "relational"],
        Work::Import => vec!["import", "slack", &file, "--workspace", &into],
    };
    let deadline = Instant::now() + WORK_MAX;
    let mut times = 1;
    while !command_line.run(&arguments, WORK_MAX).await? {
        if Instant::now() > deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        times += 1;
    }
    Ok(Some(times))
}

fn listed(count: &HashMap<String, usize>) -> String {
    let mut listed = count.iter().map(|(event_type, times)| format!("{times} {event_type}")).collect::<Vec<_>>();
    listed.sort();
    listed.join(", ")
}
