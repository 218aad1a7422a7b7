//! The one file in which the harness tells the tests where everything is.
//! It says nothing about how the services are started.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Azurite, Cluster};

/// The environment variable that holds the path of the endpoints file.
pub const ENDPOINTS: &str = "PERISCOPE_SERVICES";

/// Everything that runs while the tests do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The one-node Kubernetes cluster.
    pub cluster: Cluster,
    /// The blob service.
    pub azurite: Azurite,
    /// The `aks-periscope` binary under test.
    pub binary: PathBuf,
}

impl Services {
    /// Reads the endpoints file that [`ENDPOINTS`] names.
    ///
    /// # Panics
    ///
    /// When the services are not running: a test that needs one fails without it, and is never skipped.
    #[expect(
        clippy::panic,
        reason = "only tests call this, and a missing service is their failure"
    )]
    pub fn running() -> Self {
        match Self::read() {
            Ok(services) => services,
            Err(problem) => panic!("the services of the tests are not running ({problem}): use `cargo xtask test`"),
        }
    }

    fn read() -> Result<Self, String> {
        let path = std::env::var_os(ENDPOINTS).ok_or_else(|| format!("{ENDPOINTS} is not set"))?;
        let path = PathBuf::from(path);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
