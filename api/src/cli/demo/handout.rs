//! What `make run` tells people, and the same for scripts: `backscroll.json`, which only its owner may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::furnish::{Furnished, OWNER_EMAIL};
use crate::app::Server;
use crate::cli::Failure;

/// The file for scripts.
pub(super) struct Handout {
    file: PathBuf,
}

/// What an earlier run left there.
#[derive(Default, Deserialize)]
pub(super) struct Kept {
    pub password: Option<String>,
    pub token: Option<String>,
}

impl Handout {
    pub(super) fn at(folder: &Path) -> Self {
        Self { file: folder.join("backscroll.json") }
    }

    /// A file that cannot be read is as good as none: a new password is made.
    pub(super) fn read(&self) -> Kept {
        fs::read(&self.file).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Written beside it first, so that whoever waits for the file never sees half of it.
    pub(super) fn write(&self, server: &Server, furnished: &Furnished) -> Result<(), Failure> {
        let beside = self.file.with_extension("json.new");
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        let text = serde_json::to_string_pretty(&content(server, furnished)).context("the handout cannot be written as JSON")?;
        writeln!(file, "{text}")?;
        Ok(fs::rename(&beside, &self.file)?)
    }
}

fn content(server: &Server, furnished: &Furnished) -> serde_json::Value {
    let (settings, url) = (&server.app().settings, server.public_url());
    json!({
        "api_url": url,
        "docs_url": format!("{url}/docs/"),
        "operators_url": server.operators_address().map(|address| format!("http://{address}")),
        "token": furnished.token.expose(),
        "workspace_id": furnished.workspace_id,
        "general_channel_id": furnished.general_id,
        "owner_id": furnished.owner_id,
        "email": OWNER_EMAIL,
        "password": furnished.password,
        "postgres_url": settings.postgres_url.expose(),
        "redis_url": settings.redis_url.expose(),
        "nats_url": settings.nats_url.expose(),
    })
}

/// Where to look, and four lines to paste.
pub(super) fn instructions(server: &Server, furnished: &Furnished) -> String {
    let (url, token) = (server.public_url(), furnished.token.expose());
    let (channel, workspace, owner) = (furnished.general_id, furnished.workspace_id, furnished.owner_id);
    let operators =
        server.operators_address().map_or_else(String::new, |address| format!("\nits figures are at     http://{address}/metrics"));
    let signed_in = format!("-H 'Authorization: Bearer {token}'");
    format!(
        "
Backscroll serves at  {url}
its documentation at  {url}/docs/{operators}
sign in as            {OWNER_EMAIL}, password {password}
or with the token     {token}

Post a message:
  curl -sS -X POST {url}/v1/channels/{channel}/messages {signed_in} -H 'Content-Type: application/json' -d '{{\"content\": \"Hello from curl\"}}'
Read the channel:
  curl -sS '{url}/v1/channels/{channel}/messages?limit=5' {signed_in}
Ask the log who did what:
  curl -sS '{url}/v1/workspaces/{workspace}/log?actor={owner}&limit=5' {signed_in}
Rebuild the read models from the log:
  curl -sS -X POST {url}/v1/projections/relational/replays {signed_in} -H 'Content-Type: application/json' -d '{{}}'

Ctrl-C stops it.",
        password = furnished.password,
    )
}
