//! The rows of the table, one file each.

mod append;
mod archive;
mod audit;
mod batch;
mod cache;
mod command;
mod crowded;
mod http_history;
mod http_post;
mod in_process;
mod live;
mod log_size;
mod memory;
mod proof;
mod read_log;
mod read_own;
mod search;
mod search_elastic;
mod start;
mod stranger;
mod verify;
mod visible;

use std::process::ExitCode;
use std::time::Instant;

use crate::book::Book;
use crate::report::Report;
use crate::runs::is_trial;

/// The names, in the order of the table.
const NAMES: [&str; 27] = [
    "append",
    "batch",
    "command",
    "in-process",
    "read-log",
    "proof",
    "verify",
    "archive",
    "visible",
    "http-post",
    "http-history",
    "read-own",
    "cache",
    "crowded",
    "start",
    "live-room",
    "live-crowd",
    "live-online",
    "live-resume",
    "live-posts",
    "live-revoked",
    "search",
    "search-elastic",
    "audit",
    "log-size",
    "memory",
    "stranger",
];

/// Measures the rows whose names begin with `wanted`. Each row is stored when it is done, so its figures stay if a
/// later row fails.
pub async fn run(wanted: &str) -> ExitCode {
    let mut book = Book::open();
    let names = NAMES.iter().filter(|name| name.starts_with(wanted)).collect::<Vec<_>>();
    for name in &names {
        println!("\n{name}");
        let (began, mut report) = (Instant::now(), Report::default());
        measure(name, &mut report).await;
        println!("{name}: {} s; {}", began.elapsed().as_secs(), report.data);
        if !is_trial() {
            book.take(name, report, began.elapsed()).await;
            book.write(&NAMES);
        }
    }
    if names.is_empty() {
        println!("no row's name begins with {wanted:?}: {}", NAMES.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn measure(name: &str, report: &mut Report) {
    match name {
        "append" => append::measure(report).await,
        "batch" => batch::measure(report).await,
        "in-process" => in_process::measure(report).await,
        "read-log" => read_log::measure(report).await,
        "proof" => proof::measure(report).await,
        "verify" => verify::measure(report).await,
        "log-size" => log_size::measure(report).await,
        "memory" => memory::measure(report).await,
        "stranger" => stranger::measure(report).await,
        "command" => command::measure(report).await,
        "archive" => archive::measure(report).await,
        "audit" => audit::measure(report).await,
        "search" => search::measure(report).await,
        "search-elastic" => search_elastic::measure(report).await,
        "visible" => visible::measure(report).await,
        "http-post" => http_post::measure(report).await,
        "http-history" => http_history::measure(report).await,
        "read-own" => read_own::measure(report).await,
        "cache" => cache::measure(report).await,
        "crowded" => crowded::measure(report).await,
        "start" => start::measure(report).await,
        "live-room" => live::room::measure(report).await,
        "live-online" => live::online::measure(report).await,
        "live-crowd" => live::crowd::measure(report).await,
        "live-resume" => live::resume::measure(report).await,
        "live-posts" => live::posts::measure(report).await,
        "live-revoked" => live::revoked::measure(report).await,
        _ => panic!("the row {name} has no measurement"),
    }
}

fn callers(number: usize) -> String {
    if number == 1 { "1 caller".into() } else { format!("{number} callers") }
}
