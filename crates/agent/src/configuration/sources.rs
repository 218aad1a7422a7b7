//! Where values are read: a mounted folder where there is one, else the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::keys;
use crate::small_file;

/// Longest value of one key. A `ConfigMap` and a `Secret` hold 1 MiB in all
/// (<https://kubernetes.io/docs/concepts/configuration/configmap/>).
pub(crate) const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// Where the user's settings arrive in a pod, whichever era its manifest is of.
#[derive(Debug, Clone)]
pub struct Sources {
    config: PathBuf,
    secret: PathBuf,
    // Secret as a whole, as one of them is the signature.
    environment: BTreeMap<&'static str, SecretString>,
}

/// The two mounted folders.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Folder {
    /// Of the `ConfigMap`.
    Config,
    /// Of the `Secret`.
    Secret,
}

impl Sources {
    /// The folders into which the `ConfigMap` and the `Secret` are mounted, if they are, and the environment as it is
    /// now.
    pub fn new(
        config: impl Into<PathBuf>,
        secret: impl Into<PathBuf>,
        environment: impl Fn(&'static str) -> Option<OsString>,
    ) -> Self {
        let value = |key| Some((key, environment(key)?.into_string().ok()?.into()));
        Self {
            config: config.into(),
            secret: secret.into(),
            environment: keys::OF_ENVIRONMENT.into_iter().filter_map(value).collect(),
        }
    }

    /// The value of a key without the blanks around it; `None` where it is not set, or empty. What is there and cannot
    /// be read is said in `problems`.
    pub(crate) fn value(&self, folder: Folder, key: &'static str, problems: &mut Vec<String>) -> Option<String> {
        let path = self.folder(folder);
        if !path.is_dir() {
            return trimmed(self.environment.get(key)?.expose_secret());
        }
        let path = path.join(key);
        let text = small_file::read(&path, MAX_VALUE_BYTES).and_then(|bytes| {
            let bytes = bytes.unwrap_or_default();
            String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not text"))
        });
        match text {
            Ok(text) => trimmed(&text),
            Err(error) => {
                problems.push(format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    /// Whether the `ConfigMap` is mounted.
    pub(crate) fn has_config_folder(&self) -> bool {
        self.config.is_dir()
    }

    /// Whether the environment says anything at all, and no run id: a manifest of the first era, which had none.
    pub(crate) fn is_era_a(&self) -> bool {
        !self.has_config_folder() && !self.environment.is_empty() && !self.environment.contains_key(keys::RUN_ID)
    }

    fn folder(&self, folder: Folder) -> &Path {
        match folder {
            Folder::Config => &self.config,
            Folder::Secret => &self.secret,
        }
    }
}

/// Without the blanks around it; an empty value is none.
pub(crate) fn trimmed(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}
