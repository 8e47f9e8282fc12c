//! Pages by cursor: no hit is missed and none comes twice, whatever is posted meanwhile.

use std::collections::BTreeSet;

use super::fixture::{Backend, Fixture, texts};
use super::over_every_backend;

over_every_backend!(pages_have_no_gaps_and_no_duplicates_in_either_order, a_total_is_exact_up_to_a_limit);

async fn pages_have_no_gaps_and_no_duplicates_in_either_order(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for n in 0..23 {
        fixture.say(&format!("number {n}{}", " number".repeat(n % 3))).await;
    }
    for order in ["relevance", "newest"] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = fixture.search(&fixture.team.owner, "number", &format!("&order={order}&limit=5{after}")).await;
            assert_eq!((page["total"].as_u64(), page["total_is_exact"].as_bool()), (Some(23), Some(true)), "the total of the first page");
            seen.extend(texts(&page));
            pages += 1;
            // A message that is posted between two pages does not move the others.
            let late = fixture.say(&format!("{order} number number number number")).await;
            let Some(next) = page["next"].as_str() else {
                fixture.team.owner.delete(&format!("/v1/messages/{late}")).await.expect(204);
                break;
            };
            after = format!("&after={next}");
            fixture.team.owner.delete(&format!("/v1/messages/{late}")).await.expect(204);
        }
        assert_eq!((pages, seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (5, 23, 23), "{order}: {seen:?}");
    }
    let page = fixture.search(&fixture.team.owner, "number", "&order=newest&limit=5").await;
    let next = page["next"].as_str().expect("a page that follows").to_owned();
    fixture.ask(&fixture.team.owner, "number", &format!("&after={next}")).await.expect_problem(400, "request.cursor_invalid");
}

async fn a_total_is_exact_up_to_a_limit(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let total = usize::try_from(projections::search::TOTAL_MAX).expect("a count");
    let mut said = 0;
    for more in [total, 1] {
        for n in 0..more {
            crate::support::post(
                &fixture.app.app().commands,
                &crate::support::asked(fixture.team.owner.id.into()),
                fixture.team.general.into(),
                &format!("often {n}"),
            )
            .await
            .expect("a post");
        }
        said += more;
        for order in ["relevance", "newest"] {
            let found = fixture.search(&fixture.team.owner, "often", &format!("&order={order}&limit=1")).await;
            assert_eq!(found["total"].as_u64(), Some(total as u64));
            assert_eq!(found["total_is_exact"].as_bool(), Some(said == total), "{order}");
        }
    }
}
