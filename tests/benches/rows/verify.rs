//! Verification of the whole log: every digest is computed again, then the tree, the tiles and the heads are checked.

use std::time::Instant;

use commands::EventStore;
use ledger::proof::verify::{Options, verify};
use tests::TestDatabase;

use super::archive::{self, archive};
use super::proof::Consumer;
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs};

pub async fn measure(report: &mut Report) {
    let archive = archive();
    let database = TestDatabase::create().await;
    archive::import_only(&database, &archive).await;
    let pool = database.pool(4).await;
    let store = EventStore::start(pool.clone(), tests::keyring(&pool).await).await.expect("the store");
    let (keys, last) = (tests::keyring(&pool).await, *store.head().borrow());
    let began = Instant::now();
    let consumer = Consumer::start(&pool, &store);
    consumer.settle(last).await;
    let took = began.elapsed();
    consumer.stop().await;
    sqlx::raw_sql("VACUUM ANALYZE events").execute(&pool).await.expect("the vacuum");
    let (mut verified, mut reads) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        let outcome = verify(&pool, &Options::default(), |_, _| {}).await.expect("a report");
        assert_eq!((outcome.findings_total, outcome.signed), (0, last.unsigned_abs()), "everything fits, and is signed");
        verified.push(last as f64 / outcome.elapsed.as_secs_f64());
        let began = Instant::now();
        stores::log::read_log(&pool, &keys, drop).await.expect("the log");
        reads.push(last as f64 / began.elapsed().as_secs_f64());
    }
    report.over(format!("{}, imported: {last} events, signed from nothing in {:.1} s", archive::name(&archive), took.as_secs_f64()));
    report.compare("audit verify", "events/s", &verified, ("read-log, decoded", &reads), Goal::Stated);
    report.state("audit verify", "events/s", &verified, Goal::AtLeast(200_000.0));
}
