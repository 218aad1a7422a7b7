//! The limits: how long the parts of the pipeline take alone, measured by the example `parts` of `periscope-bundle`,
//! which is built with the same optimisation as the product.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::run;
use crate::services::place::target;

/// One part of the pipeline alone.
pub(super) struct Part {
    pub(super) name: String,
    /// What went in.
    pub(super) bytes: u64,
    /// What came out, where that is of interest.
    pub(super) result: u64,
    pub(super) seconds: f64,
}

/// Runs the parts over the files, on the same cores as everything else.
pub(super) fn measure(pinned: &[&str], files: &[PathBuf]) -> Result<Vec<Part>> {
    let mut words = pinned.iter();
    let mut command = Command::new(words.next().context("no command")?);
    command
        .args(words)
        .arg(target().join("release/examples/parts"))
        .args(files);
    run(&mut command)?.lines().map(part).collect()
}

fn part(line: &str) -> Result<Part> {
    let mut fields = line.split('\t');
    let mut field = || fields.next().with_context(|| format!("unexpected line {line:?}"));
    Ok(Part {
        name: field()?.to_owned(),
        bytes: field()?.parse()?,
        result: field()?.parse()?,
        seconds: field()?.parse()?,
    })
}
