//! The documents that are generated from the code say what the code says.

use tests::servers::checkout;

fn written(document: &str) -> String {
    std::fs::read_to_string(checkout().join(document)).unwrap_or_else(|error| panic!("{document}: {error}: run `make docs`"))
}

#[test]
fn the_generated_documents_are_those_of_this_release() {
    let generated = [
        ("docs/openapi.json", api::openapi::document().text),
        ("docs/EVENTS.md", domain::catalogue::events_markdown()),
        ("docs/SETTINGS.md", api::config::as_markdown()),
    ];
    for (document, text) in generated {
        assert!(written(document).trim_end() == text.trim_end(), "{document} is not what the code says: run `make docs`");
    }
}

#[test]
fn the_readme_names_the_two_commands_and_every_verb_is_in_the_makefile() {
    let (readme, makefile) = (written("README.md"), written("Makefile"));
    for verb in ["run", "test", "check", "bench", "services", "stop", "docs", "sqlx"] {
        assert!(makefile.contains(&format!("\n{verb}: ## ")), "{verb}");
    }
    assert!(readme.contains("make run") && readme.contains("make test"));
}
