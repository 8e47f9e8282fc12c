//! The figures of the README equal those of `docs/benchmarks.json` and `docs/CHAOS.md`.

use serde_json::Value;

use super::{prose, written};

/// Units of measured figures. Outside the table of figures, the README must not use one of them after a number.
const UNITS: [&str; 9] = ["ms", "µs", "MB", "seconds", "events/s", "posts/s", "pages/s", "percent", "times"];

/// A row of the table: its text, its figure as written, and the code that names the figure's source.
struct Row<'a> {
    figure: &'a str,
    sources: Vec<&'a str>,
}

fn table(readme: &str) -> Vec<&str> {
    let (_, section) = readme.split_once("\n## A few figures\n").expect("the section");
    section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells = line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let [_, figure, source] = cells[..] else { panic!("three cells: {line}") };
    Row { figure, sources: source.split('`').skip(1).step_by(2).collect() }
}

/// The number of a figure such as `3,408 posts/s`, and the number of its decimals.
fn number(figure: &str) -> (f64, usize) {
    let digits = figure.split([' ', '×']).next().expect("a number").replace(',', "");
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (digits.parse().unwrap_or_else(|_| panic!("{figure} is no number")), decimals)
}

fn agrees(written: &str, measured: f64) -> bool {
    let (written, decimals) = number(written);
    format!("{measured:.decimals$}") == format!("{written:.decimals$}")
}

/// The lines of `docs/benchmarks.json` with this name.
fn measured<'a>(book: &'a Value, name: &str) -> Vec<&'a Value> {
    let lines = book.as_object().expect("rows").values().flat_map(|row| row["lines"].as_array().expect("lines"));
    lines.filter(|line| line["row"] == name).collect()
}

#[test]
fn every_figure_of_the_readme_equals_that_of_the_row_that_it_names() {
    let book: Value = serde_json::from_str(&written("docs/benchmarks.json")).expect("JSON");
    let readme = written("README.md");
    let rows = table(&readme);
    assert!(!rows.is_empty(), "the table of figures is empty");
    for line in rows {
        let Row { figure, sources } = row(line);
        let agrees = match sources[..] {
            [name] => measured(&book, name).iter().any(|found| {
                figure.ends_with(found["unit"].as_str().expect("a unit")) && agrees(figure, found["figure"].as_f64().expect("a figure"))
            }),
            [name, reference] => measured(&book, name).iter().any(|found| {
                figure.ends_with('×') && found["reference"] == reference && agrees(figure, found["ratio"].as_f64().expect("a ratio"))
            }),
            _ => false,
        };
        assert!(agrees, "docs/benchmarks.json has no such figure: {line}");
    }
}

#[test]
fn the_readme_has_no_measured_figure_outside_its_table() {
    let readme = written("README.md");
    for line in prose(&readme).filter(|line| !table(&readme).contains(line)) {
        let words = line.split(|c: char| c.is_whitespace() || "(),;:.".contains(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>();
        let figure = words.windows(2).find(|pair| pair[0].starts_with(|c: char| c.is_ascii_digit()) && UNITS.contains(&pair[1]));
        assert!(figure.is_none() && !line.contains('×'), "a figure without a row: {line}");
    }
}

/// The rounds of `make chaos`: all rounds, and those of campaigns that ended before the last judgement.
fn rounds() -> (u64, u64) {
    let page = written("docs/CHAOS.md");
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| run | rounds |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter(|line| line.contains("`make chaos"));
    let (mut all, mut unjudged) = (0, 0);
    for line in rows {
        let cells = line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
        let rounds = cells[1].parse::<u64>().expect("a number of rounds");
        all += rounds;
        unjudged += if cells[2] == "no" { rounds } else { 0 };
    }
    (all, unjudged)
}

#[test]
fn the_rounds_of_faults_that_the_readme_names_are_the_sum_of_the_table() {
    let (all, unjudged) = rounds();
    let readme = written("README.md");
    for (number, of) in [(all, "rounds"), (unjudged, "of these rounds")] {
        let said = format!("{number} {of}");
        assert!(readme.contains(&said), "the rounds of docs/CHAOS.md sum to: {said}");
    }
}
