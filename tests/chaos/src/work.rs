//! What goes on beside the load: rebuilds and imports, which are broken into as well, begun anew until they are done, and judged.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::check::{Checker, Violation};
use crate::load::{Ask, Client, World};
use crate::plan::Work;
use crate::record::Effect;
use crate::servers::checkout;
use crate::stack::{Running, Stack};

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
    seed: u64,
}

/// A work that is under way.
#[derive(Debug)]
pub struct Begun {
    work: Work,
    into: Uuid,
    running: Running,
}

impl Works {
    /// None yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { workspaces: Vec::new(), imported: Vec::new(), seed }
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

    /// Begins a work.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn begin(&mut self, work: Option<Work>, stack: &Stack) -> Result<Option<Begun>> {
        let Some(work) = work else { return Ok(None) };
        // Once every workspace has had its import, it is imported again: nothing may change.
        let into = self.workspaces.pop().or(self.imported.last().copied()).context("no workspace to import into")?;
        if work != Work::Import {
            self.workspaces.push(into);
        }
        let running = spawn(work, into, stack)?;
        Ok(Some(Begun { work, into, running }))
    }

    /// Waits for its end; where it was broken, begins it anew until it is done.
    ///
    /// # Errors
    /// The program cannot be run.
    pub async fn end(&mut self, begun: Option<Begun>, stack: &Stack, found: &mut Vec<Violation>) -> Result<()> {
        let Some(Begun { work, into, mut running }) = begun else { return Ok(()) };
        let deadline = Instant::now() + WORK_MAX;
        while !running.within(WORK_MAX).await? {
            if Instant::now() > deadline {
                found.push(format!("{work:?} does not succeed in {WORK_MAX:?}: log/command-line.log"));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            running = spawn(work, into, stack)?;
        }
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

fn spawn(work: Work, into: Uuid, stack: &Stack) -> Result<Running> {
    match work {
        Work::Rebuild => stack.spawn(&["replay", "relational"]),
        Work::Import => {
            let file = checkout().join(EXPORT).display().to_string();
            stack.spawn(&["import", "slack", &file, "--workspace", &into.to_string()])
        }
    }
}

fn listed(count: &HashMap<String, usize>) -> String {
    let mut listed = count.iter().map(|(event_type, times)| format!("{times} {event_type}")).collect::<Vec<_>>();
    listed.sort();
    listed.join(", ")
}
