//! The backend of the search contract: its results, their order, and the cases in which it leaves the answer to another
//! backend. The suite of searches tests the results that all backends must find.

use std::collections::BTreeSet;

use domain::channel::Kind;
use domain::ids::{ChannelId, UserId};
use projections::search::elasticsearch::{Elastic, ElasticSearch};
use projections::search::{
    AnalyticsQuery, BackendName, BucketKey, CountedBy, Hits, MessageQuery, Order, PeopleQuery, Property, Requirement, SearchBackend,
    SearchError, Span, Text, TextTerm,
};

use super::SearchHouse;
use crate::projections::team_of_three;
use crate::support::Team;

pub fn query(team: Team, channels: &[ChannelId]) -> MessageQuery {
    MessageQuery {
        workspace_id: team.workspace_id,
        channels: channels.to_vec(),
        is_narrowed: false,
        text: Vec::new(),
        authors: None,
        not_authors: Vec::new(),
        to: Vec::new(),
        not_to: Vec::new(),
        during: Span::default(),
        not_during: Vec::new(),
        properties: Vec::new(),
        order: Order::Newest,
        after: None,
        limit: 20,
        min_position: None,
    }
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn term(text: Text) -> TextTerm {
    TextTerm { text, wanted: Requirement::Must }
}

/// A filled search projection with its backend.
struct Searching {
    search: SearchHouse,
    backend: ElasticSearch,
    team: Team,
    ann: UserId,
    bob: UserId,
}

impl Searching {
    async fn start(texts: &[&str]) -> Self {
        let search = SearchHouse::start().await;
        let (team, ann, bob) = team_of_three(&search.fixture).await;
        for text in texts {
            search.fixture.post(ann, team.general, text).await;
        }
        search.settle().await;
        let backend = ElasticSearch::new(&search.fixture.reading.stores).expect("a backend");
        Self { search, backend, team, ann, bob }
    }

    /// Searches the messages that were posted so far.
    async fn find(&self, query: MessageQuery) -> Hits {
        let head = self.search.fixture.writing.commands.store().catch_up().await.expect("the head");
        self.search.settle().await;
        self.backend.messages(&MessageQuery { min_position: Some(head), ..query }).await.expect("an answer")
    }

    async fn texts(&self, hits: &Hits) -> Vec<String> {
        let mut texts = Vec::new();
        for hit in &hits.hits {
            let found = self.search.fixture.reading.read.message(hit.message_id).await.expect("a message").expect("a message");
            texts.push(found.message.content);
        }
        texts
    }

    async fn found_by(&self, text: Text) -> BTreeSet<String> {
        let hits = self.find(MessageQuery { text: vec![term(text)], ..query(self.team, &[self.team.general]) }).await;
        self.texts(&hits).await.into_iter().collect()
    }
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_match_every_form_phrases_match_exactly_and_prefixes_match_longer_words() {
    let texts = ["He runs home", "running late", "the rundown of v12", "全文検索のテスト", "home run by run12", "who is the who"];
    let searching = Searching::start(&texts).await;
    assert_eq!(searching.found_by(Text::Words(own(&["run"]))).await, set(&["He runs home", "running late", "home run by run12"]));
    assert_eq!(searching.found_by(Text::Exact(own(&["run"]))).await, set(&["home run by run12"]));
    assert_eq!(searching.found_by(Text::Exact(own(&["home", "run"]))).await, set(&["home run by run12"]));
    assert_eq!(searching.found_by(Text::Words(own(&["run", "home"]))).await, set(&["He runs home"]));
    assert_eq!(
        searching.found_by(Text::Prefix(own(&["run"]))).await,
        set(&["He runs home", "running late", "the rundown of v12", "home run by run12"])
    );
    assert_eq!(searching.found_by(Text::Prefix(own(&["the", "run"]))).await, set(&["the rundown of v12"]));
    assert_eq!(searching.found_by(Text::Words(own(&["検", "索"]))).await, set(&["全文検索のテスト"]));
    assert_eq!(searching.found_by(Text::Words(own(&["索", "検"]))).await, set(&[]));
    assert_eq!(searching.found_by(Text::Words(own(&["the", "who"]))).await, set(&["who is the who"]), "no word is too common");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_exclude_and_other_channels_and_workspaces_are_not_found() {
    let searching = Searching::start(&["apples https://example.org", "apples"]).await;
    let Searching { search, team, ann, bob, .. } = &searching;
    let secret = team.channel(search.fixture.commands(), "secret", Kind::Private, &[*ann]).await;
    search.fixture.post(*ann, secret, "apples in secret").await;
    search.fixture.post(*bob, team.general, "pears").await;
    let apples = vec![term(Text::Words(own(&["apple"])))];
    let all = searching.find(MessageQuery { text: apples.clone(), ..query(*team, &[team.general, secret]) }).await;
    assert_eq!((all.total, all.total_is_exact, all.hits.len()), (3, true, 3));
    let open = searching.find(MessageQuery { text: apples.clone(), ..query(*team, &[team.general]) }).await;
    assert_eq!(open.total, 2, "a total does not count other channels");
    let linked =
        MessageQuery { properties: vec![(Property::Link, Requirement::MustNot)], text: apples.clone(), ..query(*team, &[team.general]) };
    let linked = searching.find(linked).await;
    assert_eq!(searching.texts(&linked).await, ["apples"]);
    let others = searching.find(MessageQuery { not_authors: vec![*ann], ..query(*team, &[team.general]) }).await;
    assert_eq!(searching.texts(&others).await, ["pears"]);
    let none = searching.find(MessageQuery { text: apples, ..query(*team, &[]) }).await;
    assert_eq!((none.total, none.total_is_exact), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_by_time_and_by_relevance_while_more_messages_are_posted() {
    let texts =
        (0..25).map(|n| if n % 5 == 0 { format!("tea tea tea {n}") } else { format!("a longer text about tea {n}") }).collect::<Vec<_>>();
    let searching = Searching::start(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for order in [Order::Newest, Order::Relevance] {
        let mut query = MessageQuery {
            text: vec![term(Text::Words(own(&["tea"])))],
            order,
            limit: 7,
            ..query(searching.team, &[searching.team.general])
        };
        let mut seen = Vec::new();
        loop {
            let page = searching.find(query.clone()).await;
            assert_eq!((page.total, page.total_is_exact), (25, true));
            seen.extend(searching.texts(&page).await);
            let Some(next) = page.next else { break };
            assert_eq!(next.backend, BackendName::Elasticsearch);
            query.after = Some(next);
        }
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 25, "{order:?}: {seen:?}");
        assert_eq!(seen.len(), 25, "no result comes twice");
        if order == Order::Relevance {
            assert!(seen[..5].iter().all(|text| text.starts_with("tea tea tea")), "{seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_prefixes_and_with_typing_errors() {
    let searching = Searching::start(&[]).await;
    let quincy = searching.team.member(searching.search.fixture.commands(), "quincy", domain::permission::Role::Member).await;
    searching.search.settle().await;
    let head = searching.search.fixture.writing.commands.store().catch_up().await.expect("the head");
    let find = async |text: &str| {
        let query = PeopleQuery {
            workspace_id: searching.team.workspace_id,
            in_channels: None,
            text: text.into(),
            after: None,
            limit: 10,
            min_position: Some(head),
        };
        let found = searching.backend.people(&query).await.expect("an answer");
        found.into_iter().map(|hit| (hit.user_id, hit.distance)).collect::<Vec<_>>()
    };
    assert_eq!(find("Qui").await, [(quincy, 0)]);
    assert_eq!(find("qiuncy").await, [(quincy, 1)]);
    assert_eq!(find("an").await, [(searching.ann, 0)]);
    assert_eq!(find("zebra").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_counted_by_channel_user_day_and_hour() {
    let searching = Searching::start(&["one", "two"]).await;
    searching.search.fixture.post(searching.bob, searching.team.general, "three").await;
    searching.search.settle().await;
    tests::elastic::expect(reqwest::Method::POST, &format!("/{}*/_refresh", searching.search.prefix), None).await;
    let count = async |by| {
        let query =
            AnalyticsQuery { workspace_id: searching.team.workspace_id, by, during: Span::default(), limit: 10, min_position: None };
        searching.backend.analytics(&query).await.expect("an answer")
    };
    let channels = count(CountedBy::Channel).await;
    assert_eq!(
        channels.iter().map(|b| (b.key, b.messages, b.authors)).collect::<Vec<_>>(),
        [(BucketKey::Channel(searching.team.general), 3, 2)]
    );
    let people = count(CountedBy::Person).await;
    assert_eq!(
        people.iter().map(|b| (b.key, b.messages)).collect::<Vec<_>>(),
        [(BucketKey::Person(searching.ann), 2), (BucketKey::Person(searching.bob), 1)]
    );
    assert_eq!(count(CountedBy::Day).await.iter().map(|b| b.messages).sum::<u64>(), 3);
    assert_eq!(count(CountedBy::Hour).await.iter().map(|b| b.messages).sum::<u64>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_or_unready_elasticsearch_leaves_the_answer_to_another_backend() {
    let searching = Searching::start(&["tea"]).await;
    let stores = searching.search.fixture.reading.stores.clone();
    let asked = query(searching.team, &[searching.team.general]);
    // Nothing listens at this address.
    let dead =
        tests::place::Place::create(&[tests::place::WITH_ELASTICSEARCH, ("BACKSCROLL_ELASTICSEARCH_URL", "http://127.0.0.1:9")]).await;
    let dead = api::config::Settings::from_sources(&dead.environment, None).expect("settings");
    let mut settings = dead.search.elasticsearch.resolved().expect("settings of Elasticsearch");
    settings.prefix = searching.search.prefix.clone();
    let dead = ElasticSearch::new(&stores.clone().with_elastic(Some(Elastic::new(settings).expect("an address")))).expect("a backend");
    for _ in 0..2 {
        assert!(matches!(dead.messages(&asked).await, Err(SearchError::Unavailable(_))));
    }
    // The caller's own write is not indexed yet.
    let ahead = MessageQuery { min_position: Some(1_000_000), ..asked.clone() };
    assert!(matches!(searching.backend.messages(&ahead).await, Err(SearchError::Unavailable(_))));
    // There is no search model.
    sqlx::query("DELETE FROM search_models").execute(&searching.search.fixture.reading.pool).await.expect("no model");
    assert!(matches!(searching.backend.messages(&asked).await, Err(SearchError::Unavailable(_))));
}
