//! A running server: HTTP, the relay, the projectors, or all of them.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_server::ServerHandle;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::web::{self, Data};
use live::Close;
use state::exports::ExportStore;
use stores::feed::Sources;
use stores::release::holder;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_actix_web::AppExt;

use super::acceptor::Acceptor;
use super::closing::Closing;
use super::connect::cores;

use super::peers::Peers;
use super::versions::Versions;
use super::{App, Roles, StartError, deadline, http2, listener, malformed, operators, request_log, watch};
use crate::config::RequestLog;
use crate::health::{Health, Leaving};
use crate::http::audit::Readings;
use crate::http::health::{CachedReadiness, release_connections};
use crate::http::unknown::{Methods, answer_unknown, refuse_path};
use crate::openapi::{self, Document};
use crate::{extract, http, limit, telemetry};

/// The time between two removals of ended sessions.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The longest time that a client may take to close a connection that the server has closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer than asked the server waits for live connections to come back elsewhere.
const DRAINED_AFTER: Duration = Duration::from_secs(1);
/// The time between two looks at the live connections that are left.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

/// The handle of a served socket, and its task.
type Serving = (ServerHandle, JoinHandle<std::io::Result<()>>);

/// A running server.
pub struct Server {
    app: App,
    address: Option<SocketAddr>,
    http: Option<Serving>,
    operators_address: Option<SocketAddr>,
    operators: Option<Serving>,
    /// The socket for clients, to close it without loss.
    closing: Option<Closing>,
    health: Health,
    background: TaskTracker,
    shutdown: CancellationToken,
}

