//! An Elasticsearch as operators run it: with TLS, a user with exactly the rights that `docs/SEARCH_OPERATIONS.md`
//! names, and API keys. It runs on this machine, and ends with the test that started it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use elasticsearch::Elasticsearch;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::HeaderMap;
use elasticsearch::http::request::JsonBody;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::http::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::servers::{checkout, free_port};
use crate::tls::Certificates;

/// The name of the user.
pub const USER: &str = "backscroll";
/// The password of the user.
pub const PASSWORD: &str = "secret-enough";
/// The hash of the password for the file of users: bcrypt at its lowest cost.
const PASSWORD_HASH: &str = "$2a$05$feIPJOBQkw3AEubkPF.a5.ZLwItneGZQRh2VVjXPgPpBtiMy/6XRy";
/// The longest time that the start may take, while other tests run too.
const START_MAX: Duration = Duration::from_secs(120);
/// The time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The rights of the user: these and no others.
const ROLES: &str = "backscroll_writer:
  cluster: [ monitor, manage_index_templates, manage_own_api_key ]
  indices:
    - names: [ 'test_*' ]
      privileges: [ all ]
";

/// A running Elasticsearch that answers requests.
pub struct SecuredElasticsearch {
    /// The address: `https://localhost:…`.
    pub url: String,
    process: Child,
    folder: TempDir,
    admin: Elasticsearch,
}

impl SecuredElasticsearch {
    /// Starts an Elasticsearch.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let certificates = Certificates::sign().expect("certificates");
        let strangers = Certificates::sign().expect("certificates");
        let at = |name: &str| folder.path().join(name);
        let settings = format!(
            "discovery.type: single-node\nhttp.host: 127.0.0.1\nhttp.port: {port}\ntransport.host: 127.0.0.1\ntransport.port: 0\n\
             path.data: '{}'\npath.logs: '{}'\nnode.store.allow_mmap: false\ncluster.routing.allocation.disk.threshold_enabled: false\n\
             xpack.security.enabled: true\nxpack.security.http.ssl.enabled: true\nxpack.security.http.ssl.key: node.key\n\
             xpack.security.http.ssl.certificate: node.pem\nxpack.security.authc.realms.file.file1.order: 0\n",
            at("data").display(),
            at("logs").display()
        );
        for (name, text) in [
            ("elasticsearch.yml", settings.as_str()),
            ("users", &format!("{USER}:{PASSWORD_HASH}\n")),
            ("users_roles", &format!("backscroll_writer:{USER}\n")),
            ("roles.yml", ROLES),
            ("node.key", &certificates.key),
            ("node.pem", &certificates.certificate),
            ("ca.pem", &certificates.authority),
            ("another-ca.pem", &strangers.authority),
        ] {
            fs::write(at(name), text).expect("a file");
        }
        let mut command = Command::new(checkout().join("scripts/services.sh"));
        command.arg("elasticsearch").arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("scripts/services.sh");
        let url = format!("https://localhost:{port}");
        let admin = client(&url, certificates.authority.as_bytes());
        let this = Self { url, process, folder, admin };
        let gives_up_at = Instant::now() + START_MAX;
        while this.ask(Method::Get, "/_cluster/health", None).await.is_none_or(|health| health["status"] == "red") {
            assert!(Instant::now() < gives_up_at, "Elasticsearch still does not answer after {START_MAX:?}");
            sleep(LOOK_EVERY).await;
        }
        this
    }

    /// Creates an API key of the user, and returns it encoded.
    ///
    /// # Panics
    /// Panics if Elasticsearch refuses.
    pub async fn api_key(&self) -> String {
        let made = self.ask(Method::Post, "/_security/api_key", Some(json!({"name": "a test"}))).await.expect("an API key");
        made["encoded"].as_str().expect("an API key").to_owned()
    }

    /// The answer, if the request succeeds.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
        let sent = self.admin.send(method, path, HeaderMap::new(), None::<&()>, body.map(JsonBody::new), None).await.ok()?;
        if sent.status_code().is_success() { sent.json().await.ok() } else { None }
    }

    /// The file with the authority that signed the server's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The file with an authority that did not sign the server's certificate.
    #[must_use]
    pub fn another_authority(&self) -> PathBuf {
        self.folder.path().join("another-ca.pem")
    }
}

/// A client of the user, without our own client.
fn client(url: &str, authority: &[u8]) -> Elasticsearch {
    let pool = SingleNodeConnectionPool::new(Url::parse(url).expect("an address"));
    let authority = Certificate::from_pem(authority).expect("a certificate");
    let transport = TransportBuilder::new(pool).disable_proxy().auth(Credentials::Basic(USER.to_owned(), PASSWORD.to_owned()));
    Elasticsearch::new(transport.cert_validation(CertificateValidation::Full(authority)).build().expect("a client"))
}

impl Drop for SecuredElasticsearch {
    fn drop(&mut self) {
        // The process gets a signal to end, so that its child processes end too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
