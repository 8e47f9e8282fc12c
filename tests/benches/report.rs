//! The lines of the table.

use serde::{Deserialize, Serialize};

use crate::runs::Runs;

/// The goal of a ratio, or of a figure without a reference.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    Stated,
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn told(self, unit: &str) -> String {
        match self {
            Self::Stated => "stated".into(),
            Self::AtLeast(least) => format!("≥ {}{unit}", grouped(least)),
            Self::AtMost(most) => format!("≤ {}{unit}", grouped(most)),
        }
    }

    fn is_met(self, found: f64) -> Option<bool> {
        match self {
            Self::Stated => None,
            Self::AtLeast(least) => Some(found >= least),
            Self::AtMost(most) => Some(found <= most),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub row: String,
    pub figure: f64,
    pub unit: String,
    /// The name of the reference.
    pub reference: Option<String>,
    /// The median of the ratios of the paired runs.
    pub ratio: Option<f64>,
    pub goal: String,
    pub met: Option<bool>,
    /// The lowest and the highest figure.
    pub spread: (f64, f64),
    pub reference_figure: Option<f64>,
    pub ratio_spread: Option<(f64, f64)>,
}

impl Line {
    /// Rounds the figures to the digits that have a meaning.
    fn rounded(self) -> Self {
        let pair = |(low, high)| (thousandths(low), thousandths(high));
        Self {
            figure: thousandths(self.figure),
            ratio: self.ratio.map(thousandths),
            spread: pair(self.spread),
            reference_figure: self.reference_figure.map(thousandths),
            ratio_spread: self.ratio_spread.map(pair),
            ..self
        }
    }
}

fn thousandths(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

/// The lines of one row, in the order of their measurement.
#[derive(Default)]
pub struct Report {
    pub lines: Vec<Line>,
    /// The measured data, in a sentence.
    pub data: String,
}

impl Report {
    /// Sets the description of the measured data.
    pub fn over(&mut self, data: impl Into<String>) {
        self.data = data.into();
    }

    /// Adds a figure with its reference. Both were measured in turns. The goal is for the ratio.
    pub fn compare(&mut self, row: impl Into<String>, unit: &str, subject: &Runs, reference: (&str, &Runs), goal: Goal) {
        let ratios = subject.ratios(reference.1);
        self.push(Line {
            row: row.into(),
            figure: subject.median(),
            unit: unit.into(),
            reference: Some(reference.0.into()),
            ratio: Some(ratios.median()),
            goal: goal.told("×"),
            met: goal.is_met(ratios.median()),
            spread: subject.range(),
            reference_figure: Some(reference.1.median()),
            ratio_spread: Some(ratios.range()),
        });
    }

    /// Adds a figure without a reference.
    pub fn state(&mut self, row: impl Into<String>, unit: &str, subject: &Runs, goal: Goal) {
        self.push(Line {
            row: row.into(),
            figure: subject.median(),
            unit: unit.into(),
            reference: None,
            ratio: None,
            goal: goal.told(&format!(" {unit}")),
            met: goal.is_met(subject.median()),
            spread: subject.range(),
            reference_figure: None,
            ratio_spread: None,
        });
    }

    fn push(&mut self, line: Line) {
        let reference = line.reference.as_ref().map(|name| format!("{name} ({})", number(line.reference_figure.unwrap_or_default())));
        println!(
            "{:<42} {:>9} {:<9} {:>7} {:<46} {:<16} {}",
            line.row,
            number(line.figure),
            line.unit,
            line.ratio.map(times).unwrap_or_default(),
            reference.unwrap_or_default(),
            line.goal,
            met(line.met),
        );
        self.lines.push(line.rounded());
    }
}

pub fn met(met: Option<bool>) -> &'static str {
    met.map_or("", |met| if met { "yes" } else { "**no**" })
}

pub fn times(ratio: f64) -> String {
    format!("{}×", number(ratio))
}

/// The number with three significant digits, or with all digits before the point.
pub fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => grouped(figure.round()),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// The number with commas between thousands.
fn grouped(figure: f64) -> String {
    let text = figure.to_string();
    let whole = text.split('.').next().unwrap_or_default().len();
    let mut grouped = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
