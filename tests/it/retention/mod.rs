//! Retention against real stores: what leaves and what stays, runs that are cut off, and months of the log as files.

mod cut_off;
mod laws;
mod log_files;
mod log_objects;
mod purge;
