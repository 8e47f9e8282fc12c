//! The metrics that are read at each scrape: from the stores, the parts of this process, and the system. What cannot be
//! read is left out, so that no old figure looks like a new one.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// What is known about a metric before it is read.
pub(super) struct Definition {
    pub(super) name: &'static str,
    kind: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Definition {
    Definition { name, kind: MetricType::GAUGE, labels, help }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Definition {
    Definition { name, kind: MetricType::COUNTER, labels, help }
}

/// Every metric that is read at each scrape. `docs/OPERATIONS.md` has a row for each.
pub(super) const DEFINITIONS: &[Definition] = &[
    gauge("backscroll_build_info", &["version", "commit"], "1; the labels name the release of this process."),
    gauge("backscroll_ready", &[], "1 if this process can do what it is for, as /readyz says."),
    gauge("backscroll_part_ok", &["part"], "1 if a part works that this process needs, as /readyz says."),
    gauge("backscroll_position", &["part"], "The position in the log that a part of the server has reached."),
    gauge("backscroll_projection_lag_events", &["projection"], "The events of the log that a projection has not applied yet."),
    gauge("backscroll_projection_lag_seconds", &["projection"], "How long the first of these events has been in the log."),
    gauge("backscroll_projection_holds", &["projection"], "1 if this process applies the log to the projection."),
    gauge("backscroll_projection_parked_keys", &["projection"], "The keys whose first event cannot be applied."),
    gauge("backscroll_projection_parked_events", &["projection"], "The events that wait under parked keys."),
    gauge("backscroll_search_rejected_documents", &[], "The documents that Elasticsearch refuses."),
    gauge("backscroll_relay_leads", &[], "1 if this process publishes the log."),
    gauge("backscroll_relay_lag_events", &[], "The events of the log that are not published yet."),
    gauge("backscroll_relay_lag_seconds", &[], "How long the first of these events has been in the log."),
    counter("backscroll_relay_failures_total", &[], "How often publishing failed in this process, and began again."),
    gauge("backscroll_jetstream_messages", &[], "The messages in the stream of NATS."),
    gauge("backscroll_jetstream_bytes", &[], "The bytes of the stream of NATS."),
    gauge("backscroll_jetstream_bytes_max", &[], "The most bytes of the stream. At this limit it drops its oldest messages."),
    gauge("backscroll_jetstream_storage_bytes", &[], "The bytes of all streams of the account at NATS."),
    gauge("backscroll_jetstream_storage_bytes_max", &[], "The most bytes of all streams of the account. At this limit NATS takes nothing."),
    gauge("backscroll_proof_undelivered_events", &["destination"], "The events of the newest signed head that a destination lacks."),
    gauge("backscroll_proof_delivered_timestamp_seconds", &["destination"], "When a destination last accepted a head. 0 for never."),
    gauge("backscroll_live_connections", &["transport"], "The live connections of this process."),
    counter("backscroll_live_frames_total", &[], "The frames that were sent on live connections."),
    counter("backscroll_live_bytes_total", &[], "The bytes of these frames, as JSON."),
    gauge("backscroll_live_position", &[], "The position of the last event that live connections got."),
    gauge("backscroll_live_lag_seconds", &[], "How long that event had been in the log."),
    counter("backscroll_live_closed_total", &["code"], "The live connections that ended, by close code, or `client`, `protocol`, `lost`."),
    counter("backscroll_live_notices_total", &["what"], "Notices between nodes of what is not in the log."),
    gauge("backscroll_live_watched_people", &[], "The people whose presence connections of this process watch."),
    gauge("backscroll_retention_due_timestamp_seconds", &[], "When the last daily retention run was due."),
    gauge("backscroll_retention_finished_timestamp_seconds", &[], "When the last complete retention run began."),
    gauge("backscroll_retention_last_run_seconds", &[], "The duration of the last complete retention run."),
    counter("backscroll_retention_runs_total", &["outcome"], "The retention runs of this process."),
    gauge("backscroll_erasures_waiting", &[], "The erasures of users that are asked for and not due yet."),
    gauge("backscroll_erasures_overdue", &[], "The erasures of users that are due and not carried out."),
    gauge("backscroll_exports", &["state"], "The exports of a user's data that are not expired."),
    gauge("backscroll_export_oldest_waiting_seconds", &[], "How long the oldest unfinished export has waited."),
    gauge("backscroll_postgres_connections", &["pool", "state"], "The connections of this process to Postgres."),
    gauge("backscroll_postgres_connections_max", &["pool"], "The most connections of a pool."),
    gauge("backscroll_postgres_wait_seconds", &["pool"], "How long this scrape waited for a connection of the pool. At most 1."),
    counter("process_cpu_seconds_total", &[], "The processor time of this process."),
    gauge("process_resident_memory_bytes", &[], "The resident memory of this process."),
    gauge("process_virtual_memory_bytes", &[], "The virtual memory of this process."),
    gauge("process_threads", &[], "The threads of this process."),
    gauge("process_open_fds", &[], "The open files and sockets of this process."),
    gauge("process_max_fds", &[], "The most open files and sockets of this process."),
    gauge("process_start_time_seconds", &[], "When this process started."),
];

/// The figures of one scrape.
#[derive(Default)]
pub(super) struct Sample {
    families: BTreeMap<&'static str, MetricFamily>,
}

impl Sample {
    /// Sets a metric without labels.
    pub(super) fn set(&mut self, name: &str, value: f64) {
        self.set_with(name, &[], value);
    }

    /// Sets a metric with these values of its labels.
    pub(super) fn set_with(&mut self, name: &str, labels: &[&str], value: f64) {
        let definition = DEFINITIONS.iter().find(|definition| definition.name == name && definition.labels.len() == labels.len());
        debug_assert!(definition.is_some(), "{name} with {} labels is not defined", labels.len());
        let Some(definition) = definition else { return };
        let family = self.families.entry(definition.name).or_insert_with(|| definition.family());
        family.mut_metric().push(definition.metric(labels, value));
    }

    /// The figures as families.
    pub(super) fn into_families(self) -> impl Iterator<Item = MetricFamily> {
        self.families.into_values()
    }
}

impl Definition {
    fn family(&self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family
    }

    fn metric(&self, labels: &[&str], value: f64) -> Metric {
        let pairs = self.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = Metric::from_label(pairs.collect());
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text_of;

    #[test]
    fn a_figure_has_its_labels_and_its_kind() {
        let mut sample = Sample::default();
        sample.set_with("backscroll_retention_runs_total", &["failed"], 2.0);
        sample.set_with("backscroll_part_ok", &["postgres"], 1.0);
        sample.set_with("backscroll_part_ok", &["redis"], 0.0);
        let text = text_of(&sample.into_families().collect::<Vec<_>>()).expect("text");
        for line in [
            "# TYPE backscroll_part_ok gauge",
            r#"backscroll_part_ok{part="postgres"} 1"#,
            r#"backscroll_part_ok{part="redis"} 0"#,
            "# TYPE backscroll_retention_runs_total counter",
            r#"backscroll_retention_runs_total{outcome="failed"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn no_metric_is_defined_twice() {
        let names = DEFINITIONS.iter().map(|definition| definition.name).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names.len(), DEFINITIONS.len());
    }
}
