//! A search view as of a past position, in separate indices.

use std::collections::BTreeMap;

use chrono::Utc;
use domain::MessageCommand;
use domain::text::MessageBody;
use processes::replays::{Plan, Replays, Scope, StartError, by_the_server};
use projections::search::elasticsearch::Elastic;
use projections::{NewView, RebuildError, RebuildLock, RebuildOptions, RebuildReport, ViewModels};
use serde_json::Value;
use sqlx::query_scalar;
use stores::elasticsearch::ElasticSettings;
use tests::elastic::documents;
use tests::eventually;
use tests::servers::address;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::SearchHouse;
use crate::projections::team_of_three;
use crate::support::asked;

async fn build(search: &SearchHouse, name: &str, position: i64) -> Result<RebuildReport, RebuildError> {
    let turn = RebuildLock::acquire(&search.fixture.reading.pool, projections::RELATIONAL).await.expect("the rebuild lock");
    let view = NewView::parse(Some(name), position).expect("a name");
    projections::build_view(turn, &search.fixture.reading.stores, &view, ViewModels::Search, RebuildOptions::default(), |_| {}).await
}

async fn texts(search: &SearchHouse, view: &str) -> BTreeMap<String, String> {
    let found = documents(&format!("{}messages_view_{view}", search.prefix)).await;
    let said = |source: &Value| source["message_type"] != "system";
    let text = |source: &Value| source["content"].as_str().unwrap_or_default().to_owned();
    found.into_iter().filter(|(.., source)| said(source)).map(|(id, _, source)| (id, text(&source))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_a_view_have_the_earlier_texts_and_the_live_ones_stay() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    let [kept, edited, deleted] = ["kept", "before the edit", "before its deletion"];
    let kept = (search.fixture.post(ann, team.general, kept).await, kept);
    let edited = (search.fixture.post(ann, team.general, edited).await, edited);
    let deleted = (search.fixture.post(ann, team.general, deleted).await, deleted);
    let then = search.fixture.commands().store().catch_up().await.expect("the head");
    let edit = MessageCommand::Edit { content: MessageBody::parse("after the edit").expect("a text") };
    search.fixture.commands().message(&asked(ann), edited.0, edit).await.expect("the message is edited");
    search.fixture.commands().message(&asked(ann), deleted.0, MessageCommand::Delete).await.expect("the message is deleted");
    search.fixture.post(ann, team.general, "later").await;
    search.settle().await;
    let (live, indices) = (search.messages().await, search.indices().await);

    let report = build(&search, "then", then).await.expect("a view");
    assert_eq!(report.position, then);
    let expected = [kept, edited, deleted].map(|(id, text)| (id.to_string(), text.to_owned())).into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(texts(&search, "then").await, expected);
    let messages = query_scalar::<_, i64>("SELECT count(*) FROM view_then.messages").fetch_one(&search.fixture.reading.pool).await;
    let index = format!("{}messages_view_then", search.prefix);
    assert!(report.rows.contains(&(index.clone(), messages.expect("the rows"))), "{:?}", report.rows);
    let listed = projections::views(&search.fixture.reading.pool).await.expect("views").pop().expect("a view");
    assert!(listed.indices.contains(&index) && listed.indices.len() == 2, "{listed:?}");

    // Later writes and rebuilds do not change the view, and the view does not change the live indices.
    assert_eq!(search.messages().await, live);
    search.rebuild().await.expect("a rebuild");
    search.fixture.post(ann, team.general, "afterwards").await;
    search.settle().await;
    search.assert_equal().await;
    assert_eq!(texts(&search, "then").await, expected);

    assert!(projections::drop_view(&search.fixture.reading.stores, "then").await.expect("a view"));
    let left = search.indices().await;
    assert!(!left.iter().any(|index| index.contains("view")) && left.len() == indices.len(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_build_of_a_view_leaves_nothing_behind() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "hello").await;
    search.settle().await;
    let head = search.fixture.commands().store().catch_up().await.expect("the head");
    let (stores, pool) = (&search.fixture.reading.stores, &search.fixture.reading.pool);
    build(&search, "torn", head).await.expect("a view");
    // The same state as after a process died before it marked the view as built.
    sqlx::query("UPDATE replay_views SET is_built = FALSE").execute(pool).await.expect("the table");
    assert!(projections::tidy(stores, projections::SEARCH).await.expect("the cleanup runs"));
    let schemas = query_scalar::<_, i64>("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'view%'").fetch_one(pool).await;
    let views = query_scalar::<_, i64>("SELECT count(*) FROM replay_views").fetch_one(pool).await;
    assert_eq!((schemas.expect("schemas"), views.expect("views")), (0, 0));
    assert!(!search.indices().await.iter().any(|index| index.contains("view")));

    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let turn = RebuildLock::acquire(pool, projections::RELATIONAL).await.expect("the rebuild lock");
    let (view, options) = (NewView::parse(None, head).expect("a name"), RebuildOptions { cancel: cancelled, ..RebuildOptions::default() });
    let outcome = projections::build_view(turn, stores, &view, ViewModels::Search, options, |_| {}).await;
    assert!(matches!(outcome, Err(RebuildError::Cancelled)), "{outcome:?}");
    assert!(!search.indices().await.iter().any(|index| index.contains("view")));
    build(&search, &format!("at_{head}"), head).await.expect("both locks are released, and the name is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_dropped_without_elasticsearch_and_its_indices_are_removed_once_it_is_back() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "hello").await;
    search.settle().await;
    let head = search.fixture.commands().store().catch_up().await.expect("the head");
    let (stores, pool) = (&search.fixture.reading.stores, &search.fixture.reading.pool);
    let without = stores.clone().with_elastic(None);
    for name in ["one", "two"] {
        build(&search, name, head).await.expect("a view");
    }
    let left = projections::drop_view(&without, "one").await;
    assert!(matches!(left, Err(RebuildError::IndicesLeft(_))), "{left:?}");
    assert!(!projections::drop_view(&without, "one").await.expect("the view does not exist any more"));
    sqlx::query("INSERT INTO secret.person_keys (key_id, owner_id, master_id, destroyed_at) VALUES (gen_random_uuid(), gen_random_uuid(), '', now())")
        .execute(pool)
        .await
        .expect("a user is erased");
    projections::remove_kept_of_erased(&without).await.expect("the texts in Postgres are removed without Elasticsearch");
    let schemas = query_scalar::<_, i64>("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'view%'").fetch_one(pool).await;
    assert_eq!((schemas.expect("schemas"), projections::views(pool).await.expect("views")), (0, vec![]));
    assert_eq!(search.indices().await.iter().filter(|index| index.contains("view")).count(), 4);

    projections::remove_kept_of_erased(stores).await.expect("Elasticsearch is back");
    assert!(!search.indices().await.iter().any(|index| index.contains("view")));
    build(&search, "one", head).await.expect("the name is free");
}

/// The address of an Elasticsearch that answers only after `go_on` is cancelled.
async fn held_up(go_on: CancellationToken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let held_up = format!("http://{}", listener.local_addr().expect("an address"));
    let there = address("BACKSCROLL_ELASTICSEARCH_URL").trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (go_on, there) = (go_on.clone(), there.clone());
            tokio::spawn(async move {
                go_on.cancelled().await;
                copy_bidirectional(&mut client, &mut TcpStream::connect(there).await?).await
            });
        }
    });
    held_up
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_whose_name_is_just_being_dropped_waits_and_loses_no_index() {
    let mut settings = None;
    let search = SearchHouse::start_with(|all| settings = Some(all.clone())).await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    search.fixture.post(ann, team.general, "hello").await;
    search.settle().await;
    let head = search.fixture.commands().store().catch_up().await.expect("the head");
    let (stores, pool) = (&search.fixture.reading.stores, &search.fixture.reading.pool);
    build(&search, "again", head).await.expect("a view");

    let go_on = CancellationToken::new();
    let settings = ElasticSettings { url: held_up(go_on.clone()).await.into(), ..settings.expect("the settings") };
    let slow = Elastic::new(settings).expect("an address");
    let slow = stores.clone().with_elastic(Some(slow));
    let building = async {
        eventually("the tables of the view are dropped", async || projections::views(pool).await.expect("views").is_empty()).await;
        build(&search, "again", head).await
    };
    let holding = async {
        let waits_or_goes_past =
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                                                 AND query LIKE '%FROM replay_views%')
                                      OR EXISTS (SELECT FROM replay_views WHERE created_at > $1)";
        let since = Utc::now();
        eventually("the new build has met the view that is being dropped", async || {
            query_scalar::<_, bool>(waits_or_goes_past).bind(since).fetch_one(pool).await.expect("the server's activity")
        })
        .await;
        go_on.cancel();
    };
    let (dropped, built, ()) = tokio::join!(projections::drop_view(&slow, "again"), building, holding);
    assert!(dropped.expect("the view is dropped"));
    built.expect("the new view is built");
    assert_eq!(texts(&search, "again").await.into_values().collect::<Vec<_>>(), ["hello"]);
    assert_eq!(projections::views(pool).await.expect("views").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_view_is_refused_in_the_same_cases_as_a_view_of_the_tables() {
    let search = SearchHouse::start().await;
    let (_, ann, _) = team_of_three(&search.fixture).await;
    search.settle().await;
    let head = search.fixture.commands().store().catch_up().await.expect("the head");
    assert!(matches!(build(&search, "beyond", head + 1_000).await, Err(RebuildError::BeyondLog { .. })));
    build(&search, "taken", head).await.expect("a view");
    assert!(matches!(build(&search, "taken", head).await, Err(RebuildError::ViewExists(_))));
    assert_eq!(texts(&search, "taken").await, BTreeMap::new());

    let stores = search.fixture.reading.stores.clone();
    let replays = Replays::new(stores, search.fixture.commands().clone(), Handle::current(), "a test".into());
    let view = NewView::parse(None, head).expect("a name");
    let plan = |scope| Plan { scope, dry_run: false, accept_differences: false };
    let refused = replays.begin(by_the_server(None), projections::CACHE, plan(Scope::View(view.clone()))).await;
    assert!(matches!(refused, Err(StartError::NoView(_))));
    let refused = replays.begin(asked(ann), projections::SEARCH, plan(Scope::View(view))).await.err().expect("a refusal");
    assert!(refused.to_string().contains("operators"), "{refused}");
    let refused = replays.begin(by_the_server(None), projections::SEARCH, plan(Scope::Workspace(uuid::Uuid::nil().into()))).await;
    assert!(matches!(refused, Err(StartError::RelationalOnly)));
}
