//! Verifiers that we did not write accept the server's proofs, and so does a script that every reader can check. Two of
//! them share no code with the server:
//!
//! - `ct_merkle` verifies roots, inclusion and consistency;
//! - the script in `docs/` verifies signed notes with Ed25519, inclusion and consistency.
//!
//! The server makes its notes and proofs with Cloudflare's `signed_note` and `tlog_tiles`. Here a client uses these
//! crates: it reads tiles over HTTP, and proves each of them from the root down. The client verifies signatures with
//! `ed25519-dalek`; the server signs with `ring`.

use std::process::{Command, Output};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use serde_json::Value;
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};
use tests::servers::checkout;
use tests::{Team, TestApp, eventually};
use tlog_tiles::{Checkpoint, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree, record_hash};
use tokio::runtime::Handle;

/// A server with several hundred events, all of them signed.
async fn signed() -> (TestApp, Team) {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for n in 0..300 {
        team.post(&team.owner, team.general, &format!("message {n}")).await.expect(201);
    }
    settle(&app).await;
    (app, team)
}

async fn settle(app: &TestApp) {
    let last = app.app().commands.store().catch_up().await.expect("the head");
    eventually("every event is signed", async || app.app().proofs.newest().await.expect("the heads").is_some_and(|head| head.size >= last))
        .await;
}

/// The body at this path, as bytes.
async fn fetch(app: &TestApp, path: &str) -> Vec<u8> {
    let response = reqwest::get(format!("{}/v1/proof/{path}", app.url)).await.expect("an answer");
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.expect("a body").to_vec()
}

async fn vkey(app: &TestApp) -> String {
    app.get("/v1/proof/keys").await.expect(200)["items"][0]["vkey"].as_str().expect("a key").to_owned()
}

/// The newest head, parsed by Cloudflare's crates.
async fn head(app: &TestApp, vkey: &str) -> Checkpoint {
    let note = Note::from_bytes(&fetch(app, "checkpoint").await).expect("a signed note");
    let verifiers = VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).expect("a key"))]);
    let (verified, unknown) = note.verify(&verifiers).expect("a valid signature");
    assert_eq!((verified.len(), unknown.len()), (1, 0));
    Checkpoint::from_bytes(note.text()).expect("a checkpoint")
}

