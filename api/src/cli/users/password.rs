//! `backscroll users set-password`, and the ways to pass a password. It is never an argument, because every user of the
//! machine can see the arguments of a process.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use console::Term;
use identity::password_reset::PasswordResets;

use super::find;
use crate::cli::connection::{asked, commands, credentials, known_devices, passwords, sessions};
use crate::cli::{Exit, Failure, print};
use crate::config::{Secret, Settings};

/// The most bytes that are read as a password. The server refuses shorter ones too, with the reason.
const BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The user: the email address or the identifier.
    #[arg(value_name = "EMAIL or ID")]
    user: String,
    #[command(flatten)]
    password: PasswordSource,
}

/// The source of a password. Without an option, a terminal asks for it.
#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from the standard input: its only line.
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from that file: its only line.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads the password.
    ///
    /// # Errors
    /// The source cannot be read, or there is none and no terminal.
    pub(super) fn read(&self) -> Result<Secret, Failure> {
        if let Some(path) = &self.password_file {
            let open = File::open(path).with_context(|| format!("the password file {} cannot be read", path.display()));
            return only_line(open.map_err(|error| Failure::new(Exit::Wrong, error))?);
        }
        if self.password_stdin { only_line(stdin().lock()) } else { ask() }
    }
}

fn only_line(source: impl Read) -> Result<Secret, Failure> {
    let mut text = String::new();
    let wrong = |error: anyhow::Error| Failure::new(Exit::Wrong, error);
    source.take(BYTES_MAX).read_to_string(&mut text).context("the password cannot be read as UTF-8").map_err(wrong)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(wrong(anyhow!("the password has more than one line: give one password, without an empty line after it")));
    }
    Ok(line.to_owned().into())
}

/// Asks at the terminal, twice, and shows nothing of the answer.
fn ask() -> Result<Secret, Failure> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        let how = "there is no terminal to ask for the password: use --password-stdin or --password-file";
        return Err(Failure::new(Exit::Wrong, anyhow!(how)));
    }
    let prompt = |what: &str| -> Result<String, Failure> {
        terminal.write_str(what)?;
        Ok(terminal.read_secure_line()?)
    };
    let first = prompt("New password: ")?;
    if prompt("The same again: ")? != first {
        return Err(Failure::new(Exit::Wrong, anyhow!("the two passwords differ: nothing is changed")));
    }
    Ok(first.into())
}

pub(super) async fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    let commands = commands(settings).await?;
    let user_id = find(&commands, &arguments.user).await?;
    let user = commands.user_state(user_id).await?;
    let passwords = passwords()?;
    let password = passwords.parse_for(arguments.password.read()?, user.registration.as_ref()).await?;
    let sessions = sessions(settings, &commands).await?;
    let resets = PasswordResets::new(commands, credentials(settings).await?, passwords, sessions, known_devices(settings).await?);
    let reset = resets.reset(&asked(), user_id, password).await?;
    print(&format!("{user_id} has a new password from position {} on: all sessions have ended", reset.position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_with_or_without_its_end() {
        for text in ["correct horse", "correct horse\n", "correct horse\r\n"] {
            let read = only_line(text.as_bytes()).map_err(|failure| failure.error.to_string());
            assert_eq!(read.map(|secret| secret.expose().to_owned()), Ok("correct horse".into()), "{text:?}");
        }
        for text in ["one\ntwo\n", "one\n\n"] {
            let refused = only_line(text.as_bytes()).map(drop).map_err(|failure| failure.exit);
            assert_eq!(refused, Err(Exit::Wrong), "{text:?}");
        }
    }
}
