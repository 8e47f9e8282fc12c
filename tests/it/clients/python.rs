//! The Python client of openapi-python-client.

use tests::Team;

use super::{Folder, page};

/// Generates the package `backscroll`, beside the scenario and the example of docs/CLIENTS.md.
async fn generated() -> Folder {
    let folder = Folder::beside_a_server().await;
    folder.copy("python/openapi-python-client.yml");
    folder.copy("python/scenario.py");
    std::fs::write(folder.path().join("example.py"), page::example("python")).expect("the example");
    let generate = ["python", "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"];
    let flags = ["--config", "openapi-python-client.yml", "--output-path", "backscroll", "--fail-on-warning"];
    folder.run(&[&generate[..], &flags].concat()).await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_passes_mypy_and_pyright_with_its_scenario() {
    let folder = generated().await;
    folder.run(&["python", "-m", "mypy", "--strict", "."]).await;
    folder.run(&["pyright", "--warnings", "."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_through_the_python_client_uses_every_tag() {
    let folder = generated().await;
    let text = folder.run(&["python", "scenario.py", &folder.app.url]).await;
    assert_eq!(text.trim(), "done");
    folder.expect_every_tag().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_python_works() {
    let folder = generated().await;
    let team = Team::found(&folder.app).await;
    let channel = team.general.to_string();
    let text = folder.run(&["python", "example.py", &folder.app.url, &team.owner.token, &channel]).await;
    assert_eq!(text.trim(), "Hello from Python");
}
