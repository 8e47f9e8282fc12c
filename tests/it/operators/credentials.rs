//! The login of a NATS user by a file of credentials, as `nsc generate creds` writes it.

use std::path::Path;

use async_nats::connection::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use stores::nats::NatsSettings;
use stores::tls::{NamedFile, TlsFiles};
use tests::{SpareServer, eventually};

/// A JSON web token of NATS: `issuer` says `claims` about the holder of the key `subject`.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, claims: &Value) -> String {
    let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let (iss, sub) = (issuer.public_key(), subject.public_key());
    let body = json!({"jti": name, "iat": 1_700_000_000, "iss": iss, "sub": sub, "name": name, "nats": claims});
    let signed = format!("{}.{}", encoded(&header), encoded(&body));
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn settings(port: u16, credentials: &Path) -> NatsSettings {
    let credentials = Some(NamedFile { path: credentials.to_owned(), setting: "nats_credentials_file" });
    NatsSettings { url: format!("nats://127.0.0.1:{port}").into(), tls: TlsFiles::default(), credentials }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_credentials_signs_in_and_that_of_a_stranger_is_named() {
    let (operator, account, user, stranger) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user(), KeyPair::new_account());
    let all = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), json!(-1))).collect::<serde_json::Map<_, _>>();
    let mut limits = all(&["subs", "data", "payload", "imports", "exports", "conn", "leaf", "mem_storage", "disk_storage"]);
    limits.insert("wildcards".into(), json!(true));
    let of_operator = token(&operator, &operator, "operator", &json!({"type": "operator", "version": 2}));
    let of_account = token(&operator, &account, "account", &json!({"type": "account", "version": 2, "limits": limits}));
    let of_user = json!({"type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1});
    let server = SpareServer::nats(&format!(
        "operator: \"{of_operator}\"\nresolver: MEMORY\nresolver_preload: {{ {}: \"{of_account}\" }}\n",
        account.public_key()
    ));
    let folder = tempfile::tempdir().expect("a folder");
    for (name, issuer) in [("right.creds", &account), ("stranger.creds", &stranger)] {
        let (jwt, seed) = (token(issuer, &user, "user", &of_user), user.seed().expect("a seed"));
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let (client, _link) = stores::nats::connect(&settings(server.port, &folder.path().join("right.creds"))).await.expect("the settings");
    eventually("the user is signed in", async || client.connection_state() == State::Connected).await;

    let (client, link) = stores::nats::connect(&settings(server.port, &folder.path().join("stranger.creds"))).await.expect("the settings");
    eventually("the refusal is known", async || {
        link.diagnosis().is_some_and(|diagnosis| diagnosis.advice.contains("nats_credentials_file"))
    })
    .await;
    assert_ne!(client.connection_state(), State::Connected);
}
