//! `backscroll import slack` with hostile archives: it refuses them with a clear message and bounded memory, and
//! imports no part of them.

use std::path::Path;

use flate2::Compression;
use tests::program::{Ended, run};
use tests::servers::checkout;
use tests::{Team, TestApp};

use super::forged_zip::{BZIP2, ENCRYPTED, Entry, ForgedZip, STORED, SYMBOLIC_LINK};

const MEGABYTE: u64 = 1024 * 1024;
/// The largest memory that the import of a hostile archive may take, in bytes.
const MEMORY_MAX: u64 = 192 * MEGABYTE;
/// The largest memory that reading the names of a million files may take, in bytes.
const MEMORY_OF_A_MILLION_MAX: u64 = 1024 * MEGABYTE;
/// The exit code of a refusal.
const REFUSED: i32 = 4;

/// A workspace for imports.
struct Target {
    app: TestApp,
    team: Team,
    folder: tempfile::TempDir,
}

impl Target {
    async fn make() -> Self {
        let app = TestApp::start().await;
        let team = Team::found(&app).await;
        Self { app, team, folder: tempfile::tempdir().expect("a folder") }
    }

    async fn import(&self, archive: &[u8]) -> Ended {
        let path = self.folder.path().join("export.zip");
        std::fs::write(&path, archive).expect("an archive");
        self.import_file(&path).await
    }

    async fn import_file(&self, path: &Path) -> Ended {
        let (path, workspace) = (path.to_str().expect("a path").to_owned(), self.team.id.to_string());
        let environment = self.app.environment.clone();
        let import = move || run(&["import", "slack", &path, "--workspace", &workspace], &environment);
        tokio::task::spawn_blocking(import).await.expect("the import ends")
    }

    async fn events(&self) -> i64 {
        // The server records the first key of the proof some seconds after its start.
        let count = "SELECT count(*) FROM events WHERE aggregate_type <> 'installation'";
        sqlx::query_scalar(count).fetch_one(&self.app.app().pool).await.expect("a count")
    }
}

