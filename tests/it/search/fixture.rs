//! A workspace for searches, with one backend or the other.

use std::time::Duration;

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::Person;
use tests::place::WITH_ELASTICSEARCH;
use tests::team::id;
use tests::{Team, TestApp};
use uuid::Uuid;

/// The backend that answers searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Postgres,
    Elasticsearch,
}

/// The longest time that Elasticsearch may take to be filled.
const FILLED_MAX: Duration = Duration::from_secs(60);

/// A server with this backend, and a team on it.
pub struct Fixture {
    pub app: TestApp,
    pub team: Team,
    backend: Backend,
}

impl Backend {
    /// The settings of a server with this backend.
    pub fn settings(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Postgres => Vec::new(),
            Self::Elasticsearch => vec![WITH_ELASTICSEARCH],
        }
    }

    /// The projection that this backend searches.
    pub fn projection(self) -> &'static str {
        match self {
            Self::Postgres => projections::RELATIONAL,
            Self::Elasticsearch => projections::SEARCH,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

impl Fixture {
    pub async fn start(backend: Backend) -> Self {
        let app = TestApp::start_with(&backend.settings()).await;
        let team = Team::found(&app).await;
        Self { app, team, backend }
    }

    pub fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    /// Posts a message in #general as the owner.
    pub async fn say(&self, text: &str) -> Uuid {
        self.team.message(&self.team.owner, self.team.general, text).await
    }

    /// Waits until searches find everything so far.
    pub async fn settle(&self) -> i64 {
        let head = self.app.app().commands.store().catch_up().await.expect("the head");
        match self.backend {
            // This backend searches the read tables, and the query itself waits for them.
            Backend::Postgres => head,
            Backend::Elasticsearch => {
                self.app.app().progress.wait_for(projections::SEARCH, head, FILLED_MAX).await.expect("the search projection catches up");
                head
            }
        }
    }

    /// The answer of a search that sees everything so far.
    pub async fn ask(&self, person: &Person, query: &str, more: &str) -> Answer {
        let head = self.settle().await;
        person.get_at(head, &self.path(query, more)).await
    }

    /// The result of a search that must succeed.
    pub async fn search(&self, person: &Person, query: &str, more: &str) -> Value {
        let found = self.ask(person, query, more).await.expect(200);
        assert_eq!(found["backend"], self.backend.name(), "{query}");
        found
    }

    /// The texts that the owner finds, newest first.
    pub async fn find(&self, query: &str) -> Vec<String> {
        self.find_as(&self.team.owner, query).await
    }

    /// The texts that a user finds, newest first. The total must equal their number.
    pub async fn find_as(&self, person: &Person, query: &str) -> Vec<String> {
        let found = self.search(person, query, "&order=newest&limit=100").await;
        let texts = texts(&found);
        assert_eq!((&found["total"], &found["total_is_exact"]), (&json!(texts.len()), &json!(true)), "{query}");
        texts
    }

    /// The error of a query, and the part of the query that is wrong.
    pub async fn mistake(&self, person: &Person, query: &str) -> (String, String) {
        let problem = self.ask(person, query, "").await.expect_problem(400, "search.query_invalid");
        assert_eq!(problem["field"], "q");
        let part = |name: &str| usize::try_from(problem["place"][name].as_u64().expect("a place")).expect("a place");
        let wrong = query.chars().skip(part("offset")).take(part("length")).collect();
        (problem["detail"].as_str().expect("a detail").to_owned(), wrong)
    }

    pub fn path(&self, query: &str, more: &str) -> String {
        self.team.path(&format!("/search/messages?q={}{more}", escaped(query)))
    }

    /// A conversation of this user with others.
    pub async fn conversation(&self, by: &Person, others: &[&Person]) -> Uuid {
        let members = others.iter().map(|person| person.id).collect::<Vec<_>>();
        let kind = if others.len() > 1 { "group_dm" } else { "dm" };
        id(&by.post(&self.team.path("/channels"), json!({"type": kind, "members": members})).await.expect(201), "channel_id")
    }
}

/// The texts of a page, in its order.
pub fn texts(found: &Value) -> Vec<String> {
    let text = |hit: &Value| hit["message"]["content"].as_str().expect("a text").to_owned();
    found["items"].as_array().expect("hits").iter().map(text).collect()
}

/// The text, escaped for a URL.
pub fn escaped(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
