//! A Redis or a NATS of one test, beside those of all tests: it may be stopped, and may have TLS or a fault.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::servers::{checkout, free_port};

/// A server that ends with this value.
pub struct SpareServer {
    /// The port at `127.0.0.1`.
    pub port: u16,
    kind: &'static str,
    arguments: Vec<String>,
    process: Option<Child>,
    _folder: TempDir,
}

impl SpareServer {
    /// Starts a Redis without files. `arguments` may contain `{port}` and `{folder}`; without `{port}`, the port is set.
    #[must_use]
    pub fn redis(arguments: &[&str]) -> Self {
        let own = ["--bind", "127.0.0.1", "--save", "", "--dir", "{folder}"];
        let port: &[&str] = if arguments.iter().any(|argument| argument.contains("{port}")) { &[] } else { &["--port", "{port}"] };
        Self::start("redis-server", &[&own, port, arguments].concat(), "")
    }

    /// Starts a NATS with this configuration, which may contain `{folder}`.
    #[must_use]
    pub fn nats(configuration: &str) -> Self {
        Self::start("nats-server", &["--addr", "127.0.0.1", "--port", "{port}", "--config", "{folder}/nats.conf"], configuration)
    }

    fn start(kind: &'static str, arguments: &[&str], configuration: &str) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let path = folder.path().to_str().expect("a path").to_owned();
        let fill = |text: &str| text.replace("{port}", &port.to_string()).replace("{folder}", &path);
        std::fs::write(folder.path().join("nats.conf"), fill(configuration)).expect("a file");
        let arguments = arguments.iter().map(|argument| fill(argument)).collect();
        let mut server = Self { port, kind, arguments, process: None, _folder: folder };
        server.start_again();
        server
    }

    /// Starts the server again after [`SpareServer::stop`].
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub fn start_again(&mut self) {
        let mut command = Command::new(checkout().join("scripts/services.sh"));
        command.arg(self.kind).args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("scripts/services.sh"));
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for SpareServer {
    fn drop(&mut self) {
        self.stop();
    }
}
