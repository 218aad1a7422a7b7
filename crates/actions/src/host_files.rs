//! The one way in which a file of the node becomes an artifact: opened inside the host root, its wrapping noticed, held
//! to its limit. It chooses no files; actions do.

use std::io::{self, Seek, SeekFrom};
use std::time::SystemTime;

use jiff::Timestamp;
use periscope_core::{ArtifactSpec, Content, Encoding, Sink, State};
use periscope_host::{Absence, Confinement, HostError, HostFile, HostPath, HostRoot};

/// What lies before the first byte that is kept and is shown to the redactor only: as far as it ever looks back.
const CONTEXT_BYTES: u64 = periscope_redact::LOOK_BEHIND as u64;

/// The first bytes of every gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a compressed file is called in the archive, which holds everything inflated; other names stay.
pub(crate) fn inflated_name(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// Whether a file's name and first bytes both say gzip. A log that is merely called `.gz` is text.
fn is_gzip(path: &HostPath, file: &HostFile) -> io::Result<bool> {
    if inflated_name(path.as_str()) == path.as_str() {
        return Ok(false);
    }
    let mut magic = [0; GZIP_MAGIC.len()];
    Ok(file.read_at(&mut magic, 0)? == magic.len() && magic == GZIP_MAGIC)
}

/// How an item ends whose file was not had.
pub(crate) fn state_of(error: &HostError) -> State {
    match error.absence() {
        Absence::NotPresent => State::NotPresent,
        Absence::Denied => State::Denied,
        Absence::NotApplicable => State::NotApplicable,
        Absence::Failed => State::Failed,
    }
}

/// An error and its causes on one line.
pub(crate) fn reason_of(error: &dyn std::error::Error) -> String {
    periscope_core::with_causes(error)
}

/// When a file was last written, if that is a time at all.
fn modified(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// The reason for leaving out a file that was last written before the time that the user asks for.
pub(crate) fn too_old(time: SystemTime) -> String {
    match modified(time) {
        Some(time) => format!("last written at {time}, before the time asked for"),
        None => "last written before the time asked for".to_owned(),
    }
}

/// Runs file work, which blocks, off the async threads.
///
/// # Cancel safety
/// When dropped, the work goes on to its end and its result is lost; so it must only read.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// A file of the node on its way to becoming an artifact.
pub(crate) struct NodeFile {
    path: HostPath,
    file: HostFile,
    gzip: bool,
    /// Offset of the first byte that is wanted.
    wanted_from: u64,
}

impl NodeFile {
    /// Opens a regular file that is where no pod writes. Blocks.
    pub(crate) fn open(root: &HostRoot, path: &HostPath) -> Result<Self, HostError> {
        Self::new(path, root.open(path)?)
    }

    /// Opens a regular file that lies, and whose links lead, `within`: where pods mount a folder of the node, they can
    /// put links to any file. Blocks.
    pub(crate) fn open_within(root: &HostRoot, path: &HostPath, within: &Confinement) -> Result<Self, HostError> {
        Self::new(path, root.open_confined(path, within)?)
    }

    fn new(path: &HostPath, file: HostFile) -> Result<Self, HostError> {
        let gzip = is_gzip(path, &file).map_err(|source| HostError::Io {
            path: path.to_string(),
            source,
        })?;
        Ok(Self {
            path: path.clone(),
            file,
            gzip,
            wanted_from: 0,
        })
    }

    /// The open file.
    pub(crate) fn file(&self) -> &HostFile {
        &self.file
    }

    /// The open file, for searching it: where it stands afterwards does not matter.
    pub(crate) fn file_mut(&mut self) -> &mut HostFile {
        &mut self.file
    }

    /// Whether it is compressed.
    pub(crate) fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// Leaves out what comes before this offset, which nobody asked for.
    pub(crate) fn start_at(&mut self, offset: u64) {
        self.wanted_from = offset;
    }

    /// Keeps the file as `name`. Of one that is larger than the limit, the newest part is kept; of a compressed one,
    /// which can only be read from its start, the oldest.
    pub(crate) async fn copy_to(mut self, sink: &Sink, name: &str, content: Content) -> State {
        let metadata = self.file.metadata();
        let spec = ArtifactSpec::new(name, content)
            .source(self.path.as_str())
            .modified(modified(metadata.modified));
        if self.gzip {
            return sink.copy(spec.encoding(Encoding::Gzip), self.file).await;
        }
        let newest_from = metadata.len.saturating_sub(sink.limit().bytes);
        let from = newest_from.max(self.wanted_from);
        let shown_before = from.min(CONTEXT_BYTES);
        if let Err(error) = self.file.seek(SeekFrom::Start(from - shown_before)) {
            sink.record(name, State::Failed, format!("{} cannot be read: {error}", self.path));
            return State::Failed;
        }
        let omitted = newest_from.saturating_sub(self.wanted_from);
        sink.copy(spec.tail(omitted, shown_before), self.file).await
    }
}

/// Copies the file at `path`, which is where no pod writes, into the artifact `name`, or records why that cannot be.
pub(crate) async fn collect(root: &HostRoot, sink: &Sink, path: &HostPath, name: &str, content: Content) -> State {
    let (root, path) = (root.clone(), path.clone());
    copy_opened(
        off_thread(move || NodeFile::open(&root, &path)).await,
        sink,
        name,
        content,
    )
    .await
}

/// [`collect`] for a file that is where pods may write: see [`NodeFile::open_within`].
pub(crate) async fn collect_within(
    within: &Confinement,
    root: &HostRoot,
    sink: &Sink,
    path: &HostPath,
    name: &str,
    content: Content,
) -> State {
    let (root, path, within) = (root.clone(), path.clone(), within.clone());
    copy_opened(
        off_thread(move || NodeFile::open_within(&root, &path, &within)).await,
        sink,
        name,
        content,
    )
    .await
}

async fn copy_opened(
    opened: io::Result<Result<NodeFile, HostError>>,
    sink: &Sink,
    name: &str,
    content: Content,
) -> State {
    match opened {
        Ok(Ok(file)) => file.copy_to(sink, name, content).await,
        Ok(Err(error)) => record(sink, name, &error),
        Err(error) => {
            sink.record(name, State::Failed, error.to_string());
            State::Failed
        }
    }
}

/// The files that a pattern names, for artifacts below `files`; a folder that may not be looked into is recorded under
/// the pattern's name.
pub(crate) async fn glob(root: &HostRoot, sink: &Sink, pattern: &str) -> Vec<HostPath> {
    let (root, asked) = (root.clone(), pattern.to_owned());
    let name = format!("files{pattern}");
    match off_thread(move || root.glob(&asked)).await {
        Ok(Ok(matches)) => {
            for error in &matches.unread {
                record(sink, &name, error);
            }
            matches.paths
        }
        Ok(Err(error)) => {
            record(sink, &name, &error);
            Vec::new()
        }
        Err(error) => {
            sink.record(&name, State::Failed, error.to_string());
            Vec::new()
        }
    }
}

/// The first path at which there is something; else the first that cannot be asked about, which opening it then says.
/// Blocks.
pub(crate) fn first_of(root: &HostRoot, paths: &[&str]) -> Option<HostPath> {
    let places = || paths.iter().filter_map(|path| HostPath::new(path).ok());
    let mut there = places().filter(|path| root.metadata(path).is_ok());
    let unknown = |path: &HostPath| !matches!(root.metadata(path), Err(HostError::NotFound { .. }));
    there.next().or_else(|| places().find(unknown))
}

/// Why it is not known whether there is something at these paths and patterns; `None` where all of them can be looked
/// at. Blocks.
pub(crate) fn unseen<'a>(root: &HostRoot, patterns: impl IntoIterator<Item = &'a str>) -> Option<HostError> {
    patterns.into_iter().find_map(|pattern| match root.glob(pattern) {
        Ok(matches) => matches.unread.into_iter().next(),
        Err(error) => Some(error),
    })
}

/// Records that nothing was found at these paths and patterns, which is `state` for this reason; but where they cannot
/// be looked at, that this is so.
pub(crate) async fn record_none(
    root: &HostRoot,
    sink: &Sink,
    name: &str,
    patterns: &[&str],
    (state, reason): (State, &str),
) {
    let asked: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    let root = root.clone();
    match off_thread(move || unseen(&root, asked.iter().map(String::as_str))).await {
        Ok(None) => sink.record(name, state, reason),
        Ok(Some(error)) => drop(record(sink, name, &error)),
        Err(error) => sink.record(name, State::Failed, error.to_string()),
    }
}

/// Records that a file was not had, and why.
pub(crate) fn record(sink: &Sink, name: &str, error: &HostError) -> State {
    let state = state_of(error);
    sink.record(name, state, reason_of(error));
    state
}
