//! `docs/BENCHMARKS.md`: this code writes the part between the two marks, and people write the rest.

use std::fmt::Write as _;

use tests::servers::checkout;

use crate::book::{Book, Measured};
use crate::report::{Line, met, number, times};

const BEGIN: &str = "<!-- Written by `make bench` from docs/benchmarks.json, up to the next mark. -->";
const END: &str = "<!-- Up to here. -->";

/// Writes the generated part of the page.
pub fn write(book: &Book, names: &[&str]) {
    let file = checkout().join("docs/BENCHMARKS.md");
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    let ours = format!("{BEGIN}\n\n{}\n{END}", tables(book, names));
    let whole = match (page.split_once(BEGIN), page.split_once(END)) {
        (Some((before, _)), Some((_, after))) => format!("{before}{ours}{after}"),
        _ => format!("# Benchmarks\n\n{ours}\n"),
    };
    std::fs::write(file, whole).expect("docs/BENCHMARKS.md");
}

fn tables(book: &Book, names: &[&str]) -> String {
    let measured = names.iter().filter_map(|name| Some((*name, book.0.get(*name)?))).collect::<Vec<_>>();
    let mut text = String::from(
        "| row | figure | spread | reference | its figure | ratio | spread | goal | met |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in measured.iter().flat_map(|(_, measured)| &measured.lines) {
        text.push_str(&in_table(line));
    }
    text.push_str(
        "\nWhat was measured when, and over what:\n\n| row | measured | commit | took | 8 kB to disk | data |\n|---|---|---|---|---|---|\n",
    );
    for (name, Measured { date, commit, seconds, disk_sync_ms, data, .. }) in &measured {
        let _ = writeln!(text, "| {name} | {date} | {commit} | {seconds} s | {} ms | {data} |", number(*disk_sync_ms));
    }
    text.push_str(&on_what(&measured));
    text
}

fn in_table(line: &Line) -> String {
    let (low, high) = line.spread;
    let reference = line.reference.as_deref().unwrap_or_default();
    let its = line.reference_figure.map(number).unwrap_or_default();
    let ratio = line.ratio.map(times).unwrap_or_default();
    let ratio_spread = line.ratio_spread.map(|(low, high)| format!("{}–{}", number(low), number(high))).unwrap_or_default();
    format!(
        "| {row} | {figure} {unit} | {low}–{high} | {reference} | {its} | {ratio} | {ratio_spread} | {goal} | {met} |\n",
        row = line.row,
        figure = number(line.figure),
        unit = line.unit,
        low = number(low),
        high = number(high),
        goal = line.goal,
        met = met(line.met),
    )
}

/// The machine and the versions. There are several if rows were measured on different ones.
fn on_what(measured: &[(&str, &Measured)]) -> String {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, measured) in measured {
        let kind = format!("{}; {}", measured.hardware, measured.versions);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, names)) => names.push(name),
            None => kinds.push((kind, vec![name])),
        }
    }
    let mut text = String::from("\n");
    for (kind, names) in &kinds {
        let which = if kinds.len() == 1 { "All rows".to_owned() } else { names.join(", ") };
        let _ = writeln!(text, "{which}: {kind}.");
    }
    text
}
