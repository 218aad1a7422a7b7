//! Reads what has samples out of the artifacts. A document that is absent or unreadable has no chart: to say so is for
//! the manifest and the analyzers.

mod disks;
mod latencies;
mod pressure;
mod samples;

use std::io::Read;

use periscope_core::{ArtifactPath, Inputs, Place};
use periscope_documents::from_lines;
use serde::de::DeserializeOwned;

use crate::chart::Chart;

/// Largest document that is read. They have some kilobytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The charts of a node, in the order in which the page shows them.
pub fn charts(inputs: &dyn Inputs) -> Vec<Chart> {
    let charts = [
        latencies::connections(inputs),
        samples::chart(inputs),
        latencies::lookups(inputs),
        latencies::api_calls(inputs),
        pressure::chart(inputs),
        disks::chart(inputs),
    ];
    charts
        .into_iter()
        .flatten()
        .filter(|chart| !chart.rows.is_empty())
        .collect()
}

pub(crate) fn path(inputs: &dyn Inputs, action: &str, name: &str) -> ArtifactPath {
    Place::Node.path(inputs.node(), action, name)
}

pub(crate) fn text(inputs: &dyn Inputs, path: &ArtifactPath) -> Option<String> {
    let mut text = String::new();
    let reader = inputs.open(path).ok()??;
    reader.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

fn elements<T: DeserializeOwned>(inputs: &dyn Inputs, path: &ArtifactPath) -> Option<Vec<T>> {
    let elements = from_lines(&text(inputs, path)?).ok()?;
    Some(elements.into_iter().map(|(_, element)| element).collect())
}

/// A number that is drawn. What is beyond the range is off the scale anyway.
fn value(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
