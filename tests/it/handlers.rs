//! What handlers know: the parts that they name, and nothing of how the server is put together.

use crate::architecture::sources;

/// The sources under those folders that have one of those texts.
fn having(folders: &[&str], texts: &[&str]) -> Vec<String> {
    let all = folders.iter().flat_map(|folder| sources(folder));
    all.filter(|(_, source)| texts.iter().any(|text| source.contains(text))).map(|(path, _)| path).collect()
}

const NONE: Vec<String> = Vec::new();

#[test]
fn a_handler_names_the_parts_that_it_needs_and_never_takes_them_all() {
    assert_eq!(having(&["api/src/http"], &["Data<App>", "&App", "crate::app"]), NONE);
}

#[test]
fn extractors_limits_figures_and_problems_do_not_know_the_app() {
    let rooms = ["api/src/extract", "api/src/limit", "api/src/metrics", "api/src/problem"];
    assert_eq!(having(&rooms, &["crate::app"]), NONE);
}

#[test]
fn limits_know_neither_the_extractors_nor_the_handlers() {
    assert_eq!(having(&["api/src/limit"], &["crate::extract", "crate::http"]), NONE);
}
