//! One child process from its start to its end: its output, its deadline, its death.
//!
//! It knows nothing of namespaces; [`HostCommands`](crate::HostCommands) decides what is started.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::process::{Child, Command};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{CommandEnd, RunningCommand, STDERR_TAIL_BYTES};

/// How long a killed process may take to die. One that waits in the kernel (a dead disk or server) never does.
const DEATH_WAIT: Duration = Duration::from_secs(2);

/// Piece of standard error read at once.
const STDERR_READ_BYTES: usize = 4096;

/// Starts `command` in a process group of its own, which is killed at `timeout`, with its leader, or when the
/// [`RunningCommand`] is dropped.
pub(crate) fn start(command: Command, timeout: Duration) -> io::Result<RunningCommand> {
    start_until(command, tokio::time::sleep(timeout))
}

fn start_until(
    mut command: Command,
    deadline: impl Future<Output = ()> + Send + 'static,
) -> io::Result<RunningCommand> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let over = CancellationToken::new();
    let stdout = child.stdout.take().map(|pipe| Output::new(pipe, &over));
    let stderr = child.stderr.take().map(|pipe| Output::new(pipe, &over));
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(io::Error::other("no pipe to the child"));
    };
    let group = Group {
        leader: child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)),
    };
    let dropped = CancellationToken::new();
    let kill_when_dropped = dropped.clone().drop_guard();
    // Tasks of their own: the deadline holds even while nobody reads or waits.
    let fate = tokio::spawn(supervise(child, group, deadline, dropped, over));
    let tail = tokio::spawn(tail(stderr));
    Ok(RunningCommand::new(stdout, async move {
        let mut end = fate.await.unwrap_or_default();
        end.stderr_tail = tail.await.unwrap_or_default();
        drop(kill_when_dropped);
        end
    }))
}

async fn supervise(
    mut child: Child,
    mut group: Group,
    deadline: impl Future<Output = ()>,
    dropped: CancellationToken,
    over: CancellationToken,
) -> CommandEnd {
    let mut end = CommandEnd::default();
    tokio::select! {
        () = exit_of(&mut child, &group) => {}
        () = deadline => end.timed_out = true,
        () = dropped.cancelled() => {}
    }
    // The leader is not reaped yet, so the group's number cannot have gone to somebody else.
    group.kill();
    match tokio::time::timeout(DEATH_WAIT, child.wait()).await {
        Ok(Ok(status)) => (end.status, end.signal) = split(status),
        Ok(Err(error)) => tracing::warn!(%error, "A child process cannot be waited for."),
        Err(_) => {
            tracing::warn!(pid = child.id(), "A child process does not die and is left behind.");
            end.abandoned = true;
        }
    }
    group.leader = None;
    // From here on only processes that left the group could still write.
    over.cancel();
    end
}

/// Waits until the leader has ended, without reaping it where the kernel allows that (5.3 and later).
async fn exit_of(child: &mut Child, group: &Group) {
    let ended = match group.leader.and_then(process_handle) {
        Some(handle) => handle.readable().await.map(drop),
        None => child.wait().await.map(drop),
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "The end of a child process cannot be awaited.");
    }
}

/// A handle that becomes readable when the process ends.
#[expect(
    deprecated,
    reason = "unsound only for types that may change their descriptor, which `OwnedFd` cannot"
)]
fn process_handle(process: Pid) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::new(pidfd_open(process, PidfdFlags::empty()).ok()?).ok()
}

fn split(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}

/// A process group of ours, killed when dropped: the runtime may end before the child.
struct Group {
    leader: Option<Pid>,
}

impl Group {
    fn kill(&self) {
        let Some(leader) = self.leader else { return };
        match kill_process_group(leader, Signal::KILL) {
            // ESRCH: all of it has ended and the leader was reaped.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(%error, "A process group cannot be killed."),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A pipe from a child that also ends when the child is gone.
///
/// A process that left the group (a daemon) may hold the pipe open, and write to it, for ever; nobody waits for it.
struct Output<P> {
    pipe: P,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Bytes that were in the pipe when the child was gone and are still to be read; `None` before that.
    left: Option<u64>,
}

impl<P: AsFd> Output<P> {
    fn new(pipe: P, over: &CancellationToken) -> Self {
        Self {
            pipe,
            over: Box::pin(over.clone().cancelled_owned()),
            left: None,
        }
    }

    /// Reads what the child left in the pipe. The pipe itself is asked, because the runtime may not have heard of it.
    fn read_left(&mut self, buffer: &mut ReadBuf<'_>) -> Result<(), Errno> {
        let left = match self.left {
            Some(left) => left,
            None => rustix::io::ioctl_fionread(&self.pipe)?,
        };
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.remaining());
        let count = match rustix::io::read(&self.pipe, buffer.initialize_unfilled_to(wanted)) {
            Err(Errno::AGAIN) => 0,
            read => read?,
        };
        buffer.advance(count);
        self.left = Some(left.saturating_sub(count as u64));
        Ok(())
    }
}

impl<P: AsyncRead + AsFd + Unpin> AsyncRead for Output<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.over.as_mut().poll(cx) {
            Poll::Pending => Pin::new(&mut self.pipe).poll_read(cx, buffer),
            Poll::Ready(()) => Poll::Ready(self.read_left(buffer).map_err(io::Error::from)),
        }
    }
}

