//! Fetches archives from the nodes through the API server: `pods/exec` of [`hand-over`](crate::hand_over) in the
//! agents' pods. Bytes go to a `.partial` beside the archive, which gets its name when it is whole and its hash is
//! right.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, AttachParams, AttachedProcess};
use periscope_core::{NodeName, RunId};
use periscope_manifests::names;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::api::ask;
use crate::exit::in_one_line;
use crate::hand_over::{Arrival, Torn};

/// Nodes that send at the same time: all of it goes through the API server, which has other work to do.
const AT_ONCE: usize = 4;
/// Where the agents' program is.
const PROGRAM: &str = "/usr/bin/aks-periscope";
/// Longest silence of a stream. The first byte comes when the kubelet has started the program.
const SILENCE: Duration = Duration::from_secs(30);
/// The bound of one archive. At 10 MB/s, which an API server passes on with ease, it is 9 GB.
const PATIENCE: Duration = Duration::from_mins(15);
/// Streams in a row that may bring nothing new.
const VAIN_TRIES: u32 = 4;
/// Pause before a stream is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of a stream that are held.
const BUFFER: usize = 256 * 1024;
/// What of a complaint on standard error is kept.
const MAX_COMPLAINT: u64 = 2 * 1024;

/// One archive that is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Whose: a node's name, or `cluster`.
    pub(super) name: NodeName,
    /// The pod on whose node it is.
    pub(super) pod: String,
}

/// How far the fetching is.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    pub(super) done: AtomicUsize,
    pub(super) bytes: AtomicU64,
}

/// One archive that was asked for.
pub(super) struct Fetched {
    pub(super) name: NodeName,
    pub(super) result: Result<(PathBuf, u64), String>,
}

/// Fetches archives into a folder.
pub(super) struct Fetcher {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) run_id: RunId,
    pub(super) folder: PathBuf,
}

impl Fetcher {
    /// Fetches all of them, a few at a time. One that fails takes no other with it.
    pub(super) async fn fetch(&self, wanted: Vec<Wanted>, progress: Arc<Fetching>) -> Vec<Fetched> {
        let each = wanted.into_iter().map(|wanted| async {
            let result = self.fetch_one(&wanted, &progress).await;
            progress.done.fetch_add(1, Ordering::Relaxed);
            Fetched {
                name: wanted.name,
                result,
            }
        });
        futures::stream::iter(each).buffer_unordered(AT_ONCE).collect().await
    }

    async fn fetch_one(&self, wanted: &Wanted, progress: &Fetching) -> Result<(PathBuf, u64), String> {
        // A node's name is no path: it is checked to be none.
        let path = self.folder.join(format!("{}.zip", wanted.name));
        let partial = self.folder.join(format!("{}.zip.partial", wanted.name));
        let end = Instant::now() + PATIENCE;
        let mut file = create(&partial).await.map_err(|error| unwritable(&partial, &error))?;
        let mut arrival = Arrival::default();
        let mut vain = 0;
        loop {
            let before = arrival.arrived();
            let stream = timeout_at(end, self.stream(wanted, &mut arrival, &mut file, progress));
            let why = match stream.await {
                Err(_) => return Err(format!("not there after {} min", PATIENCE.as_secs() / 60)),
                Ok(Ok(())) => break,
                Ok(Err(Failure::Write(error))) => return Err(unwritable(&partial, &error)),
                Ok(Err(Failure::Refused(why))) => return Err(why),
                Ok(Err(Failure::Broken(why))) => why,
                Ok(Err(Failure::Torn(torn))) => {
                    if matches!(torn, Torn::Changed | Torn::Damaged) {
                        progress.bytes.fetch_sub(arrival.arrived(), Ordering::Relaxed);
                        arrival = Arrival::default();
                        file = create(&partial).await.map_err(|error| unwritable(&partial, &error))?;
                    }
                    torn.to_string()
                }
            };
            vain = if arrival.arrived() > before { 0 } else { vain + 1 };
            if vain >= VAIN_TRIES {
                return Err(format!("{why}, {VAIN_TRIES} times"));
            }
            tracing::debug!(node = %wanted.name, why, at = arrival.arrived(), "An archive's stream broke.");
            sleep(PAUSE).await;
        }
        let named = async {
            file.sync_all().await?;
            tokio::fs::rename(&partial, &path).await
        };
        named.await.map_err(|error| unwritable(&path, &error))?;
        Ok((path, arrival.arrived()))
    }

