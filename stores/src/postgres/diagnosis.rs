//! Says why Postgres cannot be used, and what to do.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use url::Url;

use super::ACQUIRE_MAX;
use crate::diagnosis::{Diagnosis, Fault, Named, network_advice};
use crate::tls::NamedFile;

/// The setting of the address.
const SETTING: &str = "postgres_url";
/// The files that parameters of the address name.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

const NAMED: Named = Named { server: "postgres", url: SETTING, authority: "the parameter `sslrootcert` of postgres_url" };

/// Codes of Postgres (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const WRONG_PASSWORD: &str = "28P01";
const NOT_ADMITTED: &str = "28000";
const NO_SUCH_DATABASE: &str = "3D000";
const NO_RIGHT: &str = "42501";
const TOO_MANY_CONNECTIONS: &str = "53300";
const STARTING: &str = "57P03";

/// Why Postgres refused a connection. The pool itself says only that it waited too long, so Postgres is asked once more.
pub async fn explain(options: &PgConnectOptions, error: sqlx::Error) -> Diagnosis {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return diagnose(options, &error);
    }
    match timeout(ACQUIRE_MAX, PgConnection::connect_with(options)).await {
        Ok(Err(reason)) => diagnose(options, &reason),
        Ok(Ok(connection)) => {
            drop(connection.close().await);
            diagnose(options, &error)
        }
        Err(_) => diagnose(options, &std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Why Postgres cannot be used, and what to do.
#[must_use]
pub fn diagnose(options: &PgConnectOptions, error: &sqlx::Error) -> Diagnosis {
    let (reason, advice, fault) = match error {
        sqlx::Error::Database(refusal) => {
            let advice = advice(options, refusal.code().as_deref().unwrap_or_default(), refusal.message());
            let fault = if lacks_right(error) { Fault::Refused } else { Fault::Unreachable };
            (refusal.message().to_owned(), advice, fault)
        }
        sqlx::Error::Io(error) => (error.to_string(), None, Fault::Unreachable),
        sqlx::Error::Tls(error) => (error.to_string(), None, Fault::Unreachable),
        sqlx::Error::Configuration(error) => (error.to_string(), None, Fault::Setting),
        error => (error.to_string(), None, Fault::Unreachable),
    };
    let advice = advice.or_else(|| network_advice(&reason, &NAMED)).unwrap_or_else(|| {
        if reason.contains("TLS") {
            "switch TLS on in postgres (`ssl = on`), or change the parameter `sslmode` of postgres_url".to_owned()
        } else {
            "look into the log of postgres, and check postgres_url".to_owned()
        }
    });
    Diagnosis::new(format!("postgres at {}", at(options)), SETTING, &reason, advice, fault)
}

/// Whether the role lacks a right.
#[must_use]
pub fn lacks_right(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some(NO_RIGHT))
}

/// The address, without the user and the password.
#[must_use]
pub fn at(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn advice(options: &PgConnectOptions, code: &str, message: &str) -> Option<String> {
    let role = options.get_username();
    let database = options.get_database().unwrap_or(role);
    let advice = match code {
        WRONG_PASSWORD => {
            "correct the user and the password in postgres_url; special characters of a password must be percent-encoded, such as `%40` for `@`"
                .to_owned()
        }
        NOT_ADMITTED if message.contains("no encryption") => "add `?sslmode=require` to postgres_url, or allow it in pg_hba.conf".to_owned(),
        NOT_ADMITTED => format!("let the role {role} in: a line in pg_hba.conf, and `ALTER ROLE {} LOGIN`", quoted(role)),
        NO_SUCH_DATABASE => format!(
            "correct the database in postgres_url, or create it: `CREATE DATABASE {} OWNER {}`",
            quoted(database),
            quoted(role)
        ),
        NO_RIGHT => missing_right(role, database),
        TOO_MANY_CONNECTIONS => "raise max_connections of postgres, or lower postgres_connections".to_owned(),
        STARTING => "wait until postgres has started".to_owned(),
        _ => return None,
    };
    Some(advice)
}

/// What a superuser runs for a role that lacks a right. The role that migrates owns what it creates, so it needs no more.
fn missing_right(role: &str, database: &str) -> String {
    let (role, quoted_database) = (quoted(role), quoted(database));
    format!(
        "let a superuser run in the database {database}: `GRANT CREATE ON DATABASE {quoted_database} TO {role}` and \
         `GRANT USAGE, CREATE ON SCHEMA public TO {role}`; if another role has migrated the database, use that role in {SETTING}"
    )
}

/// A name as SQL needs it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Checks the files that the address names: an error of the connection would not name them.
pub(super) fn check_files(url: &str) -> Result<(), Diagnosis> {
    let Ok(url) = Url::parse(url) else { return Ok(()) };
    for (key, value) in url.query_pairs().filter(|(key, _)| FILES.contains(&key.as_ref())) {
        let file = NamedFile { path: PathBuf::from(value.as_ref()), setting: SETTING };
        match key.as_ref() {
            "sslkey" => file.read_key()?,
            _ => file.read_certificates()?,
        };
    }
    Ok(())
}

/// What is wrong with an address that cannot be parsed.
pub(super) fn wrong_address(error: &sqlx::Error) -> Diagnosis {
    let reason = match error {
        sqlx::Error::Configuration(error) => error.to_string(),
        error => error.to_string(),
    };
    let advice = "write it as `postgres://user:password@host:port/database`, with the parameters that docs/OPERATIONS.md names";
    Diagnosis::new("postgres".to_owned(), SETTING, &reason, advice, Fault::Setting)
}
