//! Sends heads to systems that the database's administrator does not control: a file, a webhook, an object store.
//!
//! The newest head is sent at a set interval: it covers all earlier ones. The size of the last delivered head is stored
//! for each destination, after the destination has accepted it. So a head may be sent twice, and none is lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use sqlx::{PgPool, query, query_scalar};
use stores::objects::Objects;
use stores::retry::{self, Pauses};
use tokio::fs::OpenOptions;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use super::note::SEPARATOR;
use super::store;
use super::tree::leaf_hash;

/// How long a webhook may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The destinations of heads.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    /// A file to which heads are appended.
    pub file: Option<PathBuf>,
    /// An address to which heads are posted.
    pub webhook: Option<Webhook>,
    /// A folder of an object store. Each head is an object of its own.
    pub objects: Option<Objects>,
    /// The time between two heads.
    pub interval: Duration,
}

/// The address of a webhook, and its token.
#[derive(Clone)]
pub struct Webhook {
    /// The URL. It may contain a password.
    pub url: String,
    /// The token for `Authorization: Bearer`.
    pub token: Option<String>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a head was not delivered.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error("the file cannot be written")]
    File(#[from] std::io::Error),
    #[error("the webhook did not accept it")]
    Webhook(#[from] reqwest::Error),
    #[error("the webhook answered {0}; it must accept heads at the configured address, and answer 2xx")]
    Status(StatusCode),
    #[error("the object store did not accept it")]
    Objects(#[from] object_store::Error),
}

/// One destination.
#[derive(Clone, Debug)]
enum Destination {
    File(PathBuf),
    Webhook(Webhook),
    Objects(Objects),
}

impl Destination {
    /// The name under which its state is stored. It contains no secret.
    fn name(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Webhook(hook) => format!("webhook {}", without_secrets(&hook.url)),
            Self::Objects(objects) => format!("objects {}", objects.url),
        }
    }

    /// Its kind, for a metric: the settings have at most one of each.
    fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Webhook(_) => "webhook",
            Self::Objects(_) => "objects",
        }
    }

    async fn deliver(&self, client: &reqwest::Client, size: i64, note: &str) -> Result<(), SendError> {
        match self {
            Self::File(path) => Ok(append(path, note).await?),
            Self::Webhook(hook) => {
                let request = client.post(&hook.url).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(note.to_owned());
                let request = hook.token.iter().fold(request, reqwest::RequestBuilder::bearer_auth);
                let status = request.send().await?.status();
                if status.is_success() { Ok(()) } else { Err(SendError::Status(status)) }
            }
            Self::Objects(objects) => {
                let object = objects.folder.clone().join(object_name(size, note));
                objects.bucket.put(&object, note.to_owned().into()).await?;
                Ok(())
            }
        }
    }
}

impl Destinations {
    fn each(&self) -> impl Iterator<Item = Destination> {
        let file = self.file.clone().map(Destination::File);
        let webhook = self.webhook.clone().map(Destination::Webhook);
        let objects = self.objects.clone().map(Destination::Objects);
        file.into_iter().chain(webhook).chain(objects)
    }
}

/// What a destination has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// `file`, `webhook` or `objects`.
    pub destination: &'static str,
    /// The size of the last head that it accepted. 0 if it accepted none.
    pub size: i64,
    /// When it accepted that head.
    pub at: Option<DateTime<Utc>>,
}

/// Returns what each destination has received.
///
/// # Errors
/// The database cannot be used.
pub async fn delivered(pool: &PgPool, destinations: &Destinations) -> sqlx::Result<Vec<Delivered>> {
    let mut all = Vec::new();
    for destination in destinations.each() {
        let row = query!("SELECT size, sent_at FROM proof.deliveries WHERE destination = $1", destination.name());
        let row = row.fetch_optional(pool).await?;
        all.push(Delivered {
            destination: destination.kind(),
            size: row.as_ref().map_or(0, |row| row.size),
            at: row.map(|row| row.sent_at),
        });
    }
    Ok(all)
}

