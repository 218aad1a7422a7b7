//! Azurite, the blob service, in the versions that `tests/services/azurite` pins.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cache::Cache;
use super::place;
use crate::command::run;

const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

pub(crate) fn install(cache: &Cache) -> Result<PathBuf> {
    let source = place::workspace().join("tests/services/azurite");
    let contents: Vec<Vec<u8>> = MANIFESTS
        .iter()
        .map(|name| fs::read(source.join(name)).with_context(|| format!("cannot read {name} of Azurite")))
        .collect::<Result<_>>()?;
    let inputs: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    cache.entry("azurite", &inputs, |folder| {
        for (name, content) in MANIFESTS.iter().zip(&contents) {
            fs::write(folder.join(name), content).with_context(|| format!("cannot write {name}"))?;
        }
        // Azurite's blob service is plain JavaScript: no package needs to run anything at its installation.
        run(Command::new("npm")
            .current_dir(folder)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
        Ok(())
    })
}
