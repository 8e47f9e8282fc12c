//! The table and the JSON.

use std::fmt::Write as _;

use serde::Serialize;
use tests::servers::checkout;

use crate::harness::Runs;

/// One line of the table.
#[derive(Serialize)]
struct Line {
    row: String,
    figure: f64,
    unit: &'static str,
    reference: String,
    ratio: Option<f64>,
    goal: String,
    met: Option<bool>,
    #[serde(skip)]
    spread: String,
}

/// Every line that was measured.
#[derive(Default)]
pub struct Report(Vec<Line>);

impl Report {
    /// A figure against a reference of the same run, and the least ratio that is wanted.
    pub fn compare(&mut self, row: &str, unit: &'static str, subject: &Runs, reference: (&str, &Runs), goal: Option<f64>) {
        let ratio = subject.median() / reference.1.median();
        let (low, high) = subject.range();
        let line = Line {
            row: row.into(),
            figure: subject.median().round(),
            unit,
            reference: format!("{} ({:.0})", reference.0, reference.1.median()),
            ratio: Some((ratio * 100.0).round() / 100.0),
            goal: goal.map_or_else(|| "stated".into(), |goal| format!("≥ {goal}×")),
            met: goal.map(|goal| ratio >= goal),
            spread: format!("{low:.0}–{high:.0}"),
        };
        println!("{:<34} {:>9.0} {:<10} {:>6.2}× {:<34} {}", line.row, line.figure, unit, ratio, line.reference, line.goal);
        self.0.push(line);
    }

    /// Writes the JSON, and the page where every row was measured.
    pub fn write(&self, is_whole: bool) {
        if self.0.is_empty() {
            return println!("no row has that name");
        }
        let json = serde_json::to_string_pretty(&self.0).expect("JSON");
        std::fs::write(checkout().join("target/bench.json"), json).expect("target/bench.json");
        if is_whole {
            std::fs::write(checkout().join("docs/BENCHMARKS.md"), self.markdown()).expect("docs/BENCHMARKS.md");
        }
    }

    fn markdown(&self) -> String {
        let mut page = String::from(
            "# Benchmarks\n\nWritten by `make bench`. Every figure is a median of five runs, turn about with its reference; what counts is the\nratio: the machine is shared, and its absolute times mean little.\n\n",
        );
        let _ = writeln!(page, "Machine: {}.\n", machine());
        page.push_str(
            "| row | figure | spread | unit | reference (its figure) | ratio | goal | met |\n|---|---|---|---|---|---|---|---|\n",
        );
        for line in &self.0 {
            let met = line.met.map_or("", |met| if met { "yes" } else { "**no**" });
            let ratio = line.ratio.map(|ratio| format!("{ratio:.2}×")).unwrap_or_default();
            let Line { row, figure, spread, unit, reference, goal, .. } = line;
            let _ = writeln!(page, "| {row} | {figure:.0} | {spread} | {unit} | {reference} | {ratio} | {goal} | {met} |");
        }
        page
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or_default();
    format!("{cores} cores, {} GiB of memory", kilobytes / 1_048_576)
}
