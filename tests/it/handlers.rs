//! The dependencies of handlers: they take the parts that they need, and do not know how the server is assembled.

use crate::architecture::sources;

/// The source files under these folders that contain one of these texts.
fn having(folders: &[&str], texts: &[&str]) -> Vec<String> {
    let all = folders.iter().flat_map(|folder| sources(folder));
    all.filter(|(_, source)| texts.iter().any(|text| source.contains(text))).map(|(path, _)| path).collect()
}

const NONE: Vec<String> = Vec::new();

#[test]
fn a_handler_takes_the_parts_that_it_needs_and_never_the_whole_app() {
    assert_eq!(having(&["api/src/http"], &["Data<App>", "&App,", "&App)", "&App>", "crate::app"]), NONE);
}

#[test]
fn extractors_limits_metrics_and_problems_do_not_depend_on_the_app() {
    let rooms = ["api/src/extract", "api/src/limit", "api/src/metrics", "api/src/problem"];
    assert_eq!(having(&rooms, &["crate::app"]), NONE);
}

#[test]
fn limits_depend_on_neither_the_extractors_nor_the_handlers() {
    assert_eq!(having(&["api/src/limit"], &["crate::extract", "crate::http"]), NONE);
}
