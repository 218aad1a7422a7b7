//! The blob service and what a test asks it. Blobs are read with curl, so that an upload is never judged by the
//! client that made it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::sas;

/// Longer than any single request of a test takes on a loaded machine.
const REQUEST_SECONDS: &str = "60";

/// A running Azurite with one storage account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Azurite {
    /// `https://<address>/<account>`, without a slash at the end; reachable from this machine and from the node.
    /// In the node `https://<account>.blob.core.windows.net` is the same service.
    pub endpoint: String,
    /// The account's name.
    pub account: String,
    /// The account's key in base64.
    pub key: String,
    /// The certificate authority that signed the service's certificate, as PEM.
    pub ca_file: PathBuf,
}

impl Azurite {
    /// Signs an account-wide SAS, without a leading `?`. `permissions` are letters such as `rwlc`, in the service's
    /// order
    /// `rwdylacuptfi`.
    ///
    /// # Panics
    ///
    /// When the endpoints file holds a key that is no base64.
    pub fn account_sas(&self, permissions: &str, expires: Timestamp) -> String {
        sas::account(&self.account, &self.key_bytes(), permissions, expires)
    }

    /// Signs a SAS for one container, without a leading `?`. `permissions` are letters in the order `racwdl`.
    ///
    /// # Panics
    ///
    /// As [`Azurite::account_sas`].
    pub fn container_sas(&self, container: &str, permissions: &str, expires: Timestamp) -> String {
        sas::container(&self.account, &self.key_bytes(), container, permissions, expires)
    }

    /// An expiry that no test outlives.
    ///
    /// # Panics
    ///
    /// Never before the year 9999.
    pub fn in_an_hour() -> Timestamp {
        Timestamp::now()
            .checked_add(SignedDuration::from_hours(1))
            .expect("the clock is before the year 9999")
    }

    /// Makes a container.
    ///
    /// # Panics
    ///
    /// When the service refuses.
    pub fn create_container(&self, container: &str) {
        self.request(
            &format!("{container}?restype=container&"),
            ["--request", "PUT", "--data", ""],
        );
    }

    /// Deletes a container with everything in it.
    ///
    /// # Panics
    ///
    /// When the service refuses.
    pub fn delete_container(&self, container: &str) {
        self.request(&format!("{container}?restype=container&"), ["--request", "DELETE"]);
    }

    /// Whether there is such a container.
    ///
    /// # Panics
    ///
    /// When the service refuses to say.
    pub fn has_container(&self, container: &str) -> bool {
        let answer = self.request(&format!("?comp=list&prefix={container}&"), [""; 0]);
        String::from_utf8_lossy(&answer).contains(&format!("<Name>{container}</Name>"))
    }

    /// Stores a block blob.
    ///
    /// # Panics
    ///
    /// When the service refuses.
    pub fn put(&self, container: &str, name: &str, content: &str) {
        let options = [
            "--request",
            "PUT",
            "--header",
            "x-ms-blob-type: BlockBlob",
            "--data-binary",
            content,
        ];
        self.request(&format!("{container}/{name}?"), options);
    }

    /// The whole content of a blob.
    ///
    /// # Panics
    ///
    /// When there is no such blob.
    pub fn get(&self, container: &str, name: &str) -> Vec<u8> {
        self.request(&format!("{container}/{name}?"), [""; 0])
    }

    /// The names of all blobs in a container, sorted.
    ///
    /// # Panics
    ///
    /// When there is no such container.
    pub fn list(&self, container: &str) -> Vec<String> {
        let answer = self.request(&format!("{container}?restype=container&comp=list&"), [""; 0]);
        let answer = String::from_utf8(answer).expect("a listing is XML in UTF-8");
        let names = answer
            .split("<Name>")
            .skip(1)
            .filter_map(|rest| rest.split("</Name>").next());
        names.map(str::to_owned).collect()
    }

    fn key_bytes(&self) -> Vec<u8> {
        STANDARD
            .decode(&self.key)
            .expect("the endpoints file holds the key in base64")
    }

    fn request<O: AsRef<OsStr>>(&self, resource: &str, options: impl IntoIterator<Item = O>) -> Vec<u8> {
        let sas = self.account_sas("rwdlac", Self::in_an_hour());
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail-with-body",
                "--max-time",
                REQUEST_SECONDS,
                "--cacert",
            ])
            .arg(&self.ca_file)
            .args(options)
            .arg(format!("{}/{resource}{sas}", self.endpoint))
            .output()
            .expect("curl is one of the packages that the harness installs");
        assert!(
            output.status.success(),
            "{resource}: {} {}",
            String::from_utf8_lossy(&output.stderr).trim(),
            String::from_utf8_lossy(&output.stdout)
        );
        output.stdout
    }
}
