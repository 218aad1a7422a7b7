//! How a line of a container log is framed: what of it is payload, whose it is, and whether the logical line goes on in
//! the next record of the same stream. It reads one record and remembers nothing.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::ContentKind;

/// The longest prefix of a CRI record: a time with nine decimals and a zone has 35 bytes.
const MAX_CRI_PREFIX: usize = 80;
/// A docker record without attributes ends with its stream and time in fewer bytes.
const DOCKER_TAIL: usize = 112;

/// What follows the payload of a docker record.
static STREAM_KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#"","stream":"std"#));

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Everything that is no container record.
    Text,
    Stdout,
    Stderr,
}

impl Stream {
    pub(crate) const COUNT: usize = 3;
}

/// One line, taken apart. Ranges are of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) payload: Range<usize>,
    pub(crate) stream: Stream,
    /// The logical line ends with this record.
    pub(crate) complete: bool,
    /// What follows the payload in the line and is text of its own.
    pub(crate) rest: Range<usize>,
}

impl Record {
    /// Takes a line, without its line end, apart. A line that is not framed as its kind says is text.
    pub(crate) fn of(kind: ContentKind, line: &[u8]) -> Self {
        let framed = match kind {
            ContentKind::CriLog => cri(line),
            ContentKind::DockerLog => docker(line),
            ContentKind::Text | ContentKind::Json | ContentKind::Yaml | ContentKind::Binary => None,
        };
        framed.unwrap_or_else(|| Self::text(line))
    }

    pub(crate) fn text(line: &[u8]) -> Self {
        Self {
            payload: 0..line.len(),
            stream: Stream::Text,
            complete: true,
            rest: line.len()..line.len(),
        }
    }
}

/// `<time> stdout|stderr P|F <payload>`: the format of the Kubernetes container runtime interface.
fn cri(line: &[u8]) -> Option<Record> {
    let head = &line[..line.len().min(MAX_CRI_PREFIX)];
    let time = memchr::memchr(b' ', head).filter(|_| head[0].is_ascii_digit())?;
    let after = head.get(time + 1..)?;
    let stream = match after.get(..7)? {
        b"stdout " => Stream::Stdout,
        b"stderr " => Stream::Stderr,
        _ => return None,
    };
    let tags = after.get(7..)?;
    // Tags are separated by colons; the first says whether the line is whole.
    let end = memchr::memchr(b' ', tags).unwrap_or(tags.len());
    let complete = match tags.first()? {
        b'F' => true,
        b'P' => false,
        _ => return None,
    };
    if end != 1 && tags[1] != b':' {
        return None;
    }
    let start = (time + 8 + end + 1).min(line.len());
    Some(Record {
        payload: start..line.len(),
        stream,
        complete,
        rest: line.len()..line.len(),
    })
}

/// `{"log":"<payload>","stream":"stdout","time":"…"}`: the json-file format of Docker. The payload is left escaped.
fn docker(line: &[u8]) -> Option<Record> {
    const HEAD: &[u8] = br#"{"log":""#;
    if !line.starts_with(HEAD) {
        return None;
    }
    // Nothing inside a payload looks like this: its quotes are escaped.
    let low = line.len().saturating_sub(DOCKER_TAIL).max(HEAD.len());
    let end = STREAM_KEY
        .find(&line[low..])
        .map(|at| low + at)
        .or_else(|| STREAM_KEY.find(&line[HEAD.len()..]).map(|at| HEAD.len() + at))?;
    let after = end + STREAM_KEY.needle().len();
    let stream = match line.get(after..after + 3)? {
        b"out" => Stream::Stdout,
        b"err" => Stream::Stderr,
        _ => return None,
    };
    let payload = &line[HEAD.len()..end];
    // A line feed at the end is `\n`; `\\n` is a backslash and a letter.
    let complete = payload.ends_with(b"n") && crate::class::backslashes_before(payload, payload.len() - 1) % 2 == 1;
    let stop = if complete { end - 2 } else { end };
    Some(Record {
        payload: HEAD.len()..stop,
        stream,
        complete,
        rest: end..line.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::full("2026-11-20T20:19:15.000000000Z stdout F hello", "hello", Stream::Stdout, true)]
    #[case::partial("2026-11-20T20:19:15.000000000+01:00 stderr P hel", "hel", Stream::Stderr, false)]
    #[case::tags("2026-11-20T20:19:15Z stdout P:x hel", "hel", Stream::Stdout, false)]
    #[case::empty("2026-11-20T20:19:15Z stdout F ", "", Stream::Stdout, true)]
    #[case::cut("2026-11-20T20:19:15Z stdout F", "", Stream::Stdout, true)]
    #[case::other_tag(
        "2026-11-20T20:19:15Z stdout X a",
        "2026-11-20T20:19:15Z stdout X a",
        Stream::Text,
        true
    )]
    #[case::no_record("plain text", "plain text", Stream::Text, true)]
    fn cri_lines(#[case] line: &str, #[case] payload: &str, #[case] stream: Stream, #[case] complete: bool) {
        let record = Record::of(ContentKind::CriLog, line.as_bytes());
        assert_eq!(
            (line.get(record.payload).unwrap(), record.stream, record.complete),
            (payload, stream, complete)
        );
    }

    #[rstest]
    #[case::full(r#"{"log":"a\"b\n","stream":"stdout","time":"t"}"#, r#"a\"b"#, Stream::Stdout, true)]
    #[case::partial(r#"{"log":"ab","stream":"stderr","time":"t"}"#, "ab", Stream::Stderr, false)]
    #[case::letter_n(r#"{"log":"ab\\n","stream":"stderr","time":"t"}"#, r"ab\\n", Stream::Stderr, false)]
    #[case::empty(r#"{"log":"","stream":"stdout","time":"t"}"#, "", Stream::Stdout, false)]
    #[case::attributes(
        r#"{"log":"a\n","stream":"stdout","attrs":{"tag":"x"},"time":"t"}"#,
        "a",
        Stream::Stdout,
        true
    )]
    #[case::no_record(r#"{"msg":"a"}"#, r#"{"msg":"a"}"#, Stream::Text, true)]
    fn docker_lines(#[case] line: &str, #[case] payload: &str, #[case] stream: Stream, #[case] complete: bool) {
        let record = Record::of(ContentKind::DockerLog, line.as_bytes());
        assert_eq!(
            (line.get(record.payload).unwrap(), record.stream, record.complete),
            (payload, stream, complete)
        );
    }

    #[test]
    fn long_attributes_do_not_hide_the_payload() {
        let line = format!(
            r#"{{"log":"a\n","stream":"stdout","attrs":{{"tag":"{}"}},"time":"t"}}"#,
            "x".repeat(200)
        );
        assert_eq!(Record::of(ContentKind::DockerLog, line.as_bytes()).payload, 8..9);
    }
}
