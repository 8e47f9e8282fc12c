//! nginx of Debian, with `deploy/nginx/backscroll.conf`.

use std::fs;

use reqwest::{Certificate, Client};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::process::{Process, log_of, tool};
use super::{deployed, folder_in, open_folder, replaced, until_it_answers, write_private};
use crate::servers::free_port;
use crate::tls::Certificates;

/// What Debian's nginx.conf has around the file, and folders of its own.
const AROUND: &str = "daemon off;
pid nginx.pid;
error_log stderr;
worker_processes 2;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include backscroll.conf;
}
";

/// A running nginx.
pub struct Nginx {
    /// The address for clients: `https://localhost:…`.
    pub url: String,
    /// The address without TLS.
    pub plain_url: String,
    process: Option<Process>,
    authority: String,
    folder: TempDir,
}

impl Nginx {
    /// Starts nginx before these two nodes: `host:port` of each.
    ///
    /// # Panics
    /// Panics if nginx does not start.
    pub async fn start(nodes: [&str; 2]) -> Self {
        Self::start_with(nodes, &[]).await
    }

    /// The same with changes to `deploy/nginx/backscroll.conf`.
    ///
    /// # Panics
    /// Panics if nginx does not start.
    pub async fn start_with(nodes: [&str; 2], changes: &[(&str, &str)]) -> Self {
        let (port, plain_port, certificates) = (free_port(), free_port(), Certificates::sign().expect("certificates"));
        let this = Self {
            url: format!("https://localhost:{port}"),
            plain_url: format!("http://localhost:{plain_port}"),
            process: None,
            authority: certificates.authority.clone(),
            folder: open_folder(),
        };
        let folder = folder_in(this.folder.path(), "nginx");
        let [first, second] = nodes;
        let (listen, listen_plain) = (format!("listen 127.0.0.1:{port} ssl http2;"), format!("listen 127.0.0.1:{plain_port};"));
        let places = [
            ("127.0.0.1:8080", first),
            ("127.0.0.1:8090", second),
            ("listen 443 ssl http2;", &listen),
            ("listen 80;", &listen_plain),
            ("server_name chat.example.org;", "server_name localhost acme.example.org;"),
            ("/etc/nginx/tls/", ""),
            ("/var/log/nginx/", ""),
        ];
        fs::write(folder.join("backscroll.conf"), replaced(&deployed("nginx/backscroll.conf"), &[&places, changes].concat()))
            .expect("a file");
        fs::write(folder.join("nginx.conf"), AROUND).expect("a file");
        fs::write(folder.join("fullchain.pem"), &certificates.certificate).expect("a file");
        write_private(&folder.join("privkey.pem"), &certificates.key);
        this.launched(port).await
    }

    async fn launched(mut self, port: u16) -> Self {
        let folder = self.folder.path().join("nginx");
        let prefix = folder.display().to_string();
        self.process = Some(Process::start(&folder, "nginx", "TERM", &["-p", &prefix, "-c", "nginx.conf", "-e", "stderr"]));
        until_it_answers("nginx", &log_of(&folder), async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
        self
    }

    /// What `nginx -t` says of the configuration.
    #[must_use]
    pub fn check(&self) -> (bool, String) {
        let folder = self.folder.path().join("nginx");
        let prefix = folder.display().to_string();
        let checked = tool(&folder, "nginx", &["-t", "-p", &prefix, "-c", "nginx.conf", "-e", "stderr"], &[]);
        (checked.status.success(), String::from_utf8_lossy(&checked.stderr).into_owned())
    }

    /// A client that trusts nginx' certificate, and follows no redirect.
    ///
    /// # Panics
    /// Panics if the authority is invalid.
    #[must_use]
    pub fn client(&self) -> Client {
        let authority = Certificate::from_pem(self.authority.as_bytes()).expect("a certificate");
        let client = Client::builder().use_rustls_tls().add_root_certificate(authority);
        client.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
    }

    /// What nginx has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder.path().join("nginx"))).unwrap_or_default()
    }
}
