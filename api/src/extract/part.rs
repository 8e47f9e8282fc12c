//! The parts of the server. A handler names those that it needs (`Data<Part>`). An extractor takes them from the
//! request.

use actix_web::HttpRequest;
use actix_web::web::Data;

use crate::problem::Problem;

/// The server lacks a part that a handler needs: a defect in the server's set-up.
#[derive(Debug, thiserror::Error)]
#[error("the server has no {0}")]
struct Missing(&'static str);

/// Returns a part of the server.
///
/// # Errors
/// The server was built without the part.
pub fn part<T: 'static>(request: &HttpRequest) -> Result<Data<T>, Problem> {
    request.app_data::<Data<T>>().cloned().ok_or_else(|| Problem::internal(&Missing(std::any::type_name::<T>())))
}

/// Declares a struct of several parts, which a handler takes as one argument.
macro_rules! parts {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($field_vis:vis $field:ident: $part:ty,)+ }) => {
        $(#[$doc])*
        $vis struct $name {
            $($field_vis $field: actix_web::web::Data<$part>,)+
        }

        impl actix_web::FromRequest for $name {
            type Error = $crate::problem::Problem;
            type Future = std::future::Ready<Result<Self, Self::Error>>;

            fn from_request(request: &actix_web::HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
                let found = || Ok(Self { $($field: $crate::extract::part(request)?,)+ });
                std::future::ready(found())
            }
        }
    };
}
pub(crate) use parts;
