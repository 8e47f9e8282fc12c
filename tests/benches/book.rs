//! The figures that are kept between runs: `docs/benchmarks.json`, row by row. So rows that are measured separately
//! appear on one page.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tests::servers::checkout;

use crate::report::{Line, Report};
use crate::{machine, page};

/// The figures of a row, when it was last measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    pub date: String,
    pub commit: String,
    pub hardware: String,
    pub versions: String,
    /// The time for the disk to store 8 kB, in milliseconds.
    pub disk_sync_ms: f64,
    pub seconds: u64,
    pub data: String,
    pub lines: Vec<Line>,
}

/// The last figures of every row, by the row's name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Book(pub BTreeMap<String, Measured>);

/// One line of `target/bench.json`.
#[derive(Serialize)]
struct Flat<'a> {
    row: &'a str,
    figure: f64,
    unit: &'a str,
    reference: Option<&'a str>,
    ratio: Option<f64>,
    goal: &'a str,
    met: Option<bool>,
}

impl Book {
    /// The stored figures, or none if the file does not exist.
    pub fn open() -> Self {
        std::fs::read_to_string(file()).map_or_else(|_| Self::default(), |text| serde_json::from_str(&text).expect("docs/benchmarks.json"))
    }

    /// Replaces the figures of a row.
    pub async fn take(&mut self, name: &str, report: Report, took: Duration) {
        let measured = Measured {
            date: machine::today(),
            commit: machine::commit(),
            hardware: machine::hardware(),
            versions: machine::versions().await,
            disk_sync_ms: machine::disk_sync(),
            seconds: took.as_secs(),
            data: report.data,
            lines: report.lines,
        };
        self.0.insert(name.into(), measured);
    }

    /// Writes the file, the JSON for programs, and the page, in the order of `names`.
    pub fn write(&self, names: &[&str]) {
        std::fs::write(file(), serde_json::to_string_pretty(self).expect("JSON") + "\n").expect("docs/benchmarks.json");
        let measured = names.iter().filter_map(|name| self.0.get(*name)).flat_map(|measured| &measured.lines);
        let flat = measured.map(|line| Flat {
            row: &line.row,
            figure: line.figure,
            unit: &line.unit,
            reference: line.reference.as_deref(),
            ratio: line.ratio,
            goal: &line.goal,
            met: line.met,
        });
        let json = serde_json::to_string_pretty(&flat.collect::<Vec<_>>()).expect("JSON");
        std::fs::write(checkout().join("target/bench.json"), json + "\n").expect("target/bench.json");
        page::write(self, names);
    }
}

fn file() -> PathBuf {
    checkout().join("docs/benchmarks.json")
}
