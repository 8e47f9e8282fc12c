//! The answer to a request that no route matches: the address does not exist, or it does not take the method.

use actix_web::dev::{Path, ResourceDef};
use actix_web::error::PathError;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use uuid::Uuid;

use crate::problem::Problem;

/// The methods of each address, from the OpenAPI document.
pub struct Methods(Vec<(ResourceDef, Vec<String>)>);

impl Methods {
    /// The methods of `document`.
    #[must_use]
    pub fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let of_path = |(path, item): (&String, &Value)| {
            let mut methods = item.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()).collect::<Vec<_>>();
            // An address that takes GET takes HEAD too (`head.rs`).
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            (ResourceDef::new(path.as_str()), methods)
        };
        Self(paths.map(of_path).collect())
    }

    /// The methods that the address takes. If a fixed address and one with variables match, the fixed one counts.
    fn allowed(&self, path: &str) -> Vec<&str> {
        let variables = |pattern: &ResourceDef| {
            let mut found = Path::new(path);
            pattern.capture_match_info(&mut found).then(|| found.segment_count())
        };
        let matching = self.0.iter().filter_map(|(pattern, methods)| Some((variables(pattern)?, methods))).collect::<Vec<_>>();
        let fewest = matching.iter().map(|(variables, _)| *variables).min();
        let nearest = matching.iter().filter(|(variables, _)| Some(*variables) == fewest);
        let mut allowed = nearest.flat_map(|(_, methods)| *methods).map(String::as_str).collect::<Vec<_>>();
        allowed.sort_unstable();
        allowed.dedup();
        allowed
    }
}

/// Refuses a request that no route matches.
///
/// # Errors
/// Always: 404 if the address does not exist, or 405 with the methods that it takes.
pub async fn answer_unknown(request: HttpRequest, methods: web::Data<Methods>) -> Result<HttpResponse, Problem> {
    let allowed = methods.allowed(request.path());
    if allowed.is_empty() { Err(Problem::no_such_route()) } else { Err(Problem::method_not_allowed(&allowed.join(", "))) }
}

/// The refusal of a path whose variables cannot be parsed. If a fixed address has this path (`current` in place of an
/// identifier), the address exists, but does not take the method.
pub fn refuse_path(error: PathError, request: &HttpRequest) -> actix_web::Error {
    let methods = request.app_data::<web::Data<Methods>>();
    let allowed = methods.map(|methods| methods.allowed(request.path())).unwrap_or_default();
    if allowed.is_empty() || allowed.contains(&request.method().as_str()) {
        return Problem::from_path(&wrong_identifiers(request), &error).into();
    }
    Problem::method_not_allowed(&allowed.join(", ")).into()
}

/// The variables of the path that must be identifiers, and are not. All variables that must be have names like
/// `channel_id`.
fn wrong_identifiers(request: &HttpRequest) -> Vec<String> {
    let variables = request.match_info().iter();
    let wrong = variables.filter(|(name, text)| name.ends_with("_id") && text.parse::<Uuid>().is_err());
    wrong.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_address_names_its_methods() {
        let methods = Methods::of(&json!({"paths": {"/v1/users/me": {"get": {}, "patch": {}}, "/v1/users/{user_id}": {"get": {}}}}));
        assert_eq!(methods.allowed("/v1/users/me"), ["GET", "HEAD", "PATCH"]);
        assert_eq!(methods.allowed("/v1/users/7"), ["GET", "HEAD"]);
        assert!(methods.allowed("/v1/nothing").is_empty());
    }

    #[test]
    fn a_fixed_address_takes_none_of_the_methods_of_one_with_variables() {
        let paths = json!({"/v1/workspaces/{id}": {"patch": {}, "get": {}}, "/v1/workspaces/current": {"get": {}}});
        let methods = Methods::of(&json!({ "paths": paths }));
        assert_eq!(methods.allowed("/v1/workspaces/current"), ["GET", "HEAD"]);
        assert_eq!(methods.allowed("/v1/workspaces/7"), ["GET", "HEAD", "PATCH"]);
    }
}
