//! A command: the caller, the body, and the idempotency key.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use commands::{CommandRequest, Idempotency, IdempotencyKey};
use domain::Refusal;
use domain::ids::UserId;
use futures::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::canonical::canonical;
use super::condition::unchanged_since;
use super::{Actor, IDEMPOTENCY_KEY, NoBody, RequestBody, header};
use crate::problem::Problem;

/// A request for a command, by a signed-in user.
pub struct Command<B = NoBody> {
    /// The caller.
    pub actor: Actor,
    /// The body.
    pub body: B,
    key: Key,
    unchanged_since: Option<i64>,
}

impl<B: RequestBody> Command<B> {
    /// The request, for the write side. With an `Idempotency-Key`, the command runs only once.
    #[must_use]
    pub fn asked(&self) -> CommandRequest {
        self.asked_without_secret(self.body.bytes())
    }

    /// The same, for a body that contains a password. The fingerprint is stored, so it is made from `open_parts`: the
    /// parts of the body that are not secret.
    #[must_use]
    pub fn asked_without_secret(&self, open_parts: &[u8]) -> CommandRequest {
        let idempotency = self.key.idempotency(self.actor.user_id, open_parts);
        CommandRequest { context: self.actor.context(), idempotency, unchanged_since: self.unchanged_since }
    }

    /// The same, with the key `own` if the client sent no key.
    #[must_use]
    pub fn asked_once_as(&self, own: Option<IdempotencyKey>) -> CommandRequest {
        let mut asked = self.asked();
        if asked.idempotency.is_none() {
            asked.idempotency = own.map(|key| self.key.under(key, self.actor.user_id, self.body.bytes()));
        }
        asked
    }
}

impl<B: RequestBody + 'static> FromRequest for Command<B> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let actor = Actor::extract(&request).await?;
            let (key, unchanged_since) = (Key::of(&request)?, unchanged_since(&request)?);
            let body = B::from_request(&request, &mut payload).await?;
            Ok(Self { actor, body, key, unchanged_since })
        })
    }
}

/// The idempotency key of a request, with the method and the path that it was used for.
pub struct Key {
    key: Option<IdempotencyKey>,
    method: String,
    path: String,
}

impl Key {
    /// The key of `request`.
    ///
    /// # Errors
    /// The header is not a valid key.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let key = header(request, IDEMPOTENCY_KEY)?.map(IdempotencyKey::parse).transpose();
        let key = key.map_err(|invalid| Problem::malformed(invalid.code(), Some(IDEMPOTENCY_KEY.into()), invalid.to_string()))?;
        Ok(Self { key, method: request.method().to_string(), path: request.path().to_owned() })
    }

    /// The key that the client sent.
    #[must_use]
    pub fn sent(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    /// The key that the client sent, with the fingerprint of the request.
    #[must_use]
    pub fn idempotency(&self, actor: UserId, body: &[u8]) -> Option<Idempotency> {
        self.key.clone().map(|key| self.under(key, actor, body))
    }

    fn under(&self, key: IdempotencyKey, actor: UserId, body: &[u8]) -> Idempotency {
        let meant = canonical(body);
        let as_sent = (meant != body).then(|| self.fingerprint(actor, body));
        Idempotency { key, fingerprint: self.fingerprint(actor, &meant), as_sent }
    }

    fn fingerprint(&self, actor: UserId, body: &[u8]) -> [u8; 32] {
        let mut fingerprint = Sha256::new();
        for part in [self.method.as_bytes(), self.path.as_bytes(), actor.0.as_bytes(), body] {
            fingerprint.update((part.len() as u64).to_be_bytes());
            fingerprint.update(part);
        }
        fingerprint.finalize().into()
    }
}

impl FromRequest for Key {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::of(request))
    }
}
