//! The figures as text. They are compared with what the product promises, and nothing depends on the outcome.

use std::fmt::{self, Display, Formatter};

use super::fixture::LARGER;
use super::measure::Cost;
use super::parts::Part;

const MIB: f64 = 1024.0 * 1024.0;

/// Two sides that ran by turns.
#[derive(Default)]
pub(super) struct Contest {
    pub(super) ours: Vec<Cost>,
    pub(super) theirs: Vec<Cost>,
    pub(super) our_bytes: u64,
    pub(super) their_bytes: u64,
}

impl Contest {
    fn time_ratio(&self) -> f64 {
        median(&self.ours, |cost| cost.wall) / median(&self.theirs, |cost| cost.wall)
    }

    fn processor_ratio(&self) -> f64 {
        median(&self.ours, |cost| cost.cpu) / median(&self.theirs, |cost| cost.cpu)
    }

    fn size_ratio(&self) -> f64 {
        mebibytes(self.our_bytes) / mebibytes(self.their_bytes)
    }
}

/// Everything that one run of the bench found.
pub(super) struct Report {
    pub(super) machine: Vec<(&'static str, String)>,
    pub(super) runs: usize,
    /// Bytes of the pods' log files, as they lie on the disk.
    pub(super) log_bytes: u64,
    pub(super) journal_bytes: u64,
    /// Against `zcat | pigz`.
    pub(super) pods: Contest,
    /// Against `journalctl | pigz`.
    pub(super) journal: Contest,
    /// With the scan and the analyzers against without, in a run of the example `scan_in_a_run`.
    pub(super) scanned_pods: Contest,
    /// The same for the journal.
    pub(super) scanned_journal: Contest,
    /// With a limit against without.
    pub(super) memory: Contest,
    /// With more load, within the limit.
    pub(super) larger: Cost,
    pub(super) parts: Vec<Part>,
}

impl Report {
    /// The page of the documentation.
    pub(super) fn as_page(&self) -> String {
        let machine: Vec<_> = self
            .machine
            .iter()
            .map(|(what, is)| format!("| {what} | {is} |"))
            .collect();
        format!(
            "# Benchmarks\n\n\
             Measured by `cargo xtask bench collect --runs {} --write`, which makes the node it measures, needs root for the \
             memory cgroup, and takes some minutes. The two sides of a comparison run by turns on the same two cores, \
             redaction on. Where the time goes is in [the profile](design/profile.md).\n\n\
             | Machine | |\n|---|---|\n{}\n\n{self}",
            self.runs,
            machine.join("\n")
        )
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let lines = self.parts.iter().map(|part| part.bytes).max().unwrap_or(0);
        writeln!(
            out,
            "The node: {:.0} MiB of container log lines in {:.0} MiB of files; {:.0} MiB of journal files.\n",
            mebibytes(lines),
            mebibytes(self.log_bytes),
            mebibytes(self.journal_bytes)
        )?;
        self.promises(out)?;
        self.figures(out)?;
        self.limits(out)
    }
}

impl Report {
    fn promises(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            pods,
            journal,
            scanned_pods,
            scanned_journal,
            memory,
            ..
        } = self;
        writeln!(out, "## Promises\n")?;
        writeln!(
            out,
            "| Of the medians of {} runs | Measured | At most |\n|---|---:|---:|",
            self.runs
        )?;
        for (what, measured, at_most) in [
            (
                "Time of container logs, against `zcat -f \\| pigz -p2 -6`",
                pods.time_ratio(),
                0.7,
            ),
            ("Size of their archive, against the same", pods.size_ratio(), 1.05),
            (
                "Time of the journal, against `journalctl -D \\| pigz -p2 -6`",
                journal.time_ratio(),
                0.6,
            ),
            (
                "Processor time of container logs with the scan and the analyzers, against without",
                scanned_pods.processor_ratio(),
                1.1,
            ),
            (
                "Time of container logs with them, against without",
                scanned_pods.time_ratio(),
                1.1,
            ),
            (
                "Processor time of the journal with the scan and the analyzers, against without",
                scanned_journal.processor_ratio(),
                1.1,
            ),
            (
                "Time of the journal with them, against without",
                scanned_journal.time_ratio(),
                1.1,
            ),
            (
                "Time of both in 64 MiB of memory, against without a limit",
                memory.time_ratio(),
                1.15,
            ),
        ] {
            writeln!(out, "| {what} | {measured:.2} | {at_most:.2} |")?;
        }
        // The bench breaks off at the first.
        writeln!(out, "| Processes killed for want of memory | 0 | 0 |")?;
        let peaks = memory.ours.iter().map(|cost| mebibytes(cost.anonymous));
        writeln!(
            out,
            "| Anonymous memory with {LARGER} times the load, MiB | {:.1} | as with the load itself: {:.1} |",
            mebibytes(self.larger.anonymous),
            peaks.fold(0.0, f64::max)
        )
    }

