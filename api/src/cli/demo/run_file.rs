//! The instructions that `make run` prints, and a file with the same values for scripts: `backscroll.json`. Only the
//! file's owner may read it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::setup::{OWNER_EMAIL, Setup};
use crate::app::Server;
use crate::cli::Failure;

/// The file for scripts.
pub(super) struct RunFile {
    file: PathBuf,
}

/// The values that an earlier run saved.
#[derive(Default, Deserialize)]
pub(super) struct Saved {
    pub password: Option<String>,
    pub token: Option<String>,
}

impl RunFile {
    pub(super) fn at(folder: &Path) -> Self {
        Self { file: folder.join("backscroll.json") }
    }

    /// Reads the saved values. If the file cannot be read, there are none, and a new password is made.
    pub(super) fn read(&self) -> Saved {
        fs::read(&self.file).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Writes to a temporary file and renames it, so that a script that waits for the file never sees half of it.
    pub(super) fn write(&self, server: &Server, setup: &Setup) -> Result<(), Failure> {
        let temporary = self.file.with_extension("json.new");
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let text = serde_json::to_string_pretty(&content(server, setup)).context("the run file cannot be written as JSON")?;
        writeln!(file, "{text}")?;
        Ok(fs::rename(&temporary, &self.file)?)
    }
}

fn content(server: &Server, setup: &Setup) -> serde_json::Value {
    let (settings, url) = (&server.app().settings, server.public_url());
    json!({
        "api_url": url,
        "docs_url": format!("{url}/docs/"),
        "operators_url": server.operators_address().map(|address| format!("http://{address}")),
        "token": setup.token.expose(),
        "workspace_id": setup.workspace_id,
        "general_channel_id": setup.general_id,
        "owner_id": setup.owner_id,
        "email": OWNER_EMAIL,
        "password": setup.password,
        "postgres_url": settings.postgres_url.expose(),
        "redis_url": settings.redis.urls.expose(),
        "nats_url": settings.nats.url.expose(),
    })
}

/// The addresses, and five commands to paste.
pub(super) fn instructions(server: &Server, setup: &Setup) -> String {
    let (url, token) = (server.public_url(), setup.token.expose());
    let (channel, workspace, owner) = (setup.general_id, setup.workspace_id, setup.owner_id);
    let operators =
        server.operators_address().map_or_else(String::new, |address| format!("\nits metrics are at    http://{address}/metrics"));
    let signed_in = format!("-H 'Authorization: Bearer {token}'");
    format!(
        "
Backscroll serves at  {url}
its documentation at  {url}/docs/{operators}
sign in as            {OWNER_EMAIL}, password {password}
or with the token     {token}

Watch what happens, in a terminal of its own:
  curl -sSN {url}/v1/live {signed_in} -H 'Accept: text/event-stream'
Post a message:
  curl -sS -X POST {url}/v1/channels/{channel}/messages {signed_in} -H 'Content-Type: application/json' -d '{{\"content\": \"Hello from curl\"}}'
Read the channel:
  curl -sS '{url}/v1/channels/{channel}/messages?limit=5' {signed_in}
List the owner's events in the log:
  curl -sS '{url}/v1/workspaces/{workspace}/log?actor={owner}&limit=5' {signed_in}
Rebuild the read models from the log:
  curl -sS -X POST {url}/v1/projections/relational/replays {signed_in} -H 'Content-Type: application/json' -d '{{}}'

Ctrl-C stops it.",
        password = setup.password,
    )
}
