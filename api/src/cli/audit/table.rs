//! Tables of entries, for people.

use ledger::audit::Entry;

/// The most characters of a column.
const COLUMN_CHARS_MAX: usize = 40;

/// A table of entries: position, time, actor, event, aggregate, address.
pub(super) fn table(entries: &[Entry]) -> String {
    let head = ["POSITION", "TIME (UTC)", "ACTOR", "EVENT", "AGGREGATE", "ADDRESS"].map(str::to_owned);
    let rows = [head].into_iter().chain(entries.iter().map(row)).collect::<Vec<_>>();
    aligned(&rows)
}

/// One line of a table without an end. The width of its columns is fixed.
pub(super) fn line(entry: &Entry) -> String {
    let [position, time, actor, event, aggregate, address] = row(entry);
    format!("{position:>9}  {time}  {actor:<20} {event:<30} {aggregate:<30} {address}").trim_end().to_owned()
}

fn row(entry: &Entry) -> [String; 6] {
    let at = entry.recorded_at.format("%Y-%m-%d %H:%M:%S").to_string();
    let event = if entry.withheld { format!("{} (text withheld)", entry.event_type) } else { entry.event_type.clone() };
    [entry.position.to_string(), at, cut(&actor(entry)), cut(&event), cut(&aggregate(entry)), entry.address.clone().unwrap_or_default()]
}

fn actor(entry: &Entry) -> String {
    let name = entry.by.as_ref().or(entry.actor_name.as_ref());
    name.cloned().unwrap_or_else(|| entry.actor_id.to_string())
}

fn aggregate(entry: &Entry) -> String {
    match (entry.aggregate_type.as_str(), &entry.aggregate_name, &entry.channel_name) {
        ("channel", Some(name), _) => format!("#{name}"),
        ("message", _, Some(channel)) => format!("a message in #{channel}"),
        (kind, Some(name), _) => format!("{kind} {name}"),
        (kind, None, _) => format!("{kind} {}", entry.aggregate_id),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= COLUMN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(COLUMN_CHARS_MAX - 1).chain(['…']).collect()
}

/// Makes columns as wide as their widest cell. The first column is aligned to the right.
fn aligned(rows: &[[String; 6]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let line = |row: &[String; 6]| {
        let pad = |column: usize| " ".repeat(widths[column] - row[column].chars().count());
        let cells = (1..6).map(|column| format!("{}{}", row[column], pad(column))).collect::<Vec<_>>();
        format!("{}{}  {}", pad(0), row[0], cells.join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_in_any_script() {
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let text = aligned(&[row(["7", "t", "ann", "x", "#a", ""]), row(["4711", "t", "zoë", "xyz", "#b", "::1"])]);
        assert_eq!(text, "   7  t  ann  x    #a\n4711  t  zoë  xyz  #b  ::1");
        assert_eq!(cut(&"x".repeat(50)).chars().count(), COLUMN_CHARS_MAX);
    }
}
