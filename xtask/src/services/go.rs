//! Programs built from Go modules, as `go.mod` and `go.sum` in the tree pin them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::run;

/// `go.mod` and `go.sum` of a module: what its programs are built from.
pub(super) fn requirements(module: &Path) -> Result<(String, Vec<u8>)> {
    let read = |name: &str| {
        let path = module.join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let requirements = String::from_utf8(read("go.mod")?).context("a go.mod is text")?;
    Ok((requirements, read("go.sum")?))
}

/// Builds every tool of a module, statically, into a folder.
pub(super) fn build(module: &Path, linker_flags: &str, folder: &Path) -> Result<()> {
    run(Command::new("go")
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
        .args(["-ldflags", linker_flags, "-o"])
        .arg(folder)
        .arg("tool"))?;
    Ok(())
}
