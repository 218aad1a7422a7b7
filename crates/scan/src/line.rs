//! Where in a line the program's own words begin, and what klog's first letter says of them.

use memchr::memchr;

use crate::source::Form;
use crate::time::is_klog;

/// Bytes of a line in which the end of its head is looked for.
const MAX_HEAD: usize = 192;
/// The end of the time in `2026-11-20T20:19:15.123456+00:00`, or behind it: nothing before is the end of the head.
const JOURNAL_TIME: usize = 31;
/// The same for `Nov 20 20:19:15`.
const SYSLOG_TIME: usize = 15;
/// What comes before a container's words in docker's log.
const DOCKER: &[u8] = b"{\"log\":\"";
/// The length of a CRI time in nanoseconds, which containerd writes for all but every tenth line.
const CRI_TIME: usize = 30;
/// Where the words begin behind such a time, one of `stdout` and `stderr`, and one of `F` and `P`.
const CRI_WORDS: usize = 40;

/// What klog says of a line by its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Klog {
    /// It is not klog's.
    No,
    Info,
    Warning,
    Error,
}

/// The level that klog wrote at the start of the message.
pub(crate) fn klog(form: Form, line: &[u8]) -> Klog {
    let message = line.get(message_at(form, line)..).unwrap_or_default();
    match message.first() {
        Some(b'I') if is_klog(message) => Klog::Info,
        Some(b'W') if is_klog(message) => Klog::Warning,
        Some(b'E' | b'F') if is_klog(message) => Klog::Error,
        _ => Klog::No,
    }
}

/// What lines have in which klog wrote an error or a warning, by what stands before it. In files that begin with it
/// there is nothing before: see [`begins_with_klog`].
pub(crate) fn klog_literals(form: Form) -> &'static [&'static str] {
    match form {
        Form::Journal | Form::Syslog => &[": E0", ": E1", ": W0", ": W1", ": F0", ": F1"],
        Form::Container => &[
            " F E0", " F E1", " F W0", " F W1", " F F0", " F F1", " P E0", " P E1", " P W0", " P W1", " P F0", " P F1",
            "Z E0", "Z E1", "Z W0", "Z W1", "Z F0", "Z F1", ":\"E0", ":\"E1", ":\"W0", ":\"W1", ":\"F0", ":\"F1",
        ],
        Form::Plain => &[],
    }
}

/// Whether a line of a plain file is an error or a warning of klog's.
pub(crate) fn begins_with_klog(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'E' | b'W' | b'F')) && is_klog(line)
}

/// Whether a line begins an entry of the log, rather than going on with the one before.
pub(crate) fn begins_entry(form: Form, line: &[u8]) -> bool {
    let Some(first) = line.first() else { return false };
    match form {
        Form::Journal | Form::Syslog | Form::Container => !first.is_ascii_whitespace(),
        Form::Plain => {
            first.is_ascii_digit() || matches!(first, b'[' | b'{') || line.starts_with(b"time=") || is_klog(line)
        }
    }
}

/// Where the program's own words begin.
pub(crate) fn message_at(form: Form, line: &[u8]) -> usize {
    match form {
        Form::Journal => behind_colon(line, JOURNAL_TIME),
        Form::Syslog => behind_colon(line, SYSLOG_TIME),
        Form::Container => in_container(line),
        Form::Plain => 0,
    }
}

/// The first `: ` from here on ends the name of the program.
fn behind_colon(line: &[u8], mut from: usize) -> usize {
    let head = line.get(..MAX_HEAD).unwrap_or(line);
    while let Some(at) = head.get(from..).and_then(|rest| memchr(b':', rest)) {
        from += at + 1;
        if head.get(from) == Some(&b' ') {
            return from + 1;
        }
    }
    0
}

fn in_container(line: &[u8]) -> usize {
    match line.first() {
        Some(b'{') if line.starts_with(DOCKER) => DOCKER.len(),
        Some(b'0'..=b'9') => {
            if line.get(CRI_TIME..CRI_TIME + 4) == Some(b" std") && line.get(CRI_WORDS - 1) == Some(&b' ') {
                return CRI_WORDS;
            }
            let head = line.get(..MAX_HEAD).unwrap_or(line);
            let behind = |from: usize| Some(from + memchr(b' ', head.get(from..)?)? + 1);
            let Some(stream) = behind(0) else { return 0 };
            let is_cri = head
                .get(stream..)
                .is_some_and(|rest| rest.starts_with(b"stdout ") || rest.starts_with(b"stderr "));
            if is_cri {
                behind(stream + 7).unwrap_or(stream)
            } else {
                stream
            }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Klog, begins_entry, klog};
    use crate::source::Form;

    #[rstest]
    #[case(Form::Journal, "2026-11-20T20:19:15.123456+00:00 node-1 kubelet[1000]: ")]
    #[case(Form::Journal, "2026-11-20T20:19:15.123456+0000 node-1 kubelet[1000]: ")]
    #[case(Form::Syslog, "Nov 20 20:19:15 node-1 kubelet[1000]: ")]
    #[case(Form::Syslog, "2026-11-20T20:19:15.123456+00:00 node-1 kubelet[1000]: ")]
    #[case(Form::Container, "2026-11-20T20:19:15.123456789Z stderr F ")]
    #[case(Form::Container, "2026-11-20T20:19:15.12345678Z stdout P ")]
    #[case(Form::Container, "2026-11-20T20:19:15.123456789Z ")]
    #[case(Form::Container, "{\"log\":\"")]
    #[case(Form::Container, "")]
    #[case(Form::Plain, "")]
    fn the_level_stands_where_the_message_begins(#[case] form: Form, #[case] head: &str) {
        for (level, expected) in [
            ("I", Klog::Info),
            ("W", Klog::Warning),
            ("E", Klog::Error),
            ("F", Klog::Error),
            ("x", Klog::No),
        ] {
            let line = format!("{head}{level}1120 20:19:15.123456    1 a.go:1] E1120 20:19:15 x: y");
            assert_eq!(klog(form, line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn indented_lines_and_traces_go_on() {
        assert!(!begins_entry(Form::Journal, b"      further words"));
        assert!(begins_entry(Form::Journal, b"2026-11-20T20:19:15.123456+00:00 n k: x"));
        assert!(!begins_entry(Form::Plain, b"Traceback (most recent call last):"));
        assert!(begins_entry(Form::Plain, b"2026-11-20 20:19:15,123 - x"));
        assert!(!begins_entry(Form::Plain, b""));
    }
}
