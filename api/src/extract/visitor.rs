//! Who need not be signed in: counted by the address that they come from.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;
use state::limits::Class;

use super::{client_ip, part};
use crate::config::Settings;
use crate::limit::Limits;
use crate::problem::Problem;

/// Somebody who was counted by their address, as one who signs in. Every operation that is open to everybody and
/// changes something takes one.
pub struct Visitor;

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { count_visitor(&request, Class::SignIn).await.map(|()| Self) })
    }
}

/// Counts a request that is open to everybody, by the address that it comes from.
///
/// # Errors
/// The limit is reached.
pub async fn count_visitor(request: &HttpRequest, class: Class) -> Result<(), Problem> {
    let (limits, settings) = (part::<Limits>(request)?, part::<Settings>(request)?);
    limits.count_visitor(request, client_ip(request, &settings.trusted_proxies), class).await
}
