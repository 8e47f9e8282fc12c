//! The answer of a server, with the checks that tests make on it.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    /// The request, for the messages of failed tests.
    pub asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: `null` if it is empty, a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// Checks the status, and returns the body.
    ///
    /// # Panics
    /// Panics if the status is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.body);
        self.body
    }

    /// Checks that the answer is a problem with this status and code, and returns the body.
    ///
    /// # Panics
    /// Panics if the answer is not a problem, or is a different one.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}: {}", self.asked, self.body);
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}: {}", self.asked, self.body);
        assert_eq!(self.body["status"], status, "the body has the status of the answer");
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"), "the body names the request");
        self.body
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The position that a command reached, or that a query read at.
    ///
    /// # Panics
    /// Panics if the answer has no position.
    #[must_use]
    #[track_caller]
    pub fn position(&self) -> i64 {
        let position = self.header("backscroll-position").and_then(|text| text.parse().ok());
        position.unwrap_or_else(|| panic!("{} has no position: {} {}", self.asked, self.status, self.body))
    }
}
