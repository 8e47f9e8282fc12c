//! Who need not be signed in: counted by the address that they come from.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;

use super::count_visitor;
use crate::app::App;
use crate::problem::Problem;
use state::limits::Class;

/// Somebody who was counted by their address, as one who signs in. Every operation that is open to everybody and changes something takes one.
pub struct Visitor;

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = App::of(&request)?;
            count_visitor(&app, &request, Class::SignIn).await?;
            Ok(Self)
        })
    }
}
