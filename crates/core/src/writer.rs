//! Takes an artifact's bytes from async code to the thread that redacts and compresses them, a bounded number at a
//! time.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;

use crate::{ArtifactPath, ArtifactSpec, Sink, State, StoreError, Stored};

/// Bytes handed over at a time.
const CHUNK: usize = 32 * 1024;
/// Chunks on their way at once: with [`CHUNK`], what a fast source may be ahead of the compressor.
const CHUNKS_AHEAD: usize = 4;

/// What the action says of its artifact.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How it ends and why; nothing if its writer was dropped.
    pub(crate) end: Option<(State, Option<String>)>,
    /// What was removed from its content before it was written.
    pub(crate) redactions: BTreeMap<String, u64>,
}

/// One open artifact. Dropping it keeps what was written, with the state that says why it ends there.
#[derive(Debug)]
pub struct ArtifactWriter {
    chunks: PollSender<Bytes>,
    buffer: BytesMut,
    said: Arc<Mutex<Said>>,
    full: Arc<AtomicBool>,
    /// Present until somebody waits for it.
    settled: Option<oneshot::Receiver<State>>,
}

impl ArtifactWriter {
    pub(crate) fn open(sink: Sink, spec: ArtifactSpec, path: ArtifactPath) -> Self {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let (settle, settled) = oneshot::channel();
        let said = Arc::new(Mutex::new(Said::default()));
        let full = Arc::new(AtomicBool::new(false));
        let worker_said = Arc::clone(&said);
        let worker_full = Arc::clone(&full);
        let tasks = sink.tasks().clone();
        tasks.spawn_blocking(move || {
            let result = keep(&sink, &spec, &path, receiver, &worker_full);
            let mut said = std::mem::take(&mut *worker_said.lock().unwrap_or_else(PoisonError::into_inner));
            said.end.get_or_insert_with(|| sink.abandoned());
            let state = sink.settle(&spec, path, result, said);
            // Nobody waits for an artifact that was dropped.
            settle.send(state).ok();
        });
        Self {
            chunks: PollSender::new(sender),
            buffer: BytesMut::new(),
            said,
            full,
            settled: Some(settled),
        }
    }

    /// Whether a limit is reached, or the artifact is lost: what is written from now on is thrown away.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Writes all that `source` has, or as much of it as is wanted. Returns the bytes read.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn copy_from(&mut self, mut source: impl AsyncRead + Unpin) -> io::Result<u64> {
        let mut copied = 0;
        while !self.is_full() {
            self.buffer.reserve(CHUNK);
            let read = source.read_buf(&mut self.buffer).await?;
            if read == 0 {
                break;
            }
            copied += read as u64;
            if self.buffer.len() >= CHUNK {
                std::future::poll_fn(|cx| self.poll_send(cx)).await;
            }
        }
        Ok(copied)
    }

    /// Writes from a thread that may block. `Break` means that nothing further is wanted.
    pub fn write_blocking(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.send_blocking();
        }
        if self.is_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Ends the artifact as `collected` (or as the limit says that it reached). Returns how it ended.
    pub async fn finish(self) -> State {
        self.finish_as(State::Collected, None).await
    }

    /// Ends the artifact with what the action knows better: a command that failed, a source that broke off.
    pub async fn finish_as(mut self, state: State, reason: Option<String>) -> State {
        std::future::poll_fn(|cx| self.poll_send(cx)).await;
        self.say(state, reason);
        match self.settled.take() {
            Some(settled) => settled.await.unwrap_or(State::Failed),
            None => State::Failed,
        }
    }

    /// [`Self::finish_as`] from a thread that may block.
    pub fn finish_blocking(mut self, state: State, reason: Option<String>) -> State {
        self.send_blocking();
        self.say(state, reason);
        self.settled
            .take()
            .and_then(|settled| settled.blocking_recv().ok())
            .unwrap_or(State::Failed)
    }

    /// Counts what the action itself removed from the content before writing it, rule by rule.
    pub fn add_redactions<'a>(&mut self, hits: impl IntoIterator<Item = (&'a str, u64)>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for (rule, hits) in hits {
            *said.redactions.entry(rule.to_owned()).or_default() += hits;
        }
    }

    fn say(&mut self, state: State, reason: Option<String>) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).end = Some((state, reason));
        self.chunks.close();
    }

    fn send_blocking(&mut self) {
        let chunk = self.buffer.split().freeze();
        if let Some(sender) = self.chunks.get_ref().filter(|_| !chunk.is_empty())
            && sender.blocking_send(chunk).is_err()
        {
            self.full.store(true, Ordering::Relaxed);
        }
    }

    /// Hands the buffer over, as soon as there is room for it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.buffer.is_empty() {
            return Poll::Ready(());
        }
        let sent = match ready!(self.chunks.poll_reserve(cx)) {
            Ok(()) => self.chunks.send_item(self.buffer.split().freeze()),
            Err(closed) => Err(closed),
        };
        if sent.is_err() {
            self.buffer.clear();
            self.full.store(true, Ordering::Relaxed);
        }
        Poll::Ready(())
    }
}

impl AsyncWrite for ArtifactWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.buffer.len() >= CHUNK {
            ready!(self.poll_send(cx));
        }
        let taken = bytes.get(..CHUNK).unwrap_or(bytes);
        self.buffer.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx).map(Ok)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for ArtifactWriter {
    fn drop(&mut self) {
        // What is buffered is kept if there is room for it now; a drop cannot wait.
        let chunk = self.buffer.split().freeze();
        if let Some(sender) = self.chunks.get_ref().filter(|_| !chunk.is_empty()) {
            drop(sender.try_send(chunk));
        }
    }
}

/// The worker: passes the chunks to the store until they end.
fn keep(
    sink: &Sink,
    spec: &ArtifactSpec,
    path: &ArtifactPath,
    mut chunks: mpsc::Receiver<Bytes>,
    full: &AtomicBool,
) -> Result<Stored, StoreError> {
    let result = (|| {
        let mut stream = sink.store().open(spec, path)?;
        while let Some(chunk) = chunks.blocking_recv() {
            sink.progress().add_bytes(chunk.len() as u64);
            if stream.write(&chunk)?.is_break() {
                break;
            }
        }
        full.store(true, Ordering::Relaxed);
        chunks.close();
        // Senders that wait for room are let go by draining what is left.
        while chunks.blocking_recv().is_some() {}
        stream.finish()
    })();
    full.store(true, Ordering::Relaxed);
    result
}
