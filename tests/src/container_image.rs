//! A container image as `docker save` writes it, in one file that `ctr images import` and `docker load` take. No daemon
//! and no registry is asked; the same content gives the same bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const EXECUTABLE: u32 = 0o755;
const READABLE: u32 = 0o644;

/// An image of one layer.
#[derive(Debug)]
pub struct ContainerImage {
    architecture: &'static str,
    config: Value,
    files: Vec<(String, u32, Vec<u8>)>,
}

impl ContainerImage {
    /// An image for this machine's processor that runs `program`, an absolute path, and has nothing in it yet.
    pub fn new(program: &str, arguments: &[&str]) -> Self {
        Self {
            architecture: if cfg!(target_arch = "aarch64") {
                "arm64"
            } else {
                "amd64"
            },
            config: json!({ "Entrypoint": [program], "Cmd": arguments }),
            files: Vec::new(),
        }
    }

    /// For another processor, in the words of image indexes: `amd64`, `arm64`.
    #[must_use]
    pub fn for_architecture(mut self, architecture: &'static str) -> Self {
        self.architecture = architecture;
        self
    }

    /// Adds an environment variable, as `PATH=/usr/bin`.
    #[must_use]
    pub fn with_environment(mut self, variable: &str) -> Self {
        push(&mut self.config["Env"], variable);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn with_label(mut self, name: &str, value: &str) -> Self {
        self.config["Labels"][name] = value.into();
        self
    }

    /// Adds a program at an absolute path.
    #[must_use]
    pub fn with_program(mut self, path: &str, content: Vec<u8>) -> Self {
        self.files
            .push((path.trim_start_matches('/').to_owned(), EXECUTABLE, content));
        self
    }

    /// Adds a file at an absolute path.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: Vec<u8>) -> Self {
        self.files
            .push((path.trim_start_matches('/').to_owned(), READABLE, content));
        self
    }

    /// Writes the image under the name by which pods refer to it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, name: &str) -> io::Result<()> {
        let layer = self.layer()?;
        let config = json!({
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&Sha256::digest(&layer)))] },
        });
        let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
        let mut image = tar::Builder::new(File::create(path)?);
        append(&mut image, "layer.tar", READABLE, &layer)?;
        append(&mut image, "config.json", READABLE, config.to_string().as_bytes())?;
        append(&mut image, "manifest.json", READABLE, manifest.to_string().as_bytes())?;
        image.into_inner()?.sync_all()
    }

    fn layer(&self) -> io::Result<Vec<u8>> {
        let mut layer = tar::Builder::new(Vec::new());
        let folders: BTreeSet<&Path> = self
            .files
            .iter()
            .flat_map(|(path, ..)| Path::new(path).ancestors().skip(1))
            .filter(|folder| !folder.as_os_str().is_empty())
            .collect();
        for folder in folders {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(EXECUTABLE);
            header.set_size(0);
            layer.append_data(&mut header, folder, io::empty())?;
        }
        for (path, mode, content) in &self.files {
            append(&mut layer, path, *mode, content)?;
        }
        layer.into_inner()
    }
}

fn push(list: &mut Value, text: &str) {
    match list.as_array_mut() {
        Some(list) => list.push(text.into()),
        None => *list = json!([text]),
    }
}

fn append<W: io::Write>(archive: &mut tar::Builder<W>, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, name, content)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;

    use super::*;

    fn written(image: &ContainerImage) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        image.write(&path, "periscope.test/x:1").unwrap();
        fs::read(path).unwrap()
    }

    fn entry(archive: &[u8], name: &str) -> Vec<u8> {
        let mut archive = tar::Archive::new(archive);
        let mut found = archive
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .find(|entry| entry.path().unwrap() == Path::new(name))
            .unwrap();
        let mut content = Vec::new();
        found.read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let image = || {
            ContainerImage::new("/usr/bin/x", &["agent"])
                .with_environment("PATH=/usr/bin")
                .with_program("/usr/bin/x", b"program".to_vec())
        };
        assert_eq!(written(&image()), written(&image()));
    }

    #[test]
    fn the_configuration_names_the_layer_and_what_runs() {
        let image = ContainerImage::new("/usr/bin/x", &["agent"])
            .for_architecture("arm64")
            .with_environment("A=1")
            .with_environment("B=2")
            .with_label("of", "tests")
            .with_program("/usr/bin/x", b"program".to_vec());
        let archive = written(&image);
        let config: Value = serde_json::from_slice(&entry(&archive, "config.json")).unwrap();
        let layer = entry(&archive, "layer.tar");
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", hex(&Sha256::digest(&layer)))
        );
        assert_eq!(config["architecture"], "arm64");
        assert_eq!(
            config["config"],
            json!({
                "Entrypoint": ["/usr/bin/x"], "Cmd": ["agent"], "Env": ["A=1", "B=2"], "Labels": { "of": "tests" }
            })
        );
        assert_eq!(entry(&layer, "usr/bin/x"), b"program");
        assert!(
            entry(&layer, "usr/").is_empty(),
            "folders are listed before what is in them"
        );
    }
}
