//! What goes on beside the load: rebuilds and imports, which are broken into as well, begun anew until they are done, and judged.

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

/// How long a work may take, however often it is begun anew.
const WORK_MAX: Duration = Duration::from_secs(120);
/// How many workspaces there are to import into.
const WORKSPACES: usize = 6;
const EXPORT: &str = "tests/fixtures/sample-export.zip";

/// The works of a run.
#[derive(Debug)]
pub struct Works {
    /// Empty ones, whose domains name the run.
    workspaces: Vec<Uuid>,
    /// Those into which everything was imported, and what the first one got.
    imported: Vec<Uuid>,
    /// How often one was begun, until it was done.
    pub attempts: u64,
    seed: u64,
}

/// A work that is under way.
#[derive(Debug)]
pub struct Begun {
    work: Work,
    into: Uuid,
    /// How often it was begun; nothing where it never succeeded.
    running: JoinHandle<Result<Option<u32>>>,
}

impl Works {
    /// None yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { workspaces: Vec::new(), imported: Vec::new(), attempts: 0, seed }
    }

    /// Founds the workspaces that exports go into.
    ///
    /// # Errors
    /// It is refused.
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

    /// Begins a work, and begins it anew whenever it is broken.
    ///
    /// # Errors
    /// There is nothing to import into.
    pub fn begin(&mut self, work: Option<Work>, command_line: &CommandLine) -> Result<Option<Begun>> {
        let Some(work) = work else { return Ok(None) };
        let into = match work {
            // Once every workspace has had its import, it is imported again: nothing may change.
            Work::Import => self.workspaces.pop().or(self.imported.last().copied()).context("no workspace to import into")?,
            Work::Rebuild => Uuid::nil(),
        };
        Ok(Some(Begun { work, into, running: tokio::spawn(until_done(work, into, command_line.clone())) }))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The program cannot be run.
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

    /// Every workspace has got the same by the same export, whatever broke in between.
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

/// Returns how often it was begun.
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
