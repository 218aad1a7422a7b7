//! Where the services keep their state: under the workspace's target folder, so that each clone has its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::say;

/// The folders and files that belong to the running services.
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    pub(crate) fn of_workspace() -> Self {
        Self {
            folder: target().join("services"),
        }
    }

    /// Waits for its turn: one starts, tests or stops at a time. Held until the file is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let path = self.folder.join("lock");
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        if file.try_lock().is_err() {
            say("waiting for another run on this clone to end");
            file.lock().context("cannot lock the services")?;
        }
        Ok(file)
    }

    /// Everything that one start of the services writes. Removed before the next.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What the tests read: [`periscope_tests::Services`] as JSON.
    pub(crate) fn endpoints(&self) -> PathBuf {
        self.state().join("services.json")
    }

    /// The process id whose end is the end of everything.
    pub(crate) fn keeper(&self) -> PathBuf {
        self.state().join("keeper.pid")
    }
}

/// The workspace's root folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |folder| workspace().join(folder))
}
