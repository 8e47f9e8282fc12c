//! Serves HTTP/1.1 and HTTP/2 at one address, with one service: the first bytes of a connection show which version its
//! client speaks.

use std::fmt::Debug;
use std::future::ready;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::GracefulShutdownSignal;
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use tokio::net::TcpStream;

use super::acceptor::Acceptor;
use super::{http2, upgrade};

/// The parts that the connections of a worker need.
#[derive(Clone)]
pub(super) struct Versions {
    pub acceptor: Acceptor,
    pub rules: http2::Rules,
    pub stopping: GracefulShutdownSignal,
    /// The server's own address.
    pub address: SocketAddr,
}

impl Versions {
    /// Serves `app` to each connection.
    pub(super) fn serve<F, B>(
        self,
        app: F,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
    where
        F: ServiceFactory<Request, Config = ()> + 'static,
        F::Error: Into<Response<BoxBody>> + 'static,
        F::Response: Into<Response<B>> + 'static,
        F::InitError: Debug,
        F::Service: 'static,
        <F::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        let app = Rc::new(app);
        fn_factory(move || {
            let (app, this) = (app.clone(), self.clone());
            async move {
                let app = Rc::new(app.new_service(()).await.map_err(|error| tracing::error!(?error, "the routes cannot be built"))?);
                let http1 = Rc::new(this.http1::<_, B>(app.clone()).new_service(()).await?);
                Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                    let (app, http1, this) = (app.clone(), http1.clone(), this.clone());
                    async move {
                        let (connection, protocol, peer) = this.acceptor.accept(stream, stopped(this.stopping.clone())).await?;
                        // Boxed, so that a connection needs the memory of its own version only. The server holds this future
                        // twice.
                        match protocol {
                            Protocol::Http2 => {
                                Box::pin(http2::serve::<_, B>(connection, peer, app, this.rules, stopped(this.stopping))).await
                            }
                            _ => Box::pin(http1.call((connection, protocol, peer))).await,
                        }
                    }
                }))
            }
        })
    }

    /// The service of connections of HTTP/1.1.
    fn http1<S, B>(
        &self,
        app: Rc<S>,
    ) -> impl ServiceFactory<
        (super::connection::Connection, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
        Service: 'static,
    > + use<S, B>
    where
        S: Service<Request> + 'static,
        S::Error: Into<Response<BoxBody>> + 'static,
        S::Response: Into<Response<B>> + 'static,
        S::Future: 'static,
        B: MessageBody + 'static,
    {
        let (stopping, upgrading) = (self.stopping.clone(), app.clone());
        HttpService::build()
            .upgrade(fn_factory(move || {
                let app = upgrading.clone();
                let serve = move |(request, client)| {
                    let app = app.clone();
                    async move {
                        upgrade::serve::<_, B>(app, request, client).await;
                        Ok::<_, actix_http::Error>(())
                    }
                };
                ready(Ok::<_, ()>(fn_service(serve)))
            }))
            .on_connect_ext(|connection: &super::connection::Connection, data| {
                data.insert(connection.buffers());
            })
            .graceful_shutdown_signal(move || stopped(stopping.clone()))
            .client_request_timeout(self.rules.head_timeout)
            .client_disconnect_timeout(self.rules.close_timeout)
            .keep_alive(self.rules.idle_timeout)
            // A client that has closed its connection needs no answer. The reads of its request are cancelled.
            .h1_allow_half_closed(false)
            .local_addr(self.address)
            .finish(fn_factory(move || ready(Ok::<_, ()>(app.clone()))))
    }
}

async fn stopped(signal: GracefulShutdownSignal) {
    signal.notified().await;
}