impl Server {
    /// Starts the server.
    ///
    /// # Errors
    /// The server cannot listen at an address.
    pub fn start(app: App, roles: Roles) -> Result<Self, StartError> {
        let health = app.health(roles, Leaving::default());
        let mut server = Self {
            app,
            address: None,
            http: None,
            operators_address: None,
            operators: None,
            closing: None,
            health,
            background: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        server.start_operators()?;
        server.background.spawn(watch::run(server.app.clone(), server.health.leaving.clone(), server.shutdown.clone()));
        if roles.relay {
            server.start_relay();
        }
        if roles.projectors {
            server.start_projectors();
        }
        if roles.http {
            server.start_http()?;
        }
        Ok(server)
    }

    /// The address of HTTP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The operators' address.
    #[must_use]
    pub fn operators_address(&self) -> Option<SocketAddr> {
        self.operators_address
    }

    /// The URL for clients.
    #[must_use]
    pub fn public_url(&self) -> String {
        let own = || format!("http://{}", self.address.unwrap_or(self.app.settings.listen));
        self.app.settings.public_url.clone().unwrap_or_else(own)
    }

    /// The parts of the server.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Announces that the server is about to stop, and waits for `shutdown_delay`, or until `hurry` completes. Both
    /// `/readyz` answer 503 at once, and every answer ends its connection, so that a load balancer turns to other
    /// servers. Requests are still answered. At the end the socket takes no new connections.
    ///
    /// Live connections are asked to come back elsewhere, spread over `live_drain_seconds`. If that is longer, this waits
    /// until they have gone.
    pub async fn leave(&mut self, hurry: impl Future<Output = ()>) {
        let (delay, drain) = (self.app.settings.shutdown_delay, self.app.settings.live_drain);
        self.health.leaving.begin();
        if self.http.is_none() {
            return;
        }
        self.app.hub.drain(drain);
        let began = tokio::time::Instant::now();
        let left = async {
            tokio::time::sleep(delay).await;
            while self.app.hub.connections() > 0 && began.elapsed() < drain + DRAINED_AFTER {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        let () = tokio::select! { () = left => {}, () = hurry => {} };
        self.app.hub.close_all(Close::ServerDrains);
        if delay.is_zero() {
            return;
        }
        if let Some(closing) = self.closing.take() {
            closing.close().await;
        }
    }

    /// Stops the server: it takes no new requests, completes the running ones, and then ends the background work.
    pub async fn stop(mut self) {
        self.health.leaving.begin();
        self.app.hub.drain(Duration::ZERO);
        self.app.hub.close_all(Close::ServerDrains);
        drop(self.closing.take());
        if let Some((handle, task)) = self.http.take() {
            handle.stop(true).await;
            let _ = task.await;
        }
        // The operators' address stops after HTTP, so that operators can watch the shutdown.
        if let Some((handle, task)) = self.operators.take() {
            handle.stop(false).await;
            let _ = task.await;
        }
        self.shutdown.cancel();
        self.background.close();
        let limit = self.app.settings.shutdown_timeout.max(Duration::from_secs(1));
        let ended = async { tokio::join!(self.background.wait(), self.app.replays.stop()) };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!("background work did not end in time and is aborted");
        }
        drop(tokio::time::timeout(limit, self.app.commands.store().leave()).await);
    }

    fn start_relay(&self) {
        let app = &self.app;
        let settings = commands::relay::Settings {
            pool: app.write_pool.clone(),
            nats: app.nats.clone(),
            link: app.nats_link.clone(),
            stream: app.settings.nats_stream.clone(),
            partitions: app.settings.partitions,
            head: app.commands.store().head(),
            stats: app.relay.clone(),
        };
        self.background.spawn(commands::relay::run(settings, self.shutdown.clone()));
    }

    fn start_projectors(&self) {
        let app = &self.app;
        let settings = projections::Settings {
            stores: app.work_stores.clone(),
            nats: Some(app.nats.clone()),
            stream: app.settings.nats_stream.clone(),
            wake: Some(app.commands.store().head()),
            holder: holder(),
        };
        self.background.spawn(projections::run(settings, self.shutdown.clone()));
        self.background.spawn(app.replays.clone().run_upkeep(self.shutdown.clone()));
        if let Some(at) = app.settings.retention_at {
            self.background.spawn(processes::daily::run(app.retention.clone(), at, self.shutdown.clone()));
        }
        let (pool, stores, head) = (app.work_pool.clone(), app.work_stores.clone(), app.commands.store().head());
        self.background.spawn(processes::client_ids::run(app.commands.clone(), pool.clone(), stores.clone(), self.shutdown.clone()));
        self.background.spawn(processes::purge::run(pool, stores, head, self.shutdown.clone()));
        let exports = ExportStore::new(app.work_pool.clone());
        self.background.spawn(processes::export_jobs::run(exports, app.export_sources(), self.shutdown.clone()));
        let settings = ledger::proof::Settings {
            pool: app.work_pool.clone(),
            wake: Some(app.commands.store().head()),
            keys: app.settings.proof_keys(),
            destinations: app.heads.clone(),
            stats: app.proof.clone(),
        };
        self.background.spawn(ledger::proof::run(settings, self.shutdown.clone()));
        self.background.spawn(processes::proof_key::run(app.commands.clone(), app.proofs.clone(), self.shutdown.clone()));
    }

    fn start_http(&mut self) -> Result<(), StartError> {
        let (store, settings) = (self.app.commands.store(), &self.app.settings);
        let announce = commands::relay::announce(self.app.nats.clone(), settings.nats_stream.clone(), store.head(), self.shutdown.clone());
        self.background.spawn(announce);
        let notices = self.app.bus.start(
            self.app.nats.clone(),
            migrations::nats::notices_subject(&settings.nats_stream),
            self.app.changes.log_id(),
            self.shutdown.clone(),
        );
        self.background.spawn(self.app.signals.clone().run(notices, self.shutdown.clone()));
        self.background.spawn(sweep_sessions(self.app.clone(), self.shutdown.clone()));
        self.background.spawn(self.app.erasures().run(self.shutdown.clone()));

        self.background.spawn(self.app.hub.clone().run(self.live_sources(), self.shutdown.clone()));

        let mut closing = None;
        let (address, serving) = listen("listen", settings.listen, |listener| {
            closing = Some(Closing::of(&listener)?);
            serve(&self.app, &self.health, listener)
        })?;
        self.closing = closing;
        (self.address, self.http) = (Some(address), Some(serving));
        Ok(())
    }

    /// The sources of live connections. They do not wait for the projectors, so they read the log by themselves.
    fn live_sources(&self) -> Sources {
        let app = &self.app;
        Sources {
            pool: app.work_pool.clone(),
            keys: app.keys.clone(),
            nats: Some((app.nats.clone(), app.settings.nats_stream.clone())),
            wake: Some(app.commands.store().head()),
        }
    }

    fn start_operators(&mut self) -> Result<(), StartError> {
        let Some(wanted) = self.app.settings.operators_listen else { return Ok(()) };
        let (address, serving) = listen("operators_listen", wanted, |listener| operators::serve(&self.app, &self.health, listener))?;
        (self.operators_address, self.operators) = (Some(address), Some(serving));
        Ok(())
    }
}

/// A dropped server stops too, as soon as it can.
impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        for (handle, _) in self.http.iter().chain(&self.operators) {
            // The stop command is sent at once. Only its completion would need the future.
            drop(handle.stop(false));
        }
    }
}

