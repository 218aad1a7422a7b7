//! Pressure stall information: the share of time in which tasks waited (<https://docs.kernel.org/accounting/psi.html>).

use periscope_core::Inputs;
use periscope_documents::names;

use super::{path, text};
use crate::chart::{Bars, Chart, ChartRow, Unit};

/// The files of the kernel, and what tasks wait for.
const FILES: [(&str, &str); 3] = [
    (names::CPU_PRESSURE, "processor"),
    (names::MEMORY_PRESSURE, "memory"),
    (names::IO_PRESSURE, "disk"),
];
/// The averages of a line, by their lengths in seconds.
const AVERAGES: [&str; 3] = ["avg10", "avg60", "avg300"];

pub(super) fn chart(inputs: &dyn Inputs) -> Option<Chart> {
    let mut rows = Vec::new();
    let mut files = Vec::new();
    for (name, resource) in FILES {
        let file = path(inputs, names::SYSTEM, name);
        let Some(text) = text(inputs, &file) else { continue };
        rows.extend(text.lines().filter_map(|line| row(resource, line)));
        files.push(file);
    }
    (!rows.is_empty()).then(|| Chart {
        title: "Pressure".to_owned(),
        about: "Share of the last 10, 60 and 300 seconds in which tasks waited.".to_owned(),
        files,
        unit: Unit::Percent,
        bars: Bars::EachColumn,
        rows_are: "waiting for".to_owned(),
        columns: ["10 s", "60 s", "5 min"].map(str::to_owned).to_vec(),
        rows,
    })
}

/// A line such as `some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459`.
fn row(resource: &str, line: &str) -> Option<ChartRow> {
    let mut words = line.split_whitespace();
    let note = match words.next()? {
        "some" => "at least one task",
        "full" => "all tasks at once",
        _ => return None,
    };
    let values: Vec<_> = AVERAGES
        .iter()
        .map(|average| {
            let value = |word: &str| word.strip_prefix(average)?.strip_prefix('=')?.parse().ok();
            words.clone().find_map(value)
        })
        .collect();
    values.iter().any(Option::is_some).then(|| ChartRow {
        label: resource.to_owned(),
        values,
        note: note.to_owned(),
        failed: false,
        ..ChartRow::default()
    })
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn a_line_of_the_kernel_is_a_row() {
        let row = row("memory", "full avg10=0.22 avg60=0.00 avg300=12.50 total=58761459").unwrap();
        assert_eq!(row.values, [Some(0.22), Some(0.0), Some(12.5)]);
        assert_eq!(row.note, "all tasks at once");
        assert_eq!(super::row("memory", "Operation not supported"), None);
        assert_eq!(super::row("memory", "some"), None);
    }
}
