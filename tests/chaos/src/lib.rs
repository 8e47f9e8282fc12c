//! Fault injection: the real binary and its servers run under load, with one fault at a time and then two. A checker
//! that shares no code with the product judges the result. `docs/CHAOS.md` lists the faults, the checks and the
//! findings.
//!
//! `plan` makes the schedule. `servers`, `stack` and `process` are the targets. `proxy`, `clock`, `disk` and `faults`
//! inject the faults. `load` sends the requests, and `record` keeps them with their answers. `recovery` waits. `check`
//! judges the log and the read models, `index` Elasticsearch, `counts` the unread counts. `campaign` runs all of it in
//! order.

pub mod campaign;
pub mod check;
pub mod clock;
pub mod command_line;
pub mod counts;
pub mod disk;
pub mod faults;
pub mod index;
pub mod load;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod record;
pub mod recovery;
pub mod seed;
pub mod servers;
pub mod stack;
pub mod work;
