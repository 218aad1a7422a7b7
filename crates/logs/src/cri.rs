//! Lines as the container runtime interface prescribes them; does not copy.
//!
//! `2026-11-20T20:10:33.123456789Z stderr F text`: time, stream, tags, text, each after one blank. Of the tags, parted
//! by colons, only the first has a meaning so far: `F` for a full line, `P` for a part of one.
//! Source: the Kubernetes proposal *CRI: Log management for container stdout/stderr streams*, and the kubelet's reader.

use std::borrow::Cow;

use crate::record::{ParseError, Record, Stream};
use crate::time::UnixNanos;

/// Reads one line, with or without its newline.
pub fn parse(line: &[u8]) -> Result<Record<'_>, ParseError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (time, rest) = word(line).ok_or(ParseError::Missing { part: "stream" })?;
    let time = UnixNanos::parse(time).ok_or(ParseError::Time)?;
    let (stream, rest) = word(rest).ok_or(ParseError::Missing { part: "tag" })?;
    let stream = Stream::parse(stream).ok_or(ParseError::Stream)?;
    let (tags, text) = word(rest).ok_or(ParseError::Missing { part: "text" })?;
    let partial = match tags {
        [b'F'] | [b'F', b':', ..] => false,
        [b'P'] | [b'P', b':', ..] => true,
        _ => return Err(ParseError::Tag),
    };
    Ok(Record {
        time,
        stream,
        partial,
        text: Cow::Borrowed(text),
    })
}

/// What stands before the first blank, and after it.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    Some((&line[..blank], &line[blank + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const TIME: UnixNanos = UnixNanos::new(1_795_205_433_123_456_789);

    #[rstest]
    #[case::full(
        b"2026-11-20T20:10:33.123456789Z stdout F hello world\n",
        Stream::Stdout,
        false,
        b"hello world"
    )]
    #[case::part(b"2026-11-20T20:10:33.123456789Z stderr P half", Stream::Stderr, true, b"half")]
    #[case::empty(b"2026-11-20T20:10:33.123456789Z stdout F \n", Stream::Stdout, false, b"")]
    #[case::more_tags(b"2026-11-20T20:10:33.123456789Z stdout P:x:y a", Stream::Stdout, true, b"a")]
    #[case::blanks(b"2026-11-20T20:10:33.123456789Z stdout F   a ", Stream::Stdout, false, b"  a ")]
    #[case::local(b"2026-11-20T22:10:33.123456789+02:00 stdout F a", Stream::Stdout, false, b"a")]
    #[case::bytes(
        b"2026-11-20T20:10:33.123456789Z stdout F \xff\x00",
        Stream::Stdout,
        false,
        b"\xff\x00"
    )]
    #[case::carriage_return(b"2026-11-20T20:10:33.123456789Z stdout F a\r\n", Stream::Stdout, false, b"a\r")]
    fn records(#[case] line: &[u8], #[case] stream: Stream, #[case] partial: bool, #[case] text: &[u8]) {
        let record = parse(line).unwrap();
        assert_eq!(
            record,
            Record {
                time: TIME,
                stream,
                partial,
                text: Cow::Borrowed(text)
            }
        );
        assert!(matches!(record.text, Cow::Borrowed(_)));
    }

    #[rstest]
    #[case::empty(b"", "the line has no stream")]
    #[case::only_time(b"2026-11-20T20:10:33Z", "the line has no stream")]
    #[case::no_tag(b"2026-11-20T20:10:33Z stdout", "the line has no tag")]
    #[case::no_text(b"2026-11-20T20:10:33Z stdout F", "the line has no text")]
    #[case::time(b"yesterday stdout F a", "the time of the line is not in RFC 3339")]
    #[case::stream(
        b"2026-11-20T20:10:33Z stdin F a",
        "the stream of the line is neither stdout nor stderr"
    )]
    #[case::tag(b"2026-11-20T20:10:33Z stdout Full a", "the tag of the line is neither F nor P")]
    fn what_is_no_record_says_why(#[case] line: &[u8], #[case] why: &str) {
        assert_eq!(parse(line).unwrap_err().to_string(), why);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            nanos: i64,
            stderr: bool,
            partial: bool,
            text in proptest::collection::vec(any::<u8>().prop_filter("ends the line", |b| *b != b'\n'), 0..100),
        ) {
            let (name, stream) = if stderr { ("stderr", Stream::Stderr) } else { ("stdout", Stream::Stdout) };
            let time = UnixNanos::new(nanos);
            let mut line = format!("{time} {name} {} ", if partial { 'P' } else { 'F' }).into_bytes();
            line.extend_from_slice(&text);
            prop_assert_eq!(parse(&line).unwrap(), Record { time, stream, partial, text: Cow::Owned(text) });
        }

        #[test]
        fn any_bytes_are_taken(line in proptest::collection::vec(any::<u8>(), 0..100)) {
            // That it returns is the point; what it says about noise does not matter.
            drop(parse(&line));
        }
    }
}