/// Reads to the end and keeps the last [`STDERR_TAIL_BYTES`].
async fn tail(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut piece = [0; STDERR_READ_BYTES];
    loop {
        match stderr.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(count) => kept.extend_from_slice(&piece[..count]),
        }
        let surplus = kept.len().saturating_sub(STDERR_TAIL_BYTES);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
mod tests {
    use std::future::pending;

    use rstest::rstest;
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    fn shell(script: &str, deadline: impl Future<Output = ()> + Send + 'static) -> RunningCommand {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).stdin(Stdio::null());
        start_until(command, deadline).unwrap()
    }

    async fn run(script: &str) -> (String, CommandEnd) {
        let mut running = shell(script, pending());
        let mut output = String::new();
        running.stdout().read_to_string(&mut output).await.unwrap();
        (output, running.wait().await)
    }

    async fn first_line(running: &mut RunningCommand) -> String {
        let mut line = String::new();
        BufReader::new(running.stdout()).read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    fn process(line: &str) -> Pid {
        Pid::from_raw(line.trim().parse().unwrap()).unwrap()
    }

    /// Waits for the end of a process that is no child of ours; a failure hangs until the test runner ends it.
    async fn assert_dies(process: Pid) {
        if let Some(handle) = process_handle(process) {
            drop(handle.readable().await.unwrap());
        }
    }

    #[rstest]
    #[case::success("echo out; echo err >&2", "out\n", Some(0), None, "err\n")]
    #[case::status("echo part; exit 3", "part\n", Some(3), None, "")]
    #[case::signal("kill -TERM $$", "", None, Some(15), "")]
    #[tokio::test]
    async fn ends(
        #[case] script: &str,
        #[case] output: &str,
        #[case] status: Option<i32>,
        #[case] signal: Option<i32>,
        #[case] stderr: &str,
    ) {
        let end = CommandEnd {
            status,
            signal,
            stderr_tail: stderr.into(),
            timed_out: false,
            abandoned: false,
        };
        assert_eq!(run(script).await, (output.into(), end));
    }

    #[tokio::test]
    async fn the_deadline_ends_the_whole_group_and_keeps_what_was_said() {
        let deadline = CancellationToken::new();
        let script = "sleep 1000 & echo why >&2; echo $!; echo more; wait";
        let mut running = shell(script, deadline.clone().cancelled_owned());
        let grandchild = process(&first_line(&mut running).await);
        deadline.cancel();
        assert_dies(grandchild).await;
        let end = running.wait().await;
        assert_eq!(
            (end.timed_out, end.signal, end.stderr_tail.as_str()),
            (true, Some(9), "why\n")
        );
    }

    #[tokio::test]
    async fn the_deadline_holds_while_nobody_reads() {
        let deadline = CancellationToken::new();
        let mut running = shell(
            "echo $$; while :; do echo full; done",
            deadline.clone().cancelled_owned(),
        );
        let leader = process(&first_line(&mut running).await);
        deadline.cancel();
        assert_dies(leader).await;
        assert!(running.wait().await.timed_out);
    }

    #[tokio::test]
    async fn a_timeout_is_a_deadline() {
        let mut command = Command::new("/bin/sleep");
        command.arg("1000").stdin(Stdio::null());
        assert!(start(command, Duration::from_millis(1)).unwrap().wait().await.timed_out);
    }

    #[tokio::test]
    async fn a_process_that_left_the_group_keeps_nobody_waiting() {
        // The shell ends when the daemon has its own session; the pipe stays open in the daemon's hands.
        let script = "setsid sleep 1000 & echo $!; \
            until [ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]; do :; done";
        let (output, end) = run(script).await;
        assert_eq!((end.status, end.timed_out), (Some(0), false));
        rustix::process::kill_process(process(&output), Signal::KILL).expect("the daemon is alive");
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_writing_keeps_nobody_waiting() {
        let script = "setsid sh -c 'while echo noise; do :; done' & \
            until [ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]; do :; done";
        // The daemon ends by itself when the reading end of its pipe is closed.
        let (output, end) = run(script).await;
        assert!(output.lines().all(|line| line == "noise"), "{output}");
        assert_eq!((end.status, end.timed_out), (Some(0), false));
    }

    #[tokio::test]
    async fn children_left_behind_are_killed_with_their_leader() {
        let (output, _) = run("sleep 1000 & echo $!").await;
        assert_dies(process(&output)).await;
    }

    #[tokio::test]
    async fn dropping_kills_grandchildren_too() {
        let mut running = shell("sleep 1000 & echo $!; wait", pending());
        let grandchild = process(&first_line(&mut running).await);
        drop(running);
        assert_dies(grandchild).await;
    }

    #[tokio::test]
    async fn more_output_than_any_buffer_arrives_whole() {
        let mut running = shell("dd if=/dev/zero bs=65536 count=512 2>/dev/null; printf end", pending());
        let mut piece = vec![0; 64 * 1024];
        let mut total = 0;
        let mut last = Vec::new();
        loop {
            let count = running.stdout().read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            total += count;
            last = piece[..count].to_vec();
        }
        assert_eq!(total, 512 * 65536 + 3);
        assert!(last.ends_with(b"end"));
        assert!(running.wait().await.success());
    }

    #[tokio::test]
    async fn only_the_end_of_standard_error_is_kept() {
        let (_, end) = run("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done").await;
        assert_eq!(end.stderr_tail.len(), STDERR_TAIL_BYTES);
        assert!(end.stderr_tail.ends_with("line 2998\nline 2999\n"));
    }

    #[tokio::test]
    async fn output_that_nobody_wants_does_not_stop_the_end() {
        let end = shell("echo unread; exit 0", pending()).wait().await;
        assert!(!end.timed_out);
    }
}
