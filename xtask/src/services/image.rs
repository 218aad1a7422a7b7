//! The container images of the test cluster: one static program each, in an archive that `ctr images import` takes.
//! Most pods run a program of ours, compiled here. Nothing is pulled from an image registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use periscope_tests::ContainerImage;

use super::cache::Cache;
use super::place;
use crate::command::run;

/// The name of the file with the image.
pub(crate) const ARCHIVE: &str = "image.tar";
/// The name under which pods and the sandbox refer to the image of our own program.
const NAME: &str = "periscope.test/guest:1";

/// The path of the image's archive.
pub(crate) fn build(cache: &Cache) -> Result<PathBuf> {
    let source = place::workspace().join("tests/services/guest/guest.rs");
    let text = fs::read(&source).context("cannot read the program of the image")?;
    let folder = cache.entry("image", &[&text], |folder| {
        let program = folder.join("guest");
        run(Command::new("rustc")
            .args([
                "--edition=2024",
                "-Ctarget-feature=+crt-static",
                "-Copt-level=s",
                "-Cstrip=symbols",
                "-o",
            ])
            .args([&program, &source]))?;
        archive(folder, NAME, "guest", &["wait"])
    })?;
    Ok(folder.join(ARCHIVE))
}

/// Writes the image of a program in this folder beside it.
pub(super) fn archive(folder: &Path, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
    let content = fs::read(folder.join(program)).context("cannot read the program of an image")?;
    let program = format!("/{program}");
    ContainerImage::new(&program, arguments)
        .with_program(&program, content)
        .write(&folder.join(ARCHIVE), name)
        .context("cannot write an image")
}
