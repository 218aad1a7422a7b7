//! Gets an archive into the storage with patience: credentials that are renewed and a storage that comes back are
//! waited for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use periscope_agent::{Configuration, Order, Progress, Update};
use periscope_cluster::ClusterAccess;
use periscope_core::{Archive, ExportError, Format, Receipt};
use periscope_host::HostRoot;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::settings::{self, Own};
use crate::exit::in_one_line;
use crate::storage::{Storage, StorageSettings};

/// How long an archive is tried to be delivered. The kubelet brings a changed Secret within about a minute, and a
/// storage that is moved to another node of its own is back within two.
const PATIENCE: Duration = Duration::from_mins(4);
/// The same with a storage that says no: who notices will give the Secret another signature, and soon.
const REFUSED_PATIENCE: Duration = Duration::from_mins(1);
/// The first wait between two tries; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The storage of a run.
pub(super) struct Delivery {
    /// None where no storage is configured, or why it cannot be used.
    settings: Option<Result<StorageSettings, String>>,
    order: Order,
    own: Own,
    root: HostRoot,
    cluster: Option<ClusterAccess>,
}

impl Delivery {
    /// A delivery to the storage of `settings`, which were made of the order's configuration.
    pub(super) fn new(
        settings: Option<Result<StorageSettings, String>>,
        order: Order,
        own: Own,
        root: HostRoot,
        cluster: Option<ClusterAccess>,
    ) -> Self {
        Self {
            settings,
            order,
            own,
            root,
            cluster,
        }
    }

    /// The formats to pack for it; none where there is no storage.
    pub(super) fn formats(&self) -> Vec<Format> {
        let settings = self.settings.as_ref().and_then(|settings| settings.as_ref().ok());
        // One that cannot be used yet may still be set right while the run goes on.
        settings.map_or_else(
            || self.settings.iter().map(|_| Format::Zip).collect(),
            StorageSettings::formats,
        )
    }

    /// The storage as it is configured now.
    pub(super) fn storage(&self) -> Option<Result<Storage>> {
        let settings = match self.settings.clone()? {
            Ok(settings) => settings,
            Err(why) => return Some(Err(anyhow::Error::msg(why))),
        };
        Some(settings.exporter(&self.root, self.cluster.as_ref()))
    }

    /// Delivers, and tries again until it is there, nobody waits any longer, or `ended` is cancelled. What it waits for
    /// goes to
    /// `updates`, with what was `gathered`.
    ///
    /// # Errors
    /// Why it is not there, in one line.
    pub(super) async fn deliver(
        mut self,
        archive: Arc<dyn Archive>,
        ended: CancellationToken,
        updates: mpsc::Sender<Update>,
        gathered: Progress,
    ) -> Option<Result<Vec<Receipt>, String>> {
        let start = Instant::now();
        let mut wait = FIRST_WAIT;
        let tell = async |what: String| {
            let update = Progress {
                waiting: Some(what),
                ..gathered.clone()
            };
            // Nobody need listen.
            updates.send(Update::Progress(update)).await.ok();
        };
        if self.settings.is_some() {
            tell("Uploading the archive.".to_owned()).await;
        }
        loop {
            let tried = self.try_once(Arc::clone(&archive), ended.clone()).await?;
            let why = match tried {
                Ok(receipts) => return Some(Ok(receipts)),
                Err(why) => why,
            };
            let patience = if why.is_refused() { REFUSED_PATIENCE } else { PATIENCE };
            let why = in_one_line(&why);
            let Some(pause) = pause(wait, patience.saturating_sub(start.elapsed())).filter(|_| !ended.is_cancelled())
            else {
                return Some(Err(why));
            };
            warn!(why, "The archive is not in the storage yet.");
            tell(format!("Waiting for the storage: {why}")).await;
            tokio::select! {
                () = sleep(pause) => {}
                () = ended.cancelled() => return Some(Err(why)),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            self.renew().await;
        }
    }

    async fn try_once(
        &self,
        archive: Arc<dyn Archive>,
        ended: CancellationToken,
    ) -> Option<Result<Vec<Receipt>, ExportError>> {
        let storage = match self.storage()? {
            Ok(storage) => storage,
            Err(error) => return Some(Err(ExportError::new(format!("{error:#}")).refused())),
        };
        // It makes the container, too.
        let delivered = match storage.check().await {
            Ok(()) => storage.export_until(archive, ended).await,
            Err(error) => Err(error),
        };
        Some(delivered)
    }

    /// Takes credentials that are newer than those in use.
    async fn renew(&mut self) {
        let Some(fresh) = self.order.credentials.reread().await else {
            return;
        };
        let mut configuration = Configuration::clone(&self.order.configuration);
        configuration.use_storage(fresh);
        if let Ok((_, Some(storage))) = settings::of(&configuration, &self.order.run_id, &self.own) {
            self.settings = Some(storage);
        }
    }
}

/// How long to wait before the next try; none when no patience is `left`. The last try is at its very end: a Secret may
/// have needed all of it to get here.
fn pause(wait: Duration, left: Duration) -> Option<Duration> {
    (!left.is_zero()).then_some(wait.min(left))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::{FIRST_WAIT, LONGEST_WAIT, PATIENCE, REFUSED_PATIENCE, pause};

    #[rstest]
    #[case::refused(REFUSED_PATIENCE, &[2, 4, 8, 16, 30])]
    #[case::away(PATIENCE, &[2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30])]
    fn the_last_try_is_at_the_end_of_the_patience(#[case] patience: Duration, #[case] pauses: &[u64]) {
        let (mut wait, mut elapsed, mut made) = (FIRST_WAIT, Duration::ZERO, Vec::new());
        while let Some(pause) = pause(wait, patience.saturating_sub(elapsed)) {
            elapsed += pause;
            made.push(pause.as_secs());
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        assert_eq!(made, pauses);
        assert_eq!(elapsed, patience);
    }
}
