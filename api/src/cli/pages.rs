//! Pages of lists, for people and for programs. A list for people has a line of names first. For programs, each line is
//! one JSON object. If there is a further page, the standard error says how to get it.

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use uuid::Uuid;

use super::{Failure, print};

/// The arguments of a list.
#[derive(Debug, Args)]
pub(super) struct PageArguments {
    /// Only those after that identifier: the last one of the previous page.
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<Uuid>,
    /// The most to list.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print one JSON line for each.
    #[arg(long)]
    json: bool,
}

impl PageArguments {
    /// How many to ask for: one more than a page shows, to know whether there is a further page.
    pub(super) fn asked_for(&self) -> u16 {
        self.limit + 1
    }

    /// Prints a page.
    pub(super) fn print<T: Serialize>(
        &self,
        found: &[T],
        names: [&str; 6],
        cells: impl Fn(&T) -> Vec<String>,
        id: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        let page = &found[..found.len().min(usize::from(self.limit))];
        if self.json {
            let lines = page.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
            print_unless_empty(&lines.context("a row cannot be written as JSON")?.join("\n"))?;
        } else {
            let names = names.map(str::to_owned).to_vec();
            print(&columns(&std::iter::once(names).chain(page.iter().map(cells)).collect::<Vec<_>>()))?;
        }
        if let Some(last) = page.last().filter(|_| found.len() > page.len()) {
            eprintln!("there are more: --after {}", id(last));
        }
        Ok(())
    }
}

fn print_unless_empty(text: &str) -> Result<(), Failure> {
    if text.is_empty() { Ok(()) } else { print(text) }
}

/// Makes columns as wide as their widest cell.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths = (0..count).map(width).collect::<Vec<_>>();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_in_any_script() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = columns(&[row(["ID", "NAME", "ROLE"]), row(["1", "zoë", "operator"]), row(["22", "ann maria", ""])]);
        assert_eq!(text, "ID  NAME       ROLE\n1   zoë        operator\n22  ann maria");
    }
}
