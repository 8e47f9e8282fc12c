//! `backscroll audit verify-export FILE`

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use ledger::audit::{Unverified, verify_export};
use ledger::proof::note::VerifyingKey;

use crate::cli::{Exit, Failure, print};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The export.
    file: PathBuf,
    /// The public key, `<name>+<id>+<base64>`, as `audit export` printed it. Do not take it from the file.
    #[arg(long, value_name = "KEY")]
    key: VerifyingKey,
}

/// Checks an export. It needs neither a server nor settings.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = File::open(&arguments.file).with_context(|| format!("{} cannot be read", arguments.file.display()))?;
    let manifest = verify_export(BufReader::new(file), &arguments.key).map_err(|error| match error {
        Unverified::Read(_) => Failure::new(Exit::Failed, error),
        Unverified::NoManifest | Unverified::Signature | Unverified::Content { .. } | Unverified::Entries { .. } => {
            Failure::new(Exit::Refused, error)
        }
    })?;
    let place = |position: Option<i64>| position.map_or_else(|| "—".into(), |position| position.to_string());
    print(&format!(
        "complete and unchanged: {} entries of workspace {}, positions {} to {}, exported {} when the log ended at {}; {} texts are withheld",
        manifest.entries,
        manifest.workspace_id,
        place(manifest.first),
        place(manifest.last),
        manifest.exported_at.to_rfc3339(),
        manifest.head.position,
        manifest.withheld,
    ))
}
