//! The allowed dependencies between the crates, and the crates that may contain SQL or Redis commands
//! (docs/ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tests::servers::checkout;

/// Our crates that each crate may depend on. The write side and the read side never depend on each other, and `state`
/// depends on neither.
const MAY_KNOW: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("shapes", &["domain"]),
    ("migrations", &[]),
    ("keyring", &["domain"]),
    ("stores", &["domain", "keyring", "migrations"]),
    ("commands", &["domain", "keyring", "migrations", "stores"]),
    ("projections", &["domain", "shapes", "keyring", "migrations", "stores"]),
    ("state", &["domain", "keyring", "migrations", "stores"]),
    ("ledger", &["domain", "shapes", "keyring", "migrations", "stores", "projections"]),
    ("live", &["domain", "shapes", "keyring", "migrations", "stores", "commands"]),
    ("identity", &["domain", "keyring", "migrations", "stores", "commands", "state"]),
    ("slack", &["domain", "keyring", "migrations", "stores", "commands", "projections"]),
    ("processes", &["domain", "keyring", "migrations", "stores", "commands", "projections", "state", "ledger", "identity", "slack"]),
    (
        "api",
        &[
            "domain",
            "shapes",
            "keyring",
            "migrations",
            "stores",
            "commands",
            "projections",
            "state",
            "ledger",
            "live",
            "identity",
            "slack",
            "processes",
        ],
    ),
    // The checker shares no code with the product that it judges.
    ("tests/chaos", &[]),
];

/// Crates at the edge (HTTP, frames, sign-in, import). They contain no SQL statement and no Redis command.
const WITHOUT_SQL: [&str; 4] = ["api", "live", "identity", "slack"];

#[test]
fn no_crate_depends_on_one_that_it_must_not() {
    let ours = MAY_KNOW.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    for (name, may_know) in MAY_KNOW {
        let known = dependencies(&checkout().join(name).join("Cargo.toml"));
        let known = known.iter().map(String::as_str).filter(|dependency| ours.contains(dependency)).collect::<BTreeSet<_>>();
        let may_know = may_know.iter().copied().collect::<BTreeSet<_>>();
        assert!(known.is_subset(&may_know), "{name} depends on {known:?}, and may depend on {may_know:?} only");
    }
}

#[test]
fn the_domain_has_no_clock_no_randomness_no_input_and_no_output() {
    // The last six are tables of Unicode and of time zones, and pure functions over them.
    let allowed = [
        "chrono",
        "cqrs-es",
        "serde",
        "serde_json",
        "thiserror",
        "uuid",
        "chrono-tz",
        "emojis",
        "icu_normalizer",
        "icu_properties",
        "idna",
        "unicode-security",
    ];
    let allowed = allowed.map(str::to_owned).into_iter().collect::<BTreeSet<_>>();
    let known = dependencies(&checkout().join("domain/Cargo.toml"));
    assert!(known.is_subset(&allowed), "domain depends on more than {allowed:?}: {known:?}");
    for banned in ["Utc::now", "Uuid::new_v4", "Uuid::now_v7", "std::env", "std::fs", "std::net", "SystemTime"] {
        let found = sources("domain/src").into_iter().filter(|(_, text)| text.contains(banned)).map(|(path, _)| path).collect::<Vec<_>>();
        assert!(found.is_empty(), "{found:?} contains {banned}");
    }
}

#[test]
fn the_write_side_reads_no_projection_and_the_read_side_appends_nothing() {
    let writes = sources("commands/src").into_iter().filter(|(_, text)| text.contains("FROM read.") || text.contains("read.messages"));
    assert_eq!(writes.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<String>::new());
    let reads = sources("projections/src").into_iter().filter(|(_, text)| text.contains("append_events") || text.contains("INTO events"));
    assert_eq!(reads.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn crates_at_the_edge_have_no_sql_and_no_redis() {
    let banned = ["query!(", "query_as!(", "query_scalar!(", "query_file", "sqlx::query", "redis::cmd"];
    for name in WITHOUT_SQL {
        for (path, text) in sources(&format!("{name}/src")) {
            let found = banned.iter().filter(|banned| text.contains(*banned)).collect::<Vec<_>>();
            assert!(found.is_empty(), "{path} contains {found:?}");
        }
    }
}

#[test]
fn the_engine_names_no_technology_but_postgres() {
    for (path, text) in sources("projections/src/engine") {
        if path.ends_with("registry.rs") {
            continue;
        }
        for banned in ["elasticsearch", "redis", "crate::cache", "crate::search", "crate::rebuild"] {
            assert!(!text.to_lowercase().contains(banned), "{path} contains {banned}");
        }
    }
}

#[test]
fn only_one_module_turns_an_error_into_a_status() {
    let elsewhere =
        sources("api/src").into_iter().filter(|(path, text)| !path.contains("problem") && text.contains("application/problem+json"));
    let elsewhere = elsewhere.map(|(path, _)| path).filter(|path| !path.contains("openapi")).collect::<Vec<_>>();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let names = section.lines().skip(1).filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Every Rust source file under a folder, by path.
pub fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![checkout().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.insert(entry.display().to_string(), fs::read_to_string(&entry).expect("a source"));
            }
        }
    }
    found
}
