//! Faults on purpose: the real binary and its servers, under load, broken one thing at a time and then two; and a checker that shares no
//! code with what it judges. `docs/CHAOS.md` says what is broken, what is judged, and what was found.
//!
//! `plan` says what happens, `servers`, `stack` and `process` are what it happens to, `proxy`, `clock`, `disk` and `faults` do it, `load` asks,
//! `record` is what was asked and answered, `recovery` waits, `check` judges, `index` what Elasticsearch has, `counts` what people are told is unread, `campaign` is the order of it all.

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
