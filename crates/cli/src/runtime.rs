//! Runs the async part of a command, and does not wait for ever for threads that hang in the kernel.

use std::time::Duration;

use anyhow::{Context, Result};

/// How long threads that hang in the kernel are waited for at the end.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Runs a command to its end.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    // Installed once for every TLS client of the process; a second installation changes nothing.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(SHUTDOWN);
    result
}
