//! The class of each request, and of each frame of a client, for the rate limits. Only this file decides it. The
//! OpenAPI document shows it for each operation (`x-rate-limit-class`).

use actix_web::http::Method;
use live::ClientFrame;
use state::limits::Class;

/// The class of a request, by its method and its path (or the pattern of its path). Returns `None` if the request is
/// not counted: health checks are never refused.
#[must_use]
pub fn class_of(method: &Method, path: &str) -> Option<Class> {
    let mut parts = path.strip_prefix("/v1/")?.split('/');
    let at = [parts.next(), parts.next(), parts.next(), parts.next()];
    Some(match (method.as_str(), at) {
        ("POST", [Some("sessions" | "users"), None, ..]) => Class::SignIn,
        ("DELETE", [Some("sessions"), Some("current"), None, _]) => Class::SignOut,
        ("GET", [Some("workspaces"), _, Some("search" | "directory" | "analytics"), _]) => Class::Search,
        ("PUT" | "DELETE", [Some("workspaces"), _, Some("presence"), None] | [Some("channels"), _, Some("typing"), None]) => Class::Signal,
        ("POST", [Some("channels"), _, Some("messages"), None]) => Class::Message,
        ("GET" | "HEAD" | "OPTIONS", _) => Class::Read,
        _ => Class::Write,
    })
}

/// The class of a frame: that of the request over HTTP that does the same. Returns `None` if the frame is not counted.
#[must_use]
pub fn class_of_frame(frame: &ClientFrame) -> Option<Class> {
    match frame {
        ClientFrame::Typing { .. } | ClientFrame::Presence { .. } => Some(Class::Signal),
        ClientFrame::Unread { .. } | ClientFrame::Watch { .. } => Some(Class::Read),
        ClientFrame::Ping {} => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{ChannelId, WorkspaceId};
    use live::DeviceState;
    use uuid::Uuid;

    use super::*;

    fn class(method: &str, path: &str) -> Option<&'static str> {
        class_of(&method.parse().expect("a method"), path).map(Class::as_str)
    }

    #[test]
    fn a_request_counts_as_what_it_does() {
        for (method, path, expected) in [
            ("GET", "/v1/users/me", "read"),
            ("PATCH", "/v1/users/me", "write"),
            ("POST", "/v1/users", "sign_in"),
            ("POST", "/v1/sessions", "sign_in"),
            ("DELETE", "/v1/sessions/current", "sign_out"),
            ("DELETE", "/v1/sessions/7", "write"),
            ("GET", "/v1/sessions", "read"),
            ("POST", "/v1/channels/7/messages", "message"),
            ("GET", "/v1/channels/7/messages", "read"),
            ("PUT", "/v1/channels/7/typing", "signal"),
            ("GET", "/v1/channels/7/typing", "read"),
            ("PUT", "/v1/workspaces/7/presence", "signal"),
            ("GET", "/v1/workspaces/7/directory", "search"),
            ("GET", "/v1/workspaces/7/search/messages", "search"),
        ] {
            assert_eq!(class(method, path), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn a_frame_counts_as_the_request_that_does_the_same() {
        let id = Uuid::from_u128(7);
        for (frame, method, path) in [
            (ClientFrame::Typing { channel_id: ChannelId(id) }, "PUT", "/v1/channels/7/typing"),
            (ClientFrame::Presence { state: DeviceState::Away }, "PUT", "/v1/workspaces/7/presence"),
            (ClientFrame::Watch { users: Vec::new() }, "GET", "/v1/workspaces/7/presence"),
            (ClientFrame::Unread { workspace_id: WorkspaceId(id) }, "GET", "/v1/workspaces/7/unread"),
        ] {
            assert_eq!(class_of_frame(&frame).map(Class::as_str), class(method, path), "{frame:?}");
        }
        assert_eq!(class_of_frame(&ClientFrame::Ping {}), None);
    }

    #[test]
    fn health_checks_and_the_documentation_are_not_counted() {
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs/", "/nothing"] {
            assert_eq!(class("GET", path), None, "{path}");
        }
    }
}
