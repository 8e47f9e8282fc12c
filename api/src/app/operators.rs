//! The operators' address: `/healthz`, `/readyz` with details, and `/metrics`. It has no authentication, so it is a separate
//! address that only operators can reach (docs/decisions/0026-operators-have-an-address-of-their-own.md).
//!
//! Each process serves it, in every role. It needs few resources: one thread and few connections, and each connection
//! ends soon.

use std::net::TcpListener;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use tokio::net::TcpStream;

use super::connection::Connection;
use super::{App, malformed};
use crate::health::Health;
use crate::http;
use crate::http::operators::Scrapes;

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// The longest time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time in which a client reads nothing of its answer.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The longest time of a connection. It is longer than Prometheus waits for an answer.
const CONNECTION_MAX: Duration = Duration::from_secs(30);

/// Serves the operators' address on `listener`.
pub(super) fn serve(app: &App, health: &Health, listener: TcpListener) -> std::io::Result<actix_server::Server> {
    let (parts, scrapes) = (app.parts(health), Data::new(Scrapes::default()));
    let factory = move || {
        actix_web::App::new()
            .configure(&parts)
            .app_data(scrapes.clone())
            .configure(http::operators::configure)
            .default_service(web::to(http::operators::answer_unknown))
            .wrap(from_fn(http::protection::protect))
            .wrap(from_fn(http::head::answer_head))
    };
    let (address, metrics) = (listener.local_addr()?, app.metrics.clone());
    let builder =
        actix_server::Server::build().workers(1).max_concurrent_connections(CONNECTIONS_MAX).shutdown_timeout(1).disable_signals();
    let server = builder.listen("operators", listener, move || {
        let service = HttpService::build().client_request_timeout(HEAD_TIMEOUT).keep_alive(KeepAlive::Disabled).local_addr(address);
        let app = factory().into_factory().map_err(|error: actix_web::Error| error.error_response());
        let accept = |stream: TcpStream| async move {
            let peer = stream.peer_addr().ok();
            Ok((Connection::new(stream, SILENCE_MAX).lasting(CONNECTION_MAX), Protocol::Http1, peer))
        };
        let metrics = metrics.clone();
        let note = move |error| malformed::note(&metrics, error);
        fn_service(accept).and_then(service.finish(map_config(app, |()| AppConfig::default()))).map_err(note)
    })?;
    Ok(server.run())
}
