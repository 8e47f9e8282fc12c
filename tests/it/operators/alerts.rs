//! The table of metrics in docs/OPERATIONS.md, the alerts in deploy/prometheus, and `/metrics` agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use api::metrics::Metrics;
use tests::servers::checkout;

const RULES: &str = "deploy/prometheus/backscroll.rules.yml";

fn written(path: &str) -> String {
    fs::read_to_string(checkout().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words in code in a cell of a table.
fn code(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows of the table of metrics: the metric without its labels, and its alerts.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = written("docs/OPERATIONS.md");
    let (_, section) = page.split_once("\n## Watching it\n").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("| metric |")).skip(2).take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells = row.trim_matches('|').split(" | ").collect::<Vec<_>>();
        let [metrics, _, alerts] = cells[..] else { panic!("three cells: {row}") };
        for metric in code(metrics) {
            let name = metric.split('{').next().unwrap_or_default().to_owned();
            assert!(table.insert(name, code(alerts).collect()).is_none(), "{metric} has two rows");
        }
    }
    table
}

/// The alerts with their expressions.
fn rules() -> BTreeMap<String, String> {
    let rules = written(RULES);
    let rules = rules.split("- alert: ").skip(1).map(|rule| {
        let (name, rest) = rule.split_once('\n').expect("lines");
        let (_, rest) = rest.split_once("expr:").expect("an expression");
        // Up to the next key of the rule.
        let lines = rest.lines().enumerate().take_while(|(n, line)| *n == 0 || !line.trim_start().split(' ').next().is_some_and(is_key));
        (name.to_owned(), lines.map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" "))
    });
    rules.collect()
}

fn is_key(word: &str) -> bool {
    matches!(word, "for:" | "labels:" | "annotations:")
}

/// The metrics that an expression names. Those of a histogram have its name with an ending.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metrics = words.filter(|word| word.starts_with("backscroll_") || word.starts_with("process_"));
    let endings = ["_bucket", "_count", "_sum"];
    metrics.map(|word| endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word).to_owned()).collect()
}

fn names() -> BTreeSet<String> {
    Metrics::new().expect("metrics").names()
}

#[test]
fn the_table_has_every_metric_and_no_other() {
    let (table, names) = (table().into_keys().collect::<BTreeSet<_>>(), names());
    let (missing, too_many) = (names.difference(&table).collect::<Vec<_>>(), table.difference(&names).collect::<Vec<_>>());
    assert!(missing.is_empty() && too_many.is_empty(), "missing in docs/OPERATIONS.md: {missing:#?}; no metric: {too_many:#?}");
}

#[test]
fn every_alert_names_metrics_that_exist_and_stands_in_their_rows() {
    let (table, rules, names) = (table(), rules(), names());
    let mut belongs = BTreeMap::<String, BTreeSet<String>>::new();
    for (alert, expression) in &rules {
        let metrics = metrics_of(expression);
        assert!(!metrics.is_empty() || expression.contains("up{"), "{alert}: {expression}");
        let unknown = metrics.difference(&names).collect::<Vec<_>>();
        assert!(unknown.is_empty(), "{alert} names {unknown:?}");
        for metric in metrics {
            belongs.entry(metric).or_default().insert(alert.clone());
        }
    }
    for (metric, alerts) in table {
        assert_eq!(alerts, belongs.remove(&metric).unwrap_or_default(), "the alerts of {metric} in docs/OPERATIONS.md and in {RULES}");
    }
}

#[test]
fn an_expression_is_read_with_its_metrics() {
    let expression = r#"sum(rate(backscroll_http_request_seconds_count{status=~"5.."}[5m])) / process_max_fds > 0.02"#;
    assert_eq!(metrics_of(expression), BTreeSet::from(["backscroll_http_request_seconds".to_owned(), "process_max_fds".to_owned()]));
}

/// Runs promtool on copies of the files, because `services.sh` gives their folder to its service user.
fn promtool(arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(checkout().join("deploy/prometheus")).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    let mut command = Command::new(checkout().join("scripts/services.sh"));
    let output = command.arg("debian").arg(folder.path()).arg("promtool").args(arguments).output().expect("promtool");
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_takes_the_rules_and_the_example_and_the_alerts_fire_when_they_should() {
    promtool(&["check", "rules", "backscroll.rules.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "backscroll.rules.test.yml"]);
}
