//! The OpenAPI document as the contract of its clients: the permitted changes, and clients that are generated from the
//! document of a running server. They pass the type checkers of their languages, and a scenario through each of them uses
//! every tag of the document.
//!
//! `make clients` does the same for Go and Java, whose compilers are too large to fetch for `make test`.

mod breaking;
mod changes;
mod contract;
mod erased;
mod own_writes;
mod page;
mod python;
mod reactions;
mod repeats;
mod start;
mod typescript;
mod versions;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tests::TestApp;
use tests::servers::checkout;
use tests::successes::successes;

/// The longest time that a generator, a type checker or a scenario may take.
const PROGRAM_MAX: Duration = Duration::from_secs(300);

/// A folder for a generated client, beside the server that it is for.
struct Folder {
    app: TestApp,
    folder: TempDir,
}

impl Folder {
    /// Starts a server, and writes the document that it serves to `openapi.json` in a new folder.
    async fn beside_a_server() -> Self {
        let app = TestApp::start().await;
        let document = app.get("/openapi.json").await.expect(200);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("openapi.json"), document.to_string()).expect("the document");
        Self { app, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a file of this module into the folder.
    fn copy(&self, file: &str) {
        let from = checkout().join("tests/it/clients").join(file);
        let name = from.file_name().expect("a name").to_owned();
        std::fs::copy(&from, self.path().join(name)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    /// Runs a program of `scripts/clients.sh` in the folder, and returns what it printed.
    async fn run(&self, program: &[&str]) -> String {
        let mut command = tokio::process::Command::new(checkout().join("scripts/clients.sh"));
        command.args(program).current_dir(self.path()).stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(PROGRAM_MAX, command.output()).await;
        let output = ended.unwrap_or_else(|_| panic!("{program:?} took longer than {PROGRAM_MAX:?}")).expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program:?}:\n{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Checks that every tag of the document has an operation that succeeded.
    async fn expect_every_tag(&self) {
        let document = self.app.get("/openapi.json").await.expect(200);
        let successes = successes(&self.app).await;
        let tag = |(method, route): &(String, String)| document["paths"][route][method]["tags"][0].as_str().map(str::to_owned);
        let used = successes.keys().filter_map(tag).collect::<BTreeSet<_>>();
        let tags = document["tags"].as_array().expect("tags").iter();
        let tags = tags.map(|tag| tag["name"].as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>();
        let unused = tags.difference(&used).collect::<Vec<_>>();
        assert!(unused.is_empty(), "the scenario uses no operation of {unused:?}");
    }
}