/// Listens at the address of `setting`, and serves there.
fn listen(
    setting: &'static str,
    address: SocketAddr,
    serve: impl FnOnce(TcpListener) -> std::io::Result<actix_server::Server>,
) -> Result<(SocketAddr, Serving), StartError> {
    let serve = || {
        let listener = listener::open(address)?;
        let address = listener.local_addr()?;
        let server = serve(listener)?;
        Ok((address, (server.handle(), tokio::spawn(server))))
    };
    serve().map_err(|source| StartError::Listen { setting, address, source })
}

fn serve(app: &App, health: &Health, listener: TcpListener) -> std::io::Result<actix_server::Server> {
    let settings = app.settings.clone();
    let workers = if settings.http_workers == 0 { cores() } else { settings.http_workers };
    let document = Data::new(openapi::document());
    let methods = Data::new(Methods::of(&document.json));
    let (parts, readings) = (app.parts(health), Data::new(Readings::default()));
    let readiness = Data::new(CachedReadiness::default());
    let (body_bytes_max, origins) = (settings.body_bytes_max, settings.allowed_origins.clone());
    let is_logged = settings.request_log != RequestLog::Off;
    let factory = move || {
        let (generated, _) = actix_web::App::new().into_utoipa_app().configure(http::routes).split_for_parts();
        generated
            .configure(&parts)
            .app_data(readings.clone())
            .app_data(readiness.clone())
            .app_data(methods.clone())
            .app_data(web::PathConfig::default().error_handler(refuse_path))
            .app_data(Data::<Document>::clone(&document))
            .configure(|config| extract::configure(config, body_bytes_max))
            .configure(http::docs::configure)
            .default_service(web::to(answer_unknown))
            .wrap(from_fn(limit::show_limits))
            .wrap(from_fn(deadline::answer_in_time))
            .wrap(Condition::new(!origins.is_empty(), http::cors::allow(&origins)))
            .wrap(from_fn(http::cors::name_refusals))
            .wrap(from_fn(http::protection::protect))
            .wrap(Compress::default())
            .wrap(from_fn(http::head::answer_head))
            .wrap(from_fn(telemetry::observe))
            .wrap(from_fn(release_connections))
            .wrap(Condition::new(is_logged, from_fn(request_log::log)))
    };
    let address = listener.local_addr()?;
    let connections_max = listener::connections_max(settings.connections_max);
    let peers = Peers::new(settings.connections_per_address_max, connections_max, settings.trusted_proxies.clone());
    let (metrics, head_timeout) = (app.metrics.clone(), settings.request_head_timeout);
    let rules = http2::Rules {
        head_timeout,
        idle_timeout: settings.idle_timeout,
        unread_max: settings.unanswered_max(),
        close_timeout: CLOSE_TIMEOUT,
        peers: peers.clone(),
        metrics: metrics.clone(),
        leaving: health.leaving.clone(),
    };
    let acceptor = Acceptor { peers, metrics: metrics.clone(), head_timeout, unanswered_max: settings.unanswered_max() };
    let builder = actix_server::Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_max.div_ceil(workers))
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .disable_signals();
    let versions = Versions { acceptor, rules, stopping: builder.graceful_shutdown_signal(), address };
    let server = builder.listen("http", listener, move || {
        let app = factory().into_factory().map_err(|error: actix_web::Error| error.error_response());
        let metrics = metrics.clone();
        let note = move |error| malformed::note(&metrics, error);
        versions.clone().serve(map_config(app, |()| AppConfig::default())).map_err(note)
    })?;
    Ok(server.run())
}

async fn sweep_sessions(app: App, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = app.sessions.sweep().await {
            tracing::debug!(%error, "ended sessions could not be removed; the server tries again");
        }
        app.sign_ins.summarise_refused().await;
    }
}
