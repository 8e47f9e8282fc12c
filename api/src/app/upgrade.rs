//! Requests that ask for a WebSocket. They are answered by the same service as all others. If the answer hands the
//! connection over (`live::wire`), the connection is served in the same task, so that it counts among the connections of
//! the server, and is waited for when the server stops.

use std::rc::Rc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes_limited};
use futures::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::connection::Connection;
use crate::live::wire::taken;

/// The longest time for an answer that hands nothing over.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The most bytes of an answer that hands nothing over.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

type Client = Framed<Connection, Codec>;

/// Answers a request, and serves the connection until its end. What a WebSocket does not need is boxed: a connection has the
/// memory for it as long as it is open.
pub(super) async fn serve<S, B>(app: Rc<S>, request: Request, mut client: Client)
where
    S: Service<Request>,
    S::Error: Into<Response<BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    // A client must wait for the answer (RFC 6455, 4.1): bytes that it sends earlier belong to no WebSocket.
    let is_early = !client.is_read_buf_empty();
    let mut response = match app.call(request).await {
        Ok(response) => response.into(),
        Err(error) => return Box::pin(answer(client, error.into())).await,
    };
    let Some(serve) = taken(&mut response) else { return Box::pin(answer(client, response)).await };
    if is_early {
        return;
    }
    if client.send(Message::Item((response.drop_body(), BodySize::None))).await.is_err() {
        return;
    }
    let mut connection = client.into_parts().io;
    connection.bound();
    serve(Box::new(connection)).await;
}

/// Answers without a WebSocket, and closes the connection: the client expected to send something else on it.
async fn answer<B: MessageBody>(client: Client, response: Response<B>) {
    let _ = timeout(ANSWER_MAX, send(client, response)).await;
}

async fn send<B: MessageBody>(mut client: Client, mut response: Response<B>) -> Result<(), std::io::Error> {
    response.head_mut().set_connection_type(ConnectionType::Close);
    let (response, body) = response.into_parts();
    // After a request for a WebSocket, the codec writes a body of unknown length as it is, but announces chunks.
    let Ok(Ok(body)) = to_bytes_limited(body, ANSWER_BYTES_MAX).await else { return Ok(()) };
    client.send(Message::Item((response, BodySize::Sized(body.len() as u64)))).await?;
    if !body.is_empty() {
        client.send(Message::Chunk(Some(body))).await?;
    }
    client.io_mut().shutdown().await
}