    /// Reads one stream, from where the one before broke.
    async fn stream(
        &self,
        wanted: &Wanted,
        arrival: &mut Arrival,
        file: &mut File,
        progress: &Fetching,
    ) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let offset = arrival.arrived().to_string();
        let (run_id, name) = (self.run_id.as_str(), wanted.name.as_str());
        let command = [
            PROGRAM,
            "hand-over",
            "--run-id",
            run_id,
            "--name",
            name,
            "--offset",
            &offset,
        ];
        let streams = AttachParams::default()
            .container(names::DAEMON_SET)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(BUFFER);
        let what = format!("exec into pod {}", wanted.pod);
        let asked = ask(what, pods.exec(&wanted.pod, command, &streams)).await;
        let mut process = asked.map_err(|error| {
            if error.may_pass() {
                Failure::Broken(error.to_string())
            } else {
                Failure::Refused(error.to_string())
            }
        })?;
        let status = process.take_status();
        let complaint = tokio::spawn(complaint(process.stderr()));
        let stdout = process
            .stdout()
            .ok_or_else(|| Failure::Broken("it has no output".to_owned()))?;
        let received = receive(stdout, arrival, file, progress).await;
        match received {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.explain(failure, process, status, complaint).await),
        }
    }

    /// What the program in the pod says itself is better than how its stream ended.
    async fn explain(
        &self,
        failure: Failure,
        process: AttachedProcess,
        status: Option<impl Future<Output = Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Status>>>,
        complaint: tokio::task::JoinHandle<String>,
    ) -> Failure {
        if !matches!(failure, Failure::Torn(Torn::Early(0) | Torn::Foreign)) {
            return failure;
        }
        let said = timeout(SILENCE, complaint)
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        let said = said.trim().trim_start_matches("error: ");
        if !said.is_empty() {
            return Failure::Refused(said.to_owned());
        }
        let ended = async { status?.await };
        let ended = timeout(PAUSE, ended).await.ok().flatten();
        drop(process);
        match ended
            .filter(|status| status.status.as_deref() == Some("Failure"))
            .and_then(|status| status.message)
        {
            Some(message) => Failure::Refused(message),
            None => failure,
        }
    }
}

/// Why a stream brought no archive.
enum Failure {
    /// Another stream may do better.
    Broken(String),
    /// It ended somewhere, or is something else.
    Torn(Torn),
    /// Trying again is in vain.
    Refused(String),
    /// This machine's disk.
    Write(io::Error),
}

async fn receive(
    mut stdout: impl AsyncRead + Unpin,
    arrival: &mut Arrival,
    file: &mut File,
    progress: &Fetching,
) -> Result<(), Failure> {
    let mut stream = arrival.stream();
    let mut piece = vec![0; BUFFER];
    loop {
        let read = match timeout(SILENCE, stdout.read(&mut piece)).await {
            Err(_) => return Err(Failure::Broken(format!("nothing came for {} s", SILENCE.as_secs()))),
            Ok(Err(error)) => return Err(Failure::Broken(in_one_line(&error))),
            Ok(Ok(read)) => read,
        };
        if read == 0 {
            file.flush().await.map_err(Failure::Write)?;
            return stream.finish().map_err(Failure::Torn);
        }
        let content = stream.take(piece.get(..read).unwrap_or_default());
        let content = content.map_err(Failure::Torn)?;
        file.write_all(content).await.map_err(Failure::Write)?;
        progress.bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
        if stream.is_whole() {
            file.flush().await.map_err(Failure::Write)?;
            return Ok(());
        }
    }
}

/// What the program says, cut to what is worth showing; the rest is read and dropped, or it would block.
async fn complaint(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut text = Vec::new();
    let mut piece = [0; 512];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        if (text.len() as u64) < MAX_COMPLAINT {
            text.extend_from_slice(piece.get(..read).unwrap_or_default());
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

async fn create(path: &Path) -> io::Result<File> {
    tokio::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .await
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {}", path.display(), in_one_line(error))
}
