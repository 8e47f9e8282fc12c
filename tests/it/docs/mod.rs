//! The documents agree with the code and with the measurements.

mod figures;
mod files;
mod named_tests;
mod operations;
pub mod pasted;

use std::fs;
use std::path::{Path, PathBuf};

use tests::servers::checkout;

fn read(document: &Path) -> String {
    fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()))
}

pub fn written(document: &str) -> String {
    read(&checkout().join(document))
}

/// Every page for people: the pages at the top, and those in `docs`.
fn pages() -> Vec<PathBuf> {
    let folders = [checkout(), checkout().join("docs"), checkout().join("docs/decisions")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The lines of a page outside its code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

#[test]
fn the_generated_documents_agree_with_the_code() {
    let generated = [
        ("docs/openapi.json", api::openapi::document().text),
        ("docs/EVENTS.md", domain::catalogue::events_markdown()),
        ("docs/SETTINGS.md", api::config::as_markdown()),
    ];
    for (document, text) in generated {
        assert!(written(document).trim_end() == text.trim_end(), "{document} differs from the code: run `make docs`");
    }
}

#[test]
fn the_readme_names_the_two_commands_and_every_verb_is_in_the_makefile() {
    let (readme, makefile) = (written("README.md"), written("Makefile"));
    for verb in ["run", "test", "check", "bench", "clients", "services", "stop", "docs", "sqlx"] {
        assert!(makefile.contains(&format!("\n{verb}: ## ")), "{verb}");
    }
    assert!(readme.contains("make run") && readme.contains("make test"));
}

/// Exempt are generated pages, and lines that cannot be broken: rows of tables, and addresses.
#[test]
fn a_line_of_prose_has_at_most_120_characters() {
    let long = |page: &Path| {
        let lines = read(page);
        let long = prose(&lines).filter(|line| line.chars().count() > 120 && !line.trim_start().starts_with('|'));
        long.map(|line| format!("{}: {line}", page.display())).collect::<Vec<_>>()
    };
    let wrong = pages().iter().flat_map(|page| long(page)).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
