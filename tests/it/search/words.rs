//! What a word is, is the same in SQL and here, character by character.

use projections::search::words;
use tests::TestDatabase;

#[tokio::test]
async fn every_character_parts_words_alike_in_sql() {
    let database = TestDatabase::create().await;
    let pool = database.read_pool(1).await;
    // Between two words: it joins them, parts them, or is one.
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
