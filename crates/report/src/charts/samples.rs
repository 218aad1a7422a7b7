//! What the agent's samples say of the last day: when each target was reached, when not, and when nobody tried.

use jiff::{SignedDuration, Timestamp};
use periscope_core::Inputs;
use periscope_documents::{ConnectionStretch, names};

use super::{elements, path};
use crate::chart::{Bars, Chart, ChartRow, Unit};
use crate::quantity;

/// What is shown: the agent keeps no more.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Columns of a strip, of five minutes each. What is shorter fills one, so that it is seen.
const COLUMNS: usize = 288;

pub(super) fn chart(inputs: &dyn Inputs) -> Option<Chart> {
    let file = path(inputs, names::NETWORK_OUTBOUND, names::SAMPLES);
    let stretches: Vec<ConnectionStretch> = elements(inputs, &file)?;
    let until = inputs.started();
    let from = until.checked_sub(WINDOW).ok()?;
    // Each connection's stand together.
    let of_one = stretches.chunk_by(|a, b| (&a.kind, &a.host, a.port) == (&b.kind, &b.host, b.port));
    let mut rows: Vec<_> = of_one.filter_map(|stretches| row(stretches, from, until)).collect();
    rows.sort_by_key(|row| !row.failed);
    Some(Chart {
        title: "Connections between runs".to_owned(),
        about:
            "What the agent's samples say of the 24 hours before the run, in steps of five minutes: tall is down, low \
                is up, a gap is a time in which nobody sampled."
                .to_owned(),
        files: vec![file],
        unit: Unit::Percent,
        bars: Bars::Strip,
        rows_are: "target".to_owned(),
        columns: ["up", "down", "not sampled"].map(str::to_owned).to_vec(),
        rows,
    })
}

/// The row of one target; `None` when it was not sampled in that time.
fn row(stretches: &[ConnectionStretch], from: Timestamp, until: Timestamp) -> Option<ChartRow> {
    let mut strip = vec![None; COLUMNS];
    let mut seconds = [0_u64; 2];
    let (mut downs, mut is_down, mut last_down) = (0_usize, false, None);
    let (mut samples, mut millis, mut worst) = (0_u64, 0_u64, 0);
    for (index, stretch) in stretches.iter().enumerate() {
        let next = stretches.get(index + 1).filter(|next| next.continues);
        let end = next.map_or(stretch.end, |next| next.start).min(until);
        let start = stretch.start.max(from);
        let is_up = stretch.is_connected();
        if start > end {
            continue;
        }
        seconds[usize::from(!is_up)] += u64::try_from(end.duration_since(start).as_secs()).unwrap_or(0);
        for column in strip
            .get_mut(column(start, from)..=column(end, from))
            .into_iter()
            .flatten()
        {
            // Of what happened in one step, the trouble is shown.
            *column = Some(column.unwrap_or(true) && is_up);
        }
        if is_up {
            samples += u64::from(stretch.samples);
            millis += stretch.mean_millis * u64::from(stretch.samples);
            worst = worst.max(stretch.worst_millis);
        } else {
            downs += usize::from(!(is_down && stretch.continues));
            last_down = Some(stretch);
        }
        is_down = !is_up;
    }
    let first = stretches.first()?;
    if strip.iter().all(Option::is_none) {
        return None;
    }
    let mut notes = Vec::new();
    if let Some(last) = last_down {
        let times = if downs == 1 {
            "once".to_owned()
        } else {
            format!("{downs} times")
        };
        let last_at = quantity::time(last.start);
        let why = last.status.trim_start_matches("Error: ");
        notes.push(format!(
            "down {times}, {} in all, last at {last_at}: {why}",
            quantity::millis(seconds[1] * 1000)
        ));
    }
    if let Some(mean) = millis.checked_div(samples) {
        notes.push(format!(
            "reached in {} on average, {} at most",
            quantity::millis(mean),
            quantity::millis(u64::from(worst))
        ));
    }
    let whole = WINDOW.as_secs().unsigned_abs();
    let not_sampled = whole.saturating_sub(seconds.iter().sum());
    Some(ChartRow {
        label: format!("{}: {}:{}", first.kind, first.host, first.port),
        values: [seconds[0], seconds[1], not_sampled]
            .map(|seconds| share(seconds, whole))
            .to_vec(),
        note: notes.join("; "),
        failed: last_down.is_some() && !first.optional,
        strip,
    })
}

/// The column of a moment.
fn column(at: Timestamp, from: Timestamp) -> usize {
    let seconds = at.duration_since(from).as_secs().max(0).unsigned_abs();
    let column = seconds * COLUMNS as u64 / WINDOW.as_secs().unsigned_abs();
    usize::try_from(column).map_or(COLUMNS - 1, |column| column.min(COLUMNS - 1))
}

/// Parts of a hundred; `None` of nothing, which is another thing than a little.
fn share(seconds: u64, whole: u64) -> Option<f64> {
    let thousandths = ((seconds * 1000 + whole / 2) / whole).max(1);
    (seconds > 0).then(|| f64::from(u16::try_from(thousandths).unwrap_or(1000)) / 10.0)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan};
    use periscope_documents::ConnectionStretch;

    use super::{COLUMNS, row};

    fn until() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    /// A stretch so many minutes before the end.
    fn stretch((from, to): (i64, i64), status: &str, continues: bool) -> ConnectionStretch {
        ConnectionStretch {
            kind: "AKS API Server".to_owned(),
            host: "api.example".to_owned(),
            port: 443,
            optional: false,
            start: until() - from.minutes(),
            end: until() - to.minutes(),
            samples: 10,
            status: status.to_owned(),
            mean_millis: 12,
            worst_millis: 340,
            continues,
        }
    }

    const DOWN: &str = "Error: TCP: refused";

    #[test]
    fn up_down_and_nobody_are_told_apart() {
        let stretches = [
            // Before the day that is shown, and into it.
            stretch((1500, 1000), "Connected", false),
            stretch((999, 994), DOWN, true),
            stretch((993, 720), "Connected", true),
            // Nobody sampled for two hours.
            stretch((600, 0), "Connected", false),
        ];
        let row = row(&stretches, until() - 24.hours(), until()).unwrap();
        assert_eq!(row.label, "AKS API Server: api.example:443");
        assert_eq!(row.values, [Some(91.3), Some(0.4), Some(8.3)]);
        assert!(row.failed);
        let why = "down once, 6 min 0 s in all, last at 2026-11-19 17:21:00: TCP: refused; reached in 12 ms on average, 340 ms at most";
        assert_eq!(row.note, why);
        let count = |state| row.strip.iter().filter(|column| **column == state).count();
        assert_eq!((row.strip.len(), count(Some(false)), count(None)), (COLUMNS, 2, 23));
        assert_eq!(
            (row.strip[88], row.strip[89], row.strip[150]),
            (Some(false), Some(false), None)
        );
    }

    #[test]
    fn one_failed_sample_is_seen() {
        let stretches = [stretch((60, 31), "Connected", false), stretch((30, 30), DOWN, false)];
        let row = row(&stretches, until() - 24.hours(), until()).unwrap();
        assert!(row.strip.contains(&Some(false)));
        assert!(row.note.starts_with("down once, 0 ms in all"), "{}", row.note);
    }

    #[test]
    fn what_is_outside_of_the_day_is_not_shown() {
        // Long ago, and by a clock that was set back since.
        for minutes in [(3000, 2000), (-100, -200)] {
            assert_eq!(
                row(&[stretch(minutes, DOWN, false)], until() - 24.hours(), until()),
                None
            );
        }
    }
}
