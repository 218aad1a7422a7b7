//! Processes, named as an operator knows them, and the largest of them.

use periscope_core::{AnalyzeError, Evidence, Inputs};
use periscope_documents::{Process, names};

use super::input::{self, Input, Rows};
use super::words::owner;

/// The processes of the node, if they are known.
pub(super) struct Processes(Option<Rows<Process>>);

impl Processes {
    pub(super) fn of(inputs: &dyn Inputs) -> Result<Self, AnalyzeError> {
        let rows: Input<Rows<Process>> = input::rows(inputs, names::PROCESSES)?;
        Ok(Self(rows.known()))
    }

    /// The `count` processes with most of something: words for each, and its line. What has less than `least` is left
    /// out.
    pub(super) fn largest(
        &self,
        count: usize,
        least: u64,
        amount: impl Fn(&Process) -> u64,
        words: impl Fn(u64) -> String,
    ) -> (Vec<String>, Vec<Evidence>) {
        let Some(rows) = &self.0 else { return Default::default() };
        let mut found: Vec<_> = rows
            .rows
            .iter()
            .map(|(line, process)| (amount(process), *line, process))
            .filter(|(amount, ..)| *amount >= least)
            .collect();
        found.sort_by_key(|(amount, line, _)| (std::cmp::Reverse(*amount), *line));
        found.truncate(count);
        found
            .into_iter()
            .map(|(amount, line, process)| (format!("{} with {}", name(process), words(amount)), rows.evidence(line)))
            .unzip()
    }
}

/// `java (pid 4321, container app of pod default/app-0)`
pub(super) fn name(process: &Process) -> String {
    match owner(process.pod.as_deref(), process.container.as_deref()) {
        Some(owner) => format!("{} (pid {}, {owner})", process.name, process.pid),
        None => format!("{} (pid {})", process.name, process.pid),
    }
}
