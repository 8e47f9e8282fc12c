//! Every file that a page names exists.

use std::fs;
use std::path::{Component, Path};

use tests::servers::checkout;

use super::{pages, prose, read};

/// Folders that programs create. A clone does not have them.
const MADE: [&str; 3] = ["target", ".run", ".sqlx"];

#[test]
fn every_file_that_a_document_names_exists() {
    let missing = pages().iter().flat_map(|page| missing(page)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn missing(page: &Path) -> Vec<String> {
    let text = read(page);
    let folder = page.parent().expect("a folder");
    let lines = prose(&text).collect::<Vec<_>>();
    let links = lines.iter().flat_map(|line| links(line)).filter(|target| !folder.join(target).exists());
    let paths = lines.iter().flat_map(|line| paths(line)).filter(|path| !exists(folder, path));
    links.chain(paths).map(|named| format!("{} names {named}", page.display())).collect()
}

/// The targets of `[text](target)` that are files, without the part after `#`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).filter_map(|target| target.split('#').next())
}

/// The code in a line that is a path in the repository: it begins with one of the repository's folders, or is the name
/// of a page.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|code| {
        let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        plain && (is_page(code) || (code.contains('/') && begins_in_the_repository(code)))
    })
}

fn is_page(code: &str) -> bool {
    Path::new(code).extension().is_some_and(|extension| extension == "md")
}

fn begins_in_the_repository(code: &str) -> bool {
    let first = Path::new(code).components().next();
    let folder = |name: &str| fs::metadata(checkout().join(name)).is_ok_and(|entry| entry.is_dir()) && !MADE.contains(&name);
    matches!(first, Some(Component::Normal(name)) if name.to_str().is_some_and(folder))
}

/// Whether a file exists. Its path begins in the page's folder, at the top, in `docs`, or, for tests, in `tests/it`.
fn exists(folder: &Path, path: &str) -> bool {
    let from = [folder.to_path_buf(), checkout(), checkout().join("docs"), checkout().join("tests/it")];
    from.iter().any(|from| from.join(path).exists())
}
