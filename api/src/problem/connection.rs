//! The refusal of a connection, when its address has too many. It is the only problem that is sent before there is a
//! request.

use super::MEDIA_TYPE;

const REFUSAL: &str = concat!(
    r#"{"type":"urn:backscroll:problem:request.too_many_connections","title":"Too Many Requests","status":429,"#,
    r#""code":"request.too_many_connections","#,
    r#""detail":"your address has too many connections: use those that are open, or close some"}"#
);

/// The whole answer to a connection whose address has the most connections that it may have.
#[must_use]
pub fn too_many_connections() -> String {
    let length = REFUSAL.len();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {length}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
         {REFUSAL}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_a_problem_with_the_right_content_length() {
        let answer = too_many_connections();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
        let problem = serde_json::from_str::<serde_json::Value>(body).expect("JSON");
        assert_eq!((&problem["code"], &problem["status"]), (&"request.too_many_connections".into(), &429.into()));
    }
}
