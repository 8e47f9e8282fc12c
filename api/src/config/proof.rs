//! The settings of the proof: the name of the log, its key, and the destinations of its heads.

use std::path::PathBuf;
use std::time::Duration;

use ledger::proof::{Destinations, KeySource, SealingKeys, Webhook};
use stores::objects::{ObjectUrl, Objects};

use super::parse::Values;
use super::setting::{Setting, optional};
use super::{MasterKey, Secret};

/// Every setting of the proof.
pub(super) const SETTINGS: [Setting; 8] = [
    optional(
        "proof_origin",
        "",
        "the name of the log in its signed heads, without spaces and `+`; fixed once the first head is signed. If empty: `public_url` \
         without `https://`, then `/v1/proof`. The first head waits until one of the two is set",
    ),
    optional(
        "proof_key_file",
        "",
        "a file with the key that signs the heads of the log: `PRIVATE+KEY+<name>+<id>+<base64>`, as Go's `note` writes it. If empty, \
         the server makes a key and keeps it in the database, sealed with the master key",
    ),
    optional(
        "proof_public",
        "true",
        "whether everybody may read signed heads, tiles and proofs, which have only hashes: `true`, or `false` for operators only",
    ),
    optional("proof_file", "", "a file to append signed heads to, in a place where the database's administrator cannot write"),
    optional("proof_webhook_url", "", "an address to post signed heads to, as text: `https://…`").secret(),
    optional("proof_webhook_token", "", "the token that the server sends to `proof_webhook_url` as `Authorization: Bearer`").secret(),
    optional("proof_object_store_url", "", "a folder of the object store for signed heads, one object for each: `s3://bucket/folder`"),
    optional(
        "proof_send_seconds",
        "60",
        "seconds between two signed heads for the file, the webhook and the object store: 1 to 86400; only new heads are sent",
    ),
];

/// The name of the log, its key, and the destinations of its heads.
#[derive(Clone, Debug)]
pub struct ProofSettings {
    /// Whether everybody may read signed heads, tiles and proofs.
    pub is_public: bool,
    origin: String,
    key_file: Option<PathBuf>,
    file: Option<PathBuf>,
    webhook_url: Secret,
    webhook_token: Secret,
    objects: Option<ObjectUrl>,
    interval: Duration,
}

impl ProofSettings {
    pub(super) fn read(values: &mut Values) -> Self {
        let path = |text: String| Some(text).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self {
            is_public: values.flag("proof_public"),
            origin: values.proof_origin("proof_origin"),
            key_file: path(values.text("proof_key_file")),
            file: path(values.text("proof_file")),
            webhook_url: values.web_address("proof_webhook_url"),
            webhook_token: values.text("proof_webhook_token").into(),
            objects: values.object_url("proof_object_store_url"),
            interval: Duration::from_secs(values.number("proof_send_seconds", 1..=86_400)),
        }
    }

    /// The place of the signing key, and the name of the log. `master` has the master key, and the previous one.
    #[must_use]
    pub fn key_source(&self, master: (&MasterKey, Option<&MasterKey>), public_url: Option<&str>) -> KeySource {
        let sealing = SealingKeys::new(master.0, master.1);
        KeySource { sealing, file: self.key_file.clone(), origin: self.origin(public_url) }
    }

    /// Names the log, if its settings name none.
    pub fn name_unless_named(&mut self, name: &str, public_url: Option<&str>) {
        self.origin = self.origin(public_url).unwrap_or_else(|| name.to_owned());
    }

    /// The folder of the object store for heads.
    #[must_use]
    pub fn object_url(&self) -> Option<&ObjectUrl> {
        self.objects.as_ref()
    }

    /// The destinations of heads. `objects` is the opened folder of the object store.
    #[must_use]
    pub fn destinations(&self, objects: Option<Objects>) -> Destinations {
        let (url, token) = (self.webhook_url.expose().to_owned(), self.webhook_token.expose().to_owned());
        let webhook = Webhook { url, token: Some(token).filter(|token| !token.is_empty()) };
        let webhook = Some(webhook).filter(|webhook| !webhook.url.is_empty());
        Destinations { file: self.file.clone(), webhook, objects, interval: self.interval }
    }

    fn origin(&self, public_url: Option<&str>) -> Option<String> {
        let of_url = public_url.and_then(|url| url.split_once("://")).map(|(_, rest)| format!("{rest}/v1/proof"));
        if self.origin.is_empty() { of_url } else { Some(self.origin.clone()) }
    }
}
