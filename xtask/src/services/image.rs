//! The container images of the test cluster: one static program each, in an archive that `ctr images import` takes.
//! Most pods run a program of ours, compiled here. Nothing is pulled from an image registry.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::cache::{Cache, hex};
use super::place;
use crate::command::run;

/// The name of the file with the image.
pub(crate) const ARCHIVE: &str = "image.tar";
/// The name under which pods and the sandbox refer to the image of our own program.
const NAME: &str = "periscope.test/guest:1";
const EXECUTABLE: u32 = 0o755;
const READABLE: u32 = 0o644;

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
    write(&folder.join(ARCHIVE), name, program, &content, arguments).context("cannot write an image")
}

/// An archive as `docker save` writes it: a manifest, a configuration and one layer with one file.
fn write(path: &Path, name: &str, program: &str, content: &[u8], arguments: &[&str]) -> Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, program, EXECUTABLE, content)?;
    let layer = layer.into_inner()?;
    let digest = hex(&Sha256::digest(&layer));
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": { "Entrypoint": [format!("/{program}")], "Cmd": arguments },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    let mut image = tar::Builder::new(File::create(path)?);
    append(&mut image, "layer.tar", READABLE, &layer)?;
    append(&mut image, "config.json", READABLE, config.to_string().as_bytes())?;
    append(&mut image, "manifest.json", READABLE, manifest.to_string().as_bytes())?;
    image.into_inner()?.sync_all()?;
    Ok(())
}

fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, mode: u32, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, content)?;
    Ok(())
}