/// A small valid export with additional entries.
fn export(more: &[Entry]) -> Vec<u8> {
    let mut zip = ForgedZip::default();
    zip.add(&Entry::deflated("users.json", br#"[{"id": "U1", "name": "ann", "profile": {"real_name": "Ann"}}]"#));
    zip.add(&Entry::deflated("channels.json", br#"[{"id": "C1", "name": "orchard", "created": 1735689600, "members": ["U1"]}]"#));
    more.iter().for_each(|entry| zip.add(entry));
    zip.finish()
}

/// An entry with one error.
fn wrong(name: &str, spoil: impl FnOnce(&mut Entry)) -> Entry {
    let mut entry = Entry::deflated(name, b"[]");
    spoil(&mut entry);
    entry
}

/// 16 MB of equal bytes. The best compression makes them a thousand times smaller, and the archive is refused. Fast
/// compression makes them two hundred times smaller; then they are read, because a real export may be like that.
fn bomb(name: &str, level: Compression) -> Entry {
    Entry::deflated_as(name, &vec![b' '; 16 * 1024 * 1024], level)
}

/// The archives, each with a part of the expected refusal.
fn archives() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let day = "orchard/2025-01-01.json";
    let honest = export(&[]);
    vec![
        ("a path that climbs", export(&[Entry::empty("../../etc/cron.d/evil")]), "leads out of its folder"),
        ("an absolute path", export(&[Entry::empty("/etc/passwd")]), "is absolute"),
        ("a path of Windows", export(&[Entry::empty("C:\\evil.json")]), "is absolute"),
        ("a symbolic link", export(&[wrong("link", |entry| entry.attributes = SYMBOLIC_LINK)]), "symbolic link (link)"),
        ("a bomb", export(&[bomb(day, Compression::best())]), "orchard/2025-01-01.json would take 16777216 bytes"),
        ("a weak bomb", lists(bomb("users.json", Compression::fast())), "users.json in the archive is not a JSON list"),
        (
            "a bomb where a list should be",
            ForgedZip::default().with(&bomb("users.json", Compression::best())).finish(),
            "users.json would take",
        ),
        (
            "a bomb that says 4 GB",
            export(&[wrong(day, |entry| entry.bytes = u32::MAX - 1)]),
            "orchard/2025-01-01.json would take 4294967294",
        ),
        ("a bomb that hides", export(&[hidden_bomb("users.json")]), "two entries of the same name"),
        ("a list that is larger than it says", lists(hidden_bomb("users.json")), "users.json"),
        (
            "an entry that is smaller than it says",
            lists(wrong("users.json", |entry| entry.bytes = 500)),
            "users.json in the archive is damaged",
        ),
        ("a wrong checksum", lists(wrong("users.json", |entry| entry.crc ^= 1)), "users.json in the archive is damaged"),
        ("an encrypted entry", export(&[wrong(day, |entry| entry.flags = ENCRYPTED)]), "is encrypted (orchard/2025-01-01.json)"),
        ("an unknown compression", export(&[wrong(day, |entry| entry.method = BZIP2)]), "orchard/2025-01-01.json is compressed in a way"),
        ("two entries of a name", export(&[Entry::deflated("users.json", b"[]")]), "two entries of the same name"),
        ("half an archive", honest[..honest.len() / 2].to_vec(), "not a zip archive"),
        ("an archive without its beginning", honest[40..].to_vec(), "not a zip archive"),
        ("something else", b"%PDF-1.7".repeat(1000), "not a zip archive"),
        ("nothing", Vec::new(), "not a zip archive"),
        ("no export", ForgedZip::default().with(&Entry::empty("notes.txt")).finish(), "not a Slack export"),
        (
            "a list that is an object",
            lists(Entry::deflated("users.json", br#"{"id": "U1"}"#)),
            "users.json in the archive is not a JSON list",
        ),
        (
            "a list that is no JSON",
            lists(Entry::deflated("users.json", b"\xff\xfe\x00garbage")),
            "users.json in the archive is not a JSON list",
        ),
        (
            "a list that is too deep",
            lists(Entry::deflated("users.json", "[".repeat(1_000_000).as_bytes())),
            "users.json in the archive is not a JSON list",
        ),
    ]
}

/// The two lists that an export must have, with this list of users.
fn lists(users: Entry) -> Vec<u8> {
    ForgedZip::default().with(&Entry::deflated("channels.json", b"[]")).with(&users).finish()
}

/// 16 MB that claim to be ten bytes.
fn hidden_bomb(name: &str) -> Entry {
    let mut entry = bomb(name, Compression::best());
    entry.bytes = 10;
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_archives_are_refused_with_the_reason_and_leave_nothing_behind() {
    let target = Target::make().await;
    let before = target.events().await;
    let mut memory_peak = 0;
    for (what, archive, expected) in archives() {
        let Ended { output, memory_peak: memory } = target.import(&archive).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(REFUSED), "{what}: {said}");
        assert!(said.contains(expected), "{what}: {said}");
        assert!(memory < MEMORY_MAX, "{what} took {memory} bytes");
        memory_peak = memory_peak.max(memory);
    }
    println!("at most {} MB", memory_peak / MEGABYTE);
    assert_eq!(target.events().await, before, "nothing was imported");
    let good = target.import_file(&checkout().join("tests/fixtures/sample-export.zip")).await;
    assert!(good.output.status.success(), "{}", String::from_utf8_lossy(&good.output.stderr));
    assert!(target.events().await > before + 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_files_are_read_in_bounded_memory_and_more_are_refused() {
    let target = Target::make().await;
    let before = target.events().await;
    for (files, expected) in [(1_000_000, "not a Slack export"), (1_000_001, "the archive has 1000001 entries; at most 1000000 are read")] {
        let mut zip = ForgedZip::default();
        (0..files).for_each(|n| zip.add(&Entry { method: STORED, ..Entry::empty(&format!("c/{n}.json")) }));
        let Ended { output, memory_peak } = target.import(&zip.finish()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(REFUSED) && said.contains(expected), "{files}: {said}");
        println!("{files} files: {} MB", memory_peak / MEGABYTE);
        assert!(memory_peak < MEMORY_OF_A_MILLION_MAX, "{files} files took {memory_peak} bytes");
    }
    assert_eq!(target.events().await, before);
}

/// A day that is no list is skipped and named: the days after it are imported, and the corrected export adds the day.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_no_list_is_skipped_and_named_until_it_is_corrected() {
    let target = Target::make().await;
    let message = |day: u32| {
        format!(r#"[{{"type": "message", "user": "U1", "ts": "{}.000100", "text": "day {day}"}}]"#, 1_735_689_600 + day * 86_400)
    };
    let days = |third: &[u8]| {
        let days = [message(0).into_bytes(), message(1).into_bytes(), third.to_vec(), message(3).into_bytes()];
        let entry = |(n, day): (usize, &Vec<u8>)| Entry::deflated(&format!("orchard/2025-01-0{}.json", n + 1), day);
        export(&days.iter().enumerate().map(entry).collect::<Vec<_>>())
    };
    let count = "SELECT count(*), count(DISTINCT aggregate_id) FROM events WHERE event_type = 'message.posted' AND metadata->>'command' = 'import slack'";
    let posted = || async { sqlx::query_as::<_, (i64, i64)>(count).fetch_one(&target.app.app().pool).await.expect("a count") };
    let spaces = vec![b' '; 200_000];
    for broken in [b"[{\"type\":".as_slice(), b"", b"{}", b"null", b"\xff\xff", spaces.as_slice()] {
        let Ended { output, memory_peak } = target.import(&days(broken)).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("a day that is no list of messages") && said.contains("orchard/2025-01-03.json"), "{said}");
        assert!(memory_peak < MEMORY_MAX, "{memory_peak} bytes");
        assert_eq!(posted().await, (3, 3));
    }
    let Ended { output, .. } = target.import(&days(message(2).as_bytes())).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(posted().await, (4, 4));
}

/// Elements with wrong types are counted and left out, and the rest is imported.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_and_broken_characters_affect_only_their_own_elements() {
    let target = Target::make().await;
    let day = br#"[null, 1, "x", [], {"type": 7}, {"type": "message", "user": ["U1"], "ts": "never", "text": {}},
        {"type": "message", "user": "U1", "ts": "1735689600.000100", "text": "kept \ud83d \u0000 "},
        {"type": "message", "user": "U1", "ts": 1735689601.0002, "text": "kept too", "reactions": "none", "edited": 3, "attachments": {}}]"#;
    let mut broken = Entry::deflated("orchard/2025-01-01.json", day);
    let mut name = Entry::empty("x");
    name.name = b"orchard/\xff\xfe.json".to_vec();
    broken.flags = 0;
    let Ended { output, .. } = target.import(&export(&[broken, name])).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    let texts = target.app.texts().await;
    assert!(texts.iter().any(|text| text.starts_with("kept \u{fffd}")), "{texts:?}");
    assert!(said.contains("skipped"), "{said}");
}
