//! Clients that send half a request, send far too much, or read no answers.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::join_all;
use serde_json::json;
use tests::{Team, TestApp, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::raw::{LIMIT, Reply, ask, connect, head, others_are_served, until_closed};

const MEGABYTE: usize = 1024 * 1024;
/// The additional memory that the server may need for rude clients, in bytes.
const MEMORY_MORE_MAX: u64 = 64 * MEGABYTE as u64;
/// The largest memory of a connection whose client sends requests and reads no answers, in bytes. actix decodes 128 KiB
/// of requests ahead.
const MEMORY_PIPELINED_MAX: u64 = 8 * MEGABYTE as u64;
/// Short limits, so that a test can wait for them.
const QUICK: [(&str, &str); 3] =
    [("BACKSCROLL_REQUEST_HEAD_SECONDS", "2"), ("BACKSCROLL_REQUEST_BODY_SECONDS", "2"), ("BACKSCROLL_IDLE_SECONDS", "2")];

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_half_a_head_is_disconnected() {
    let app = TestApp::start_with(&[("BACKSCROLL_REQUEST_HEAD_SECONDS", "2")]).await;
    let team = Team::found(&app).await;
    let rude = join_all((0..200).map(|_| async {
        let mut stream = connect(&app).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: backscroll\r\nX-Slow: ").await.expect("half a head");
        let (mut reader, mut writer) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while writer.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        });
        let mut received = Vec::new();
        let _ = timeout(LIMIT, reader.read_to_end(&mut received)).await.expect("the server closes the connection");
        trickle.abort();
        Reply::parse(&received).map(|reply| reply.status)
    }));
    let (answers, ()) = tokio::join!(rude, others_are_served(&team));
    assert!(answers.iter().all(|status| *status == Some(408)), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_half_a_second_head_is_disconnected() {
    let app = TestApp::start_with(&QUICK).await;
    let mut stream = connect(&app).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: backscroll\r\n\r\n").await.expect("a request");
    let mut answer = [0; 4096];
    assert!(stream.read(&mut answer).await.expect("an answer") > 0);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: back").await.expect("half a head");
    until_closed(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_half_a_body_gets_a_problem_and_is_disconnected() {
    let app = TestApp::start_with(&QUICK).await;
    let team = Team::found(&app).await;
    let rude = join_all((0..100).map(|n| {
        let (app, team) = (&app, &team);
        async move {
            let mut stream = connect(app).await;
            let length = if n % 2 == 0 { "Content-Length: 1000\r\n" } else { "Transfer-Encoding: chunked\r\n" };
            let more = format!("Content-Type: application/json\r\n{length}");
            let request = head(&team.owner, "POST", &team.general("/messages"), &more) + "3e8\r\n{\"content\": \"";
            stream.write_all(request.as_bytes()).await.expect("half a body");
            Reply::parse(&until_closed(&mut stream).await).expect("an answer")
        }
    }));
    let (answers, ()) = tokio::join!(rude, others_are_served(&team));
    for answer in answers {
        assert_eq!((answer.status, answer.code().as_deref()), (408, Some("request.too_slow")), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_hundred_megabytes_is_refused_and_not_held_in_memory() {
    let app = TestApp::start_program(&[]).await;
    let team = Team::found(&app).await;
    let before = app.program().memory();
    let announced = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", 100 * MEGABYTE);
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n".to_owned();
    let attempts = [
        ("POST", team.general("/messages"), announced.clone(), 413),
        ("POST", team.general("/messages"), chunked.clone(), 413),
        ("POST", "/v1/sessions".to_owned(), chunked.clone(), 413),
        // These operations take no body.
        ("PUT", format!("/v1/channels/{}/membership", team.general), chunked.clone(), 200),
        ("GET", "/v1/users/me".to_owned(), announced, 200),
        ("DELETE", "/v1/nothing".to_owned(), chunked, 404),
    ];
    let rude = join_all(attempts.into_iter().map(|(method, path, more, status)| {
        let request = head(&team.member, method, &path, &more);
        let app = &app;
        async move {
            let (mut reader, mut writer) = connect(app).await.into_split();
            let sending = tokio::spawn(async move {
                writer.write_all(request.as_bytes()).await?;
                let chunk = [b"100000\r\n".as_slice(), &[b' '; MEGABYTE], b"\r\n"].concat();
                for _ in 0..100 {
                    writer.write_all(&chunk).await?;
                }
                std::io::Result::Ok(())
            });
            let mut received = vec![0; 16 * 1024];
            let count = timeout(LIMIT, reader.read(&mut received)).await.expect("an answer in time").expect("an answer");
            let reply = Reply::parse(&received[..count]).expect("an answer");
            assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
            // The server disconnects a client that keeps sending, or ignores it for a limited time.
            drop(timeout(LIMIT, sending).await.expect("the server stops reading"));
        }
    }));
    tokio::join!(rude, others_are_served(&team));
    let more = app.program().memory_peak().saturating_sub(before);
    println!("six clients with 100 MB each: {} MB more", more / MEGABYTE as u64);
    assert!(more < MEMORY_MORE_MAX, "{more} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_not_decompressed() {
    let app = TestApp::start_program(&[]).await;
    let team = Team::found(&app).await;
    let before = app.program().memory();
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..100 {
        bomb.write_all(&[b' '; MEGABYTE]).expect("a bomb");
    }
    let bomb = bomb.finish().expect("a bomb");
    for path in [team.general("/messages"), "/v1/sessions".to_owned()] {
        let more =
            format!("Connection: close\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len());
        let request = [head(&team.member, "POST", &path, &more).as_bytes(), &bomb].concat();
        let reply = ask(&app, &request).await.expect("an answer");
        assert_eq!((reply.status, reply.code().as_deref()), (415, Some("request.content_encoding")), "{reply:?}");
    }
    let more = app.program().memory_peak().saturating_sub(before);
    assert!(more < MEMORY_MORE_MAX, "{more} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_answers_is_disconnected() {
    let app = TestApp::start_program(&QUICK).await;
    let team = Team::found(&app).await;
    for _ in 0..20 {
        team.message(&team.owner, team.general, &"x".repeat(5_000)).await;
    }
    let before = app.program().memory();
    let request = head(&team.owner, "GET", &team.general("/messages?limit=100"), "").repeat(100);
    let rude = join_all((0..20).map(|_| async {
        let mut stream = connect(&app).await;
        let mut requests = 0;
        // The client writes until the server closes the connection: at some time its buffers are full.
        while timeout(LIMIT, stream.write_all(request.as_bytes())).await.expect("the client is disconnected").is_ok() {
            requests += 100;
        }
        requests
    }));
    let (requests, ()) = tokio::join!(rude, others_are_served(&team));
    let more = app.program().memory_peak().saturating_sub(before);
    println!("{} requests whose answers nobody read: {} MB more", requests.iter().sum::<usize>(), more / MEGABYTE as u64);
    assert!(more < 20 * MEMORY_PIPELINED_MAX, "{more} bytes more");
    others_are_served(&team).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_off_runs_once_or_not_at_all() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let path = team.general("/messages");
    let done_by_itself = join_all((0..120_u64).map(|n| {
        let (app, team, path) = (&app, &team, &path);
        async move {
            let body = json!({"content": format!("message {n}")}).to_string();
            let more = format!("Content-Type: application/json\r\nIdempotency-Key: key-{n}\r\nContent-Length: {}\r\n", body.len());
            let request = head(&team.owner, "POST", path, &more) + &body;
            // Every third request breaks off in its body. The others are complete, but the client does not wait long
            // for the answer.
            let sent = if n % 3 == 0 { request.len() - 5 } else { request.len() };
            let mut stream = connect(app).await;
            stream.write_all(&request.as_bytes()[..sent]).await.expect("a request");
            sleep(Duration::from_millis(n % 10)).await;
            drop(stream);
        }
    }));
    done_by_itself.await;
    let again = (0..120).map(|n| {
        let body = json!({"content": format!("message {n}")});
        let (team, path) = (&team, &path);
        async move { team.owner.post_once(&format!("key-{n}"), path, body).await }
    });
    let again = join_all(again).await;
    let replayed = again.iter().filter(|answer| answer.header("idempotency-replayed").is_some()).count();
    println!("{replayed} of 120 requests had run before they were repeated");
    for answer in again {
        answer.expect(201);
    }
    let counted = || async {
        let texts = app.texts().await.into_iter().filter(|text| text.starts_with("message ")).collect::<Vec<_>>();
        (texts.len(), texts.iter().collect::<BTreeSet<_>>().len())
    };
    assert_eq!(counted().await, (120, 120));
    // No further event is appended later.
    let position = team.post(&team.owner, team.general, "the last").await.position();
    eventually("the log ends at that position", async || *app.app().commands.store().head().borrow() == position).await;
    assert_eq!(counted().await, (120, 120));
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut stream = connect(&app).await;
    let mut requests = String::new();
    for n in 0..200 {
        let last = if n == 199 { "Connection: close\r\n" } else { "" };
        requests += &head(&team.owner, "GET", "/v1/users/me", &format!("X-Request-Id: request-{n}\r\n{last}"));
    }
    let (mut reader, mut writer) = stream.split();
    let mut received = Vec::new();
    let (sent, read) = tokio::join!(writer.write_all(requests.as_bytes()), timeout(LIMIT, reader.read_to_end(&mut received)));
    sent.expect("the requests");
    read.expect("the answers in time").expect("the answers");
    let received = String::from_utf8_lossy(&received).to_lowercase();
    let ids = received.lines().filter_map(|line| line.strip_prefix("x-request-id: request-")?.trim().parse::<u32>().ok());
    assert_eq!(ids.collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
}
