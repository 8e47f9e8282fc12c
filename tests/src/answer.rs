//! What a server answered, and what a test expects of it.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The request, for messages of failed tests.
    pub asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` where there is none, a string where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of an answer with that status.
    ///
    /// # Panics
    /// It has another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.body);
        self.body
    }

    /// The problem of that status and that code.
    ///
    /// # Panics
    /// It is none, or another.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.asked, self.body);
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}: {}", self.asked, self.body);
        assert_eq!(self.body["status"], status, "the body says the same status");
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"), "the body names the request");
        self.body
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The position that a command reached, or that a query read at.
    ///
    /// # Panics
    /// The answer has none.
    #[must_use]
    #[track_caller]
    pub fn position(&self) -> i64 {
        let position = self.header("backscroll-position").and_then(|text| text.parse().ok());
        position.unwrap_or_else(|| panic!("{} has no position: {} {}", self.asked, self.status, self.body))
    }
}
