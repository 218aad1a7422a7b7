//! Certificates for the node's services, made by openssl for one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::run;

/// Without a section of its own openssl adds the machine's defaults, which make every certificate an authority.
const CONFIG: &str = "[req]\ndistinguished_name = name\n[name]\n";
/// Longer than any services run, short enough to be useless when found.
const DAYS: &str = "30";

/// A certificate authority in a folder.
pub(super) struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes `ca.crt` and `ca.key` in a folder.
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(folder.join("openssl.cnf"), CONFIG).context("cannot write the configuration of openssl")?;
        let authority = Self {
            folder: folder.to_owned(),
        };
        authority.request(
            "ca",
            &format!("/CN={name}"),
            &["basicConstraints=critical,CA:TRUE"],
            &[],
        )?;
        Ok(authority)
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.path("ca", "crt")
    }

    /// Makes `<file>.crt` and `<file>.key` for a subject such as `/O=group/CN=user`, and `names` such as
    /// `IP:127.0.0.1`.
    pub(super) fn issue(&self, file: &str, subject: &str, names: &str) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (self.certificate(), self.path("ca", "key"));
        let signer = ["-CA", &certificate.to_string_lossy(), "-CAkey", &key.to_string_lossy()].map(str::to_owned);
        let extensions = ["basicConstraints=critical,CA:FALSE", &format!("subjectAltName={names}")];
        self.request(file, subject, &extensions, &signer)?;
        Ok((self.path(file, "crt"), self.path(file, "key")))
    }

    fn request(&self, file: &str, subject: &str, extensions: &[&str], signer: &[String]) -> Result<()> {
        run(Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                DAYS,
            ])
            .arg("-config")
            .arg(self.folder.join("openssl.cnf"))
            .args(["-subj", subject])
            .args(extensions.iter().flat_map(|extension| ["-addext", extension]))
            .args(signer)
            .arg("-keyout")
            .arg(self.path(file, "key"))
            .arg("-out")
            .arg(self.path(file, "crt")))?;
        Ok(())
    }

    fn path(&self, file: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{file}.{extension}"))
    }
}
