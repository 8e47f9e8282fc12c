//! The metrics of the process itself, under the names that all clients of Prometheus use
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>). They come from `/proc`, so other
//! systems than Linux have none.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::sample::Sample;

/// The ticks per second in which `/proc` gives times: the same on every platform that Rust builds for Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads what the system knows about this process.
pub(super) fn read(sample: &mut Sample) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(fields) {
        read_stat(sample, &stat);
    }
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(|status| kilobytes(status, "VmRSS")) {
        sample.set("process_resident_memory_bytes", bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself.
        sample.set("process_open_fds", open.count().saturating_sub(1) as f64);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        sample.set("process_max_fds", most as f64);
    }
}

fn read_stat(sample: &mut Sample, stat: &[f64]) {
    // The numbers of proc_pid_stat(5), less the three fields up to the state.
    let field = |number: usize| stat.get(number - 4).copied();
    if let (Some(user), Some(system)) = (field(14), field(15)) {
        sample.set("process_cpu_seconds_total", (user + system) / TICKS_PER_SECOND);
    }
    if let Some(threads) = field(20) {
        sample.set("process_threads", threads);
    }
    if let Some(bytes) = field(23) {
        sample.set("process_virtual_memory_bytes", bytes);
    }
    if let (Some(ticks), Some(booted)) = (field(22), booted_at()) {
        sample.set("process_start_time_seconds", booted + ticks / TICKS_PER_SECOND);
    }
}

/// The numbers after the name, which is in parentheses and may contain anything, and the state.
fn fields(stat: &str) -> Option<Vec<f64>> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().skip(1).map(|field| field.parse().ok()).collect()
}

/// A line of `/proc/self/status`, converted from kB to bytes.
fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// When the system started, in seconds since 1970.
fn booted_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::metrics::text_of;

    #[test]
    fn the_process_has_all_figures_and_started_before_now() {
        let mut sample = Sample::default();
        read(&mut sample);
        let text = text_of(&sample.into_families().collect::<Vec<_>>()).expect("text");
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name}: {text}")).parse::<f64>().expect("a number")
        };
        let now = chrono::Utc::now().timestamp() as f64;
        assert!((now - 3_600.0..=now + 2.0).contains(&value("process_start_time_seconds")), "{text}");
        assert!(value("process_resident_memory_bytes") > 1e6 && value("process_virtual_memory_bytes") > 1e6, "{text}");
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"), "{text}");
        assert!(value("process_threads") >= 1.0 && value("process_cpu_seconds_total") >= 0.0, "{text}");
    }

    #[test]
    fn the_name_of_a_process_may_contain_anything() {
        assert_eq!(fields("7 (a) b) S 1 2 3"), Some(vec![1.0, 2.0, 3.0]));
    }
}
