//! Who need not be signed in: counted by the address that they come from.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;

use super::judge;
use crate::app::App;
use crate::extract::client_ip;
use crate::problem::Problem;

/// Somebody who was counted by their address. Every operation that is open to everybody takes one.
pub struct Visitor;

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = App::of(&request)?;
            if let Some(address) = client_ip(&request, &app.settings.trusted_proxies) {
                judge(&request, app.limits.count_visitor(address).await)?;
            }
            Ok(Self)
        })
    }
}
