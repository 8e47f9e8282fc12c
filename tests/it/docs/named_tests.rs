//! Every test that SECURITY.md and docs/ASVS.md name exists.

use std::fs;
use std::path::PathBuf;

use tests::servers::checkout;

use super::written;

/// A test that a page names: a file, and a test in it. Without a test, the page means the whole file.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    file: &'a str,
    test: Option<&'a str>,
}

/// The tests in a line: `http/caps.rs`, `http/sessions.rs: an_emptied_redis_signs_no_user_out`, and `: another_test` of
/// the file named before.
fn named(line: &str) -> Vec<Named<'_>> {
    let mut file = "";
    let mut found = Vec::new();
    for code in line.split('`').skip(1).step_by(2) {
        let (path, test) = code.split_once(": ").map_or((code, None), |(path, test)| (path, Some(test)));
        if path.ends_with(".rs") {
            file = path;
        }
        if !file.is_empty() && (path.is_empty() || path.ends_with(".rs")) {
            found.push(Named { file, test });
        }
    }
    found
}

/// The source of a file. Its path begins at the top of the repository, or in `tests/it`.
fn source(file: &str) -> Option<String> {
    let candidates: [PathBuf; 2] = [checkout().join(file), checkout().join("tests/it").join(file)];
    candidates.iter().find_map(|path| fs::read_to_string(path).ok())
}

fn exists(named: &Named<'_>) -> bool {
    source(named.file).is_some_and(|source| named.test.is_none_or(|test| source.contains(&format!("fn {test}("))))
}

#[test]
fn every_test_that_the_security_pages_name_exists() {
    let mut missing = Vec::new();
    let mut count = 0;
    for page in ["SECURITY.md", "docs/ASVS.md"] {
        for line in written(page).lines() {
            let tests = named(line);
            count += tests.len();
            missing.extend(tests.iter().filter(|test| !exists(test)).map(|test| format!("{page} names {test:?}")));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(count > 50, "the pages name {count} tests");
}

#[test]
fn a_test_is_found_with_its_file_and_a_further_one_of_the_same_file() {
    let line = "| `http/caps.rs` and `http/pages.rs: a_list_has_pages`, `: another`; not `GET /v1/users` |";
    let test = |file, test| Named { file, test };
    assert_eq!(
        named(line),
        [test("http/caps.rs", None), test("http/pages.rs", Some("a_list_has_pages")), test("http/pages.rs", Some("another"))]
    );
}
