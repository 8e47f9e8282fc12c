//! Retention with real stores: removed and kept messages, interrupted runs, and months of the log as files.

mod client_ids;
mod cut_off;
mod laws;
mod log_files;
mod log_objects;
mod purge;
