//! The SQL code and the Rust code split texts into the same words, character by character.

use projections::search::words;
use tests::TestDatabase;

#[tokio::test]
async fn sql_and_rust_split_words_alike_at_every_character() {
    let database = TestDatabase::create().await;
    let pool = database.read_pool(1).await;
    // Each character stands between two letters: it joins them, separates them, or is a word itself.
    let texts = ('\u{1}'..=char::MAX).filter(|c| !c.is_whitespace()).map(|c| format!("a{c}b é")).collect::<Vec<_>>();
    let mut differing = Vec::new();
    for some in texts.chunks(50_000) {
        let parted = "SELECT trim(regexp_replace(search_words(t), '[[:space:][:cntrl:]]+', ' ', 'g')) FROM unnest($1::text[]) WITH ORDINALITY AS x (t, n) ORDER BY n";
        let parted = sqlx::query_scalar::<_, String>(parted).bind(some).fetch_all(&pool).await.expect("the words");
        let here = some.iter().map(|text| words::words(text).iter().map(|word| &text[word.from..word.to]).collect::<Vec<_>>().join(" "));
        differing.extend(here.zip(parted).filter(|(here, there)| here != there));
    }
    assert!(differing.is_empty(), "{} characters: {:?}", differing.len(), &differing[..differing.len().min(20)]);
}
