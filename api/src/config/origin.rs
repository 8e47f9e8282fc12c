//! The origin of a web page: the scheme, the host and the port, without a path.

use std::str::FromStr;

use url::Url;

/// An origin as browsers send it in `Origin`: `https://app.example.org`, or `tauri://localhost` for an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = ();

    /// Parses an origin. It must have the very form that browsers send, because a browser's header is compared with it:
    /// lower case, no default port, no path. `*` and `null` are no origins.
    fn from_str(text: &str) -> Result<Self, ()> {
        let url = text.parse::<Url>().map_err(drop)?;
        let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('*')).ok_or(())?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        if format!("{}://{host}{port}", url.scheme()) == text { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_the_form_that_browsers_send() {
        for text in
            ["https://app.example.org", "http://localhost:3000", "http://127.0.0.1:8080", "https://[2001:db8::1]", "tauri://localhost"]
        {
            assert!(text.parse::<Origin>().is_ok_and(|origin| origin.as_str() == text), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "app.example.org",
            "https://",
            "https://app.example.org/",
            "https://app.example.org/app",
            "https://App.example.org",
            "https://app.example.org:443",
            "https://ann@app.example.org",
            "https://*.example.org",
            "https://app.example.org?x",
            "file:///x",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(()), "{text}");
        }
    }
}