    fn figures(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            pods,
            journal,
            scanned_pods,
            scanned_journal,
            memory,
            ..
        } = self;
        writeln!(
            out,
            "\n## Figures\n\n\
             | | Seconds: least | median | most | CPU seconds | Read, MiB | Written, MiB | Anonymous, MiB | Temporary, MiB | Result, MiB |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        for (what, costs, bytes) in [
            ("container logs: collect", &*pods.ours, Some(pods.our_bytes)),
            (
                "container logs: `zcat -f \\| pigz -p2 -6`",
                &pods.theirs,
                Some(pods.their_bytes),
            ),
            ("journal: collect", &journal.ours, Some(journal.our_bytes)),
            (
                "journal: `journalctl -D \\| pigz -p2 -6`",
                &journal.theirs,
                Some(journal.their_bytes),
            ),
            (
                "container logs: the same run with the scan and the analyzers",
                &scanned_pods.ours,
                Some(scanned_pods.our_bytes),
            ),
            (
                "container logs: that run without them",
                &scanned_pods.theirs,
                Some(scanned_pods.their_bytes),
            ),
            (
                "journal: the same run with the scan and the analyzers",
                &scanned_journal.ours,
                Some(scanned_journal.our_bytes),
            ),
            (
                "journal: that run without them",
                &scanned_journal.theirs,
                Some(scanned_journal.their_bytes),
            ),
            (
                "both in 64 MiB, from the disk: collect",
                &memory.ours,
                Some(memory.our_bytes),
            ),
            ("both, from the disk: collect", &memory.theirs, Some(memory.their_bytes)),
            (
                "both in 64 MiB with more load, from the disk: collect",
                &[self.larger],
                None,
            ),
        ] {
            row(out, what, costs, bytes)?;
        }
        writeln!(
            out,
            "\nWith the scan and the analyzers, and without them, is a run of the example `scan_in_a_run` of `periscope-cli`: the \
             same action, redaction, checksums, deflate, spool and archive, but no page."
        )?;
        writeln!(
            out,
            "\nRead and written are what the programs asked of the system. Anonymous memory and temporary disk space are \
             those of the product; for a pipeline they are the shell's and say nothing. Temporary are the files without a \
             name: the spool, and the archive until it gets its own."
        )
    }

    fn limits(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\n## Limits\n\nThe parts alone on the container logs, on two threads. Redacting and hashing take the inflating with them.\n\n\
             | | Seconds | MiB/s | In, MiB | Out, MiB |\n|---|---:|---:|---:|---:|"
        )?;
        for part in &self.parts {
            let Part {
                name,
                bytes,
                result,
                seconds,
            } = part;
            let bytes = mebibytes(*bytes);
            let rate = bytes / seconds;
            write!(out, "| {name} | {seconds:.2} | {rate:.0} | {bytes:.0} |")?;
            match result {
                0 => writeln!(out, " |")?,
                result => writeln!(out, " {:.1} |", mebibytes(*result))?,
            }
        }
        Ok(())
    }
}

fn row(out: &mut Formatter<'_>, what: &str, costs: &[Cost], bytes: Option<u64>) -> fmt::Result {
    let wall = |cost: &Cost| cost.wall;
    let most = |of: fn(&Cost) -> u64| mebibytes(costs.iter().map(of).max().unwrap_or(0));
    let walls = || costs.iter().map(wall);
    writeln!(
        out,
        "| {what} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.1} | {:.0} | {} |",
        walls().fold(f64::INFINITY, f64::min),
        median(costs, wall),
        walls().fold(0.0, f64::max),
        median(costs, |cost| cost.cpu),
        most(|cost| cost.read),
        most(|cost| cost.written),
        most(|cost| cost.anonymous),
        most(|cost| cost.temporary),
        bytes.map_or_else(String::new, |bytes| format!("{:.1}", mebibytes(bytes))),
    )
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<_> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len() % 2 == 0 => f64::midpoint(*low, *high),
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::measure::Cost;
    use super::median;

    #[rstest]
    #[case::one(&[3.0], 3.0)]
    #[case::odd(&[9.0, 1.0, 2.0], 2.0)]
    #[case::even(&[4.0, 1.0, 2.0, 9.0], 3.0)]
    #[case::none(&[], 0.0)]
    fn the_median_is_the_middle(#[case] walls: &[f64], #[case] expected: f64) {
        let costs: Vec<_> = walls
            .iter()
            .map(|wall| Cost {
                wall: *wall,
                ..Cost::default()
            })
            .collect();
        assert!((median(&costs, |cost| cost.wall) - expected).abs() < 1e-9);
    }
}
