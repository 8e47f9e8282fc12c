//! The OpenAPI document, and a page to read and try it. The page loads nothing from other hosts.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::openapi::Document;

/// The document, at `/openapi.json`, and the page, at `/docs/`.
pub fn configure(config: &mut ServiceConfig) {
    let page = Config::new(["/openapi.json"])
        // Without this the page sends the document's address to a validator of others.
        .validator_url("none")
        .persist_authorization(true)
        .try_it_out_enabled(true);
    config.service(get_document).service(web::redirect("/docs", "/docs/")).service(SwaggerUi::new("/docs/{_:.*}").config(page));
}

#[get("/openapi.json")]
async fn get_document(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.text.clone())
}
