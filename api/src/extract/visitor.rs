//! Callers without a session, counted by their address.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;
use state::limits::Class;

use super::{client_ip, part};
use crate::config::Settings;
use crate::limit::Limits;
use crate::problem::Problem;

/// A caller without a session. The request was counted by its address, in the class of sign-ins. Each operation that is
/// open to everybody and changes something takes a visitor.
pub struct Visitor;

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { count_visitor(&request, Class::SignIn).await.map(|()| Self) })
    }
}

/// Counts a request that is open to everybody, by its address.
///
/// # Errors
/// The limit is reached.
pub async fn count_visitor(request: &HttpRequest, class: Class) -> Result<(), Problem> {
    let (limits, settings) = (part::<Limits>(request)?, part::<Settings>(request)?);
    limits.count_visitor(request, client_ip(request, &settings.trusted_proxies), class).await
}