/// Reads tiles over HTTP, for a reader that proves each tile from the root down.
struct Tiles<'a>(&'a TestApp);

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        // The crate's paths contain the height. Those of C2SP do not, because it is always 8.
        let read = |tile: &Tile| {
            tokio::task::block_in_place(|| Handle::current().block_on(fetch(self.0, &tile.path().replacen("tile/8/", "tile/", 1))))
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn hashes(proof: &Value) -> Vec<Hash> {
    let of = |text: &Value| Hash::parse_hash(text.as_str().expect("a hash")).expect("a hash");
    proof["hashes"].as_array().expect("hashes").iter().map(of).collect()
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The root of a tree of this size, for `ct_merkle`.
fn root(hash: Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new(hash.0.into(), size)
}

#[tokio::test(flavor = "multi_thread")]
async fn independent_verifiers_accept_heads_tiles_entries_and_proofs() {
    let (app, team) = signed().await;
    let vkey = vkey(&app).await;
    let early = head(&app, &vkey).await;
    team.post(&team.owner, team.general, "one more").await.expect(201);
    settle(&app).await;
    let late = head(&app, &vkey).await;
    assert!(late.size() > early.size() && early.size() > 256, "the tree has more than one tile");

    let tiles = Tiles(&app);
    let reader = TileHashReader::new(late.size(), *late.hash(), &tiles);
    for index in [0, 1, 255, 256, early.size() - 1, late.size() - 1] {
        let entries = fetch(&app, &entries_path(index, late.size())).await;
        let entry = &entries[usize::try_from(index % 256).expect("small") * 34..][..34];
        assert_eq!(entry[..2], [0, 32], "each entry has its length before it");
        let hash = record_hash(&entry[2..]);
        let proved = prove_record(late.size(), index, &reader).expect("tiles that hash to the root");
        check_record(&proved, late.size(), *late.hash(), index, hash).expect("the entry is in the tree");

        let proof = app.get(&format!("/v1/proof/inclusion?position={}&size={}", index + 1, late.size())).await.expect(200);
        assert_eq!(hashes(&proof), proved, "our proof equals the one of the other implementation");
        assert_eq!(proof["entry"], BASE64_STANDARD.encode(&entry[2..]));
        check_record(&hashes(&proof), late.size(), *late.hash(), index, hash).expect("our proof is valid");
        check_record(&hashes(&proof), late.size(), *late.hash(), index, record_hash(b"another"))
            .expect_err("the proof is invalid for another entry");
        let (judge, path) = (root(*late.hash(), late.size()), InclusionProof::from_bytes(bytes(&hashes(&proof))));
        judge.verify_inclusion(&&entry[2..], index, &path).expect("another implementation accepts it");
        judge.verify_inclusion(b"another", index, &path).expect_err("the proof is invalid for another entry");
    }
    for from in [1, 2, 255, 256, 257, early.size()] {
        let proof = app.get(&format!("/v1/proof/consistency?from={from}&to={}", late.size())).await.expect(200);
        let old = Hash::parse_hash(proof["from_root"].as_str().expect("a hash")).expect("a hash");
        check_tree(&hashes(&proof), late.size(), *late.hash(), from, old).expect("our proof is valid");
        let path = ConsistencyProof::try_from_bytes(bytes(&hashes(&proof))).expect("a proof");
        root(*late.hash(), late.size()).verify_consistency(&root(old, from), &path).expect("another implementation accepts it");
        assert_eq!(
            hashes(&proof),
            prove_tree(late.size(), from, &reader).expect("a proof"),
            "our proof equals the one of the other implementation"
        );
        if from == early.size() {
            assert_eq!(old, *early.hash());
        }
    }
}

fn entries_path(index: u64, size: u64) -> String {
    let (tile, width) = (index / 256, (size - index / 256 * 256).min(256));
    if width == 256 { format!("tile/entries/{tile:03}") } else { format!("tile/entries/{tile:03}.p/{width}") }
}

/// Runs the script in `docs/`.
fn script(arguments: &[&str]) -> Output {
    let path = checkout().join("docs/verify_proof.py");
    Command::new("python3").arg("-I").arg(path).args(arguments).output().expect("python3: it is needed for the servers, too")
}

/// The stored event, in the form that the script reads.
async fn stored(app: &TestApp, position: i64) -> String {
    sqlx::query_scalar(
        "SELECT json_build_object('position', position, 'aggregate_type', aggregate_type, 'aggregate_id', aggregate_id, 'sequence', sequence,
             'event_type', event_type, 'event_version', event_version, 'payload', payload::text, 'metadata', metadata::text,
             'event_id', event_id, 'workspace_id', workspace_id, 'recorded_at', to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))::text
         FROM events WHERE position = $1",
    )
    .bind(position)
    .fetch_one(&app.app().pool)
    .await
    .expect("an event")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_accepts_our_proofs_and_refuses_changed_ones() {
    let (app, team) = signed().await;
    let vkey = vkey(&app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let early = write("early", &String::from_utf8(fetch(&app, "checkpoint").await).expect("text"));
    let proof = app.app().proofs.whole(200).await.expect("a proof");
    let event = write("event", &stored(&app, 200).await);
    let whole = write("proof", &proof);
    let held = script(&["proof", &vkey, &whole, "--event", &event]);
    assert!(held.status.success(), "{held:?}");
    assert!(String::from_utf8_lossy(&held.stdout).starts_with("position 200 of "), "{held:?}");

    let size = app.app().proofs.newest().await.expect("the heads").expect("a head").size;
    for position in [1, 256, 257, size.unsigned_abs()] {
        let proof = app.app().proofs.whole(position).await.expect("a proof");
        let event = stored(&app, i64::try_from(position).expect("small")).await;
        let (proof, event) = (write(&format!("proof {position}"), &proof), write(&format!("event {position}"), &event));
        let held = script(&["proof", &vkey, &proof, "--event", &event]);
        assert!(held.status.success(), "{position}: {held:?}");
    }

    let other = write("other", &stored(&app, 201).await);
    let changed_event = write("changed event", &stored(&app, 200).await.replace("message", "massage"));
    let entry = proof.lines().find(|line| line.starts_with("extra ")).expect("the entry").to_owned();
    let changed_entry = write("changed entry", &proof.replace(&entry, &format!("extra {}", BASE64_STANDARD.encode([0; 32]))));
    let changed_index = write("changed index", &proof.replace("index 199", "index 198"));
    let changed_size = write("changed size", &proof.replace(&format!("\n{size}\n"), &format!("\n{}\n", size + 1)));
    let foreign = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    for arguments in [
        vec!["proof", &vkey, &whole, "--event", &other],
        vec!["proof", &vkey, &whole, "--event", &changed_event],
        vec!["proof", &vkey, &changed_entry],
        vec!["proof", &vkey, &changed_index],
        vec!["proof", &vkey, &changed_size],
        vec!["proof", foreign, &whole],
        vec!["proof", &vkey, &early],
    ] {
        let refused = script(&arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
    }

    team.post(&team.owner, team.general, "one more").await.expect(201);
    settle(&app).await;
    let late = write("late", &String::from_utf8(fetch(&app, "checkpoint").await).expect("text"));
    let consistency = app.get(&format!("/v1/proof/consistency?from={size}")).await.expect(200);
    let consistency = write("consistency", &consistency.to_string());
    assert!(script(&["consistency", &vkey, &early, &late, &consistency]).status.success());
    assert_eq!(script(&["consistency", &vkey, &late, &early, &consistency]).status.code(), Some(1));
    assert!(script(&["checkpoint", &vkey, &late]).status.success());
    assert_eq!(script(&["checkpoint", foreign, &late]).status.code(), Some(1));
    assert_eq!(script(&["checkpoint", &vkey]).status.code(), Some(2));
}
