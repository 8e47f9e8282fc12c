//! The TypeScript clients of openapi-typescript with openapi-fetch, and of @hey-api/openapi-ts.

use tests::Team;

use super::{Folder, page};

/// Generates the types for openapi-fetch, beside the scenario and the example of docs/CLIENTS.md.
async fn generated() -> Folder {
    let folder = Folder::beside_a_server().await;
    folder.copy("typescript/scenario.ts");
    folder.copy("typescript/tsconfig.json");
    folder.copy("typescript/package.json");
    std::fs::write(folder.path().join("example.ts"), page::example("ts")).expect("the example");
    folder.run(&["sh", "-c", "ln -s \"$NODE_MODULES\" node_modules"]).await;
    folder.run(&["openapi-typescript", "openapi.json", "--output", "schema.ts"]).await;
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_clients_pass_tsc_with_their_scenario() {
    let folder = generated().await;
    let hey = ["openapi-ts", "--input", "openapi.json", "--output", "hey", "--client", "@hey-api/client-fetch", "--no-log-file"];
    folder.run(&hey).await;
    folder.run(&["tsc", "--project", "."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_through_the_typescript_client_uses_every_tag() {
    let folder = generated().await;
    let text = folder.run(&["node", "scenario.ts", &folder.app.url]).await;
    assert_eq!(text.trim(), "done");
    folder.expect_every_tag().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_typescript_works() {
    let folder = generated().await;
    let team = Team::found(&folder.app).await;
    let channel = team.general.to_string();
    let text = folder.run(&["node", "example.ts", &folder.app.url, &team.owner.token, &channel]).await;
    assert_eq!(text.trim(), "Hello from TypeScript");
}