/// Sends to every destination, until the returned value is dropped.
pub(super) fn start(pool: &PgPool, destinations: &Destinations) -> JoinSet<()> {
    let mut senders = JoinSet::new();
    for destination in destinations.each() {
        senders.spawn(keep_sending(pool.clone(), destination, destinations.interval));
    }
    senders
}

async fn keep_sending(pool: PgPool, destination: Destination, interval: Duration) {
    let (name, mut pauses) = (destination.name(), Pauses::of(retry::HEADS));
    let client = loop {
        match client() {
            Ok(client) => break client,
            Err(error) => warn!(destination = name, %error, "a client for webhooks cannot be made; it will be tried again"),
        }
        sleep(pauses.failed()).await;
    };
    loop {
        match send_newest(&pool, &destination, &name, &client).await {
            Ok(sent) => {
                let had_failed = pauses.worked();
                if let Some(size) = sent.filter(|_| had_failed) {
                    info!(destination = name, size, "heads are accepted again");
                }
                sleep(interval).await;
            }
            Err(error) => {
                let delay = pauses.failed();
                warn!(destination = name, error = %stores::error::chain(&error), delay_ms = delay.as_millis(), "a head was not accepted; it will be sent again");
                sleep(delay).await;
            }
        }
    }
}

/// The HTTP client of webhooks. It follows no redirect: the operator has set the address, and neither a head nor the
/// token may go to another address, which could be inside the operator's network.
fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(ANSWER_MAX).redirect(Policy::none()).build()
}

/// Sends the newest head if it was not delivered yet. Returns its size.
async fn send_newest(pool: &PgPool, destination: &Destination, name: &str, client: &reqwest::Client) -> Result<Option<i64>, SendError> {
    let known = query_scalar!("SELECT size FROM proof.deliveries WHERE destination = $1", name).fetch_optional(pool).await?;
    let Some(head) = store::newest(pool).await?.filter(|head| known.is_none_or(|known| head.size > known)) else { return Ok(None) };
    destination.deliver(client, head.size, &head.note).await?;
    query!(
        "INSERT INTO proof.deliveries (destination, size) VALUES ($1, $2)
         ON CONFLICT (destination) DO UPDATE SET size = excluded.size, sent_at = now()",
        name,
        head.size
    )
    .execute(pool)
    .await?;
    Ok(Some(head.size))
}

/// Appends a note to a file, and waits until it is on the disk. Separates it from an incomplete note before it.
async fn append(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).await?;
    let length = file.metadata().await?.len();
    let mut end = vec![0; usize::try_from(length.min(2)).unwrap_or_default()];
    file.seek(std::io::SeekFrom::Start(length - end.len() as u64)).await?;
    file.read_exact(&mut end).await?;
    let is_whole = end.is_empty() || end == b"\n\n";
    let text = if is_whole { format!("{note}{SEPARATOR}") } else { format!("{}{note}{SEPARATOR}", SEPARATOR.repeat(3)) };
    file.write_all(text.as_bytes()).await?;
    file.sync_all().await
}

/// A name that sorts by size, and that differs for each note of the same size: an object is never replaced by another
/// note.
fn object_name(size: i64, note: &str) -> String {
    let digest = hex::encode(leaf_hash(note.as_bytes()).0);
    format!("{size:020}-{}.txt", &digest[..16])
}

/// The host of an address, and a hash that distinguishes it from others there. The path is not shown, because it may be
/// a secret.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let [a, b, c, d, ..] = leaf_hash(url.as_bytes()).0;
    format!("{scheme}://{host} ({:08x})", u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_name_of_a_webhook_has_no_secrets() {
        let name = without_secrets("https://ann:pw@example.org:1/a/b?key=1#x");
        assert!(name.starts_with("https://example.org:1 ("), "{name}");
        assert_ne!(name, without_secrets("https://ann:pw@example.org:1/a/c"));
    }

    #[test]
    fn objects_sort_by_size_and_different_notes_have_different_names() {
        let names = [object_name(9, "a"), object_name(10, "a"), object_name(10, "b"), object_name(i64::MAX, "a")];
        assert!(names[0] < names[1] && names[1] != names[2] && names[2] < names[3], "{names:?}");
        assert_eq!(names[1], object_name(10, "a"));
    }
}
