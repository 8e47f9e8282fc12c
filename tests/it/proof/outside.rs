//! Heads are copied to places that the database's administrator does not own. No head is lost, whatever fails.

use std::time::Duration;

use ledger::proof::note::{self, SignedCheckpoint};
use ledger::proof::{Destinations, Webhook};
use stores::objects::Objects;
use tests::eventually;
use tests::objects::ObjectFolder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::world::World;

fn heads_in(path: &std::path::Path) -> Vec<SignedCheckpoint> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    note::split(&text).into_iter().flatten().map(|(_, checkpoint)| checkpoint).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_every_newest_head_and_verifies_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heads.txt");
    let mut world = World::unsigned().await;
    world.destinations = Destinations { file: Some(path.clone()), ..world.destinations.clone() };
    world.start();
    world.settle().await;
    let newest = async |world: &World| {
        let size = world.size().await.unsigned_abs();
        eventually("the file has the newest head", async || heads_in(&path).last().is_some_and(|head| head.checkpoint.size == size)).await;
    };
    newest(&world).await;
    world.stop().await;
    // A process that died while it wrote has left a part of a head.
    let text = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, format!("{text}{}", text.chars().take(100).collect::<String>())).expect("the file");
    world.post("after it").await;
    world.start();
    world.settle().await;
    newest(&world).await;
    world.stop().await;
    let heads = heads_in(&path);
    assert!(heads.len() >= 2 && heads.is_sorted_by_key(|head| head.checkpoint.size), "{heads:?}");
    assert_eq!(world.findings(&heads).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_gets_every_newest_head_as_an_object_and_verifies_the_log() {
    let folder = ObjectFolder::create();
    let objects = Objects { url: folder.url.clone(), bucket: folder.bucket.clone(), folder: folder.path.clone() };
    let heads = async || {
        let texts = folder.texts().await;
        texts.values().map(|text| text.parse::<SignedCheckpoint>().expect("a signed head")).collect::<Vec<_>>()
    };
    let mut world = World::unsigned().await;
    world.destinations = Destinations { objects: Some(objects), ..world.destinations.clone() };
    for text in ["before a restart", "after it"] {
        world.post(text).await;
        world.start();
        world.settle().await;
        let size = world.size().await.unsigned_abs();
        eventually("the last object by name is the newest head", async || {
            heads().await.last().is_some_and(|head| head.checkpoint.size == size)
        })
        .await;
        world.stop().await;
    }
    let heads = heads().await;
    assert!(heads.len() >= 2 && heads.windows(2).all(|pair| pair[0].checkpoint.size < pair[1].checkpoint.size), "{heads:?}");
    assert_eq!(world.findings(&heads).await, []);
}

/// A webhook that refuses a number of requests and accepts the rest. It passes on the accepted ones.
async fn receiver(mut refusals: usize) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, taken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let status = if refusals > 0 { "503 Service Unavailable" } else { "204 No Content" };
            let request = answer(stream, status).await;
            if refusals == 0 && sender.send(request).is_err() {
                return;
            }
            refusals = refusals.saturating_sub(1);
        }
    });
    (format!("http://{address}/heads"), taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_redirects_has_not_accepted_the_head_and_no_head_follows_the_redirect() {
    let (elsewhere, mut taken) = receiver(0).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/heads", listener.local_addr().expect("an address"));
    let mut world = World::unsigned().await;
    let webhook = Webhook { url, token: Some("a secret".into()) };
    world.destinations = Destinations { webhook: Some(webhook), interval: Duration::from_millis(20), ..Destinations::default() };
    world.start();
    for code in [301, 302, 303, 307, 308] {
        let (stream, _) = listener.accept().await.expect("a head");
        let request = answer(stream, &format!("{code} Elsewhere\r\nLocation: {elsewhere}")).await;
        assert!(request.starts_with("POST /heads "), "{request}");
    }
    // The next attempt has begun. So no earlier one followed the redirect, and none counted as accepted.
    drop(listener.accept().await.expect("a head"));
    assert!(taken.try_recv().is_err(), "no head followed the redirect");
    let told = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM proof.deliveries").fetch_one(world.pool()).await.expect("a count");
    assert_eq!(told, 0);
    world.stop().await;
}

/// Reads one request to its end, and answers it.
async fn answer(mut stream: TcpStream, status: &str) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        match stream.read(&mut piece).await.expect("a request") {
            0 => break,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
    let answered = stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await;
    answered.expect("an answer");
    String::from_utf8(bytes).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_refuses_gets_heads_until_it_accepts_one_and_no_head_twice() {
    let (url, mut taken) = receiver(2).await;
    let mut world = World::unsigned().await;
    let webhook = Webhook { url, token: Some("a secret".into()) };
    world.destinations = Destinations { webhook: Some(webhook), interval: Duration::from_millis(20), ..Destinations::default() };
    world.start();
    world.settle().await;
    let told = |request: &str| {
        let (head, body) = request.split_once("\r\n\r\n").expect("a request");
        assert!(head.starts_with("POST /heads HTTP/1.1\r\n") && head.contains("authorization: Bearer a secret\r\n"), "{head}");
        body.parse::<SignedCheckpoint>().expect("a signed head").checkpoint.size
    };
    let first = told(&taken.recv().await.expect("a head"));
    world.post("more").await;
    world.settle().await;
    let mut sizes = vec![first];
    while sizes.last().copied() < Some(world.size().await.unsigned_abs()) {
        sizes.push(told(&taken.recv().await.expect("a head")));
    }
    // After a restart, the server reads from the database which heads it has sent.
    let written = async || {
        let size = sqlx::query_scalar::<_, i64>("SELECT size FROM proof.deliveries").fetch_one(world.pool()).await.expect("a place");
        Some(size.unsigned_abs()) == sizes.last().copied()
    };
    eventually("the sent size is stored", written).await;
    world.stop().await;
    world.start();
    world.post("after a restart").await;
    world.settle().await;
    while sizes.last().copied() < Some(world.size().await.unsigned_abs()) {
        sizes.push(told(&taken.recv().await.expect("a head")));
    }
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "each head is sent once, and in order: {sizes:?}");
    let names: Vec<String> =
        sqlx::query_scalar("SELECT destination FROM proof.deliveries").fetch_all(world.pool()).await.expect("the places");
    assert!(names.iter().all(|name| !name.contains("heads") && !name.contains("secret")), "{names:?}");
}
