//! Lines of docker's `json-file` log driver; copies only where the text has escapes.
//!
//! `{"log":"text\n","stream":"stdout","time":"2026-11-20T20:10:33.123456789Z"}`, with `attrs` between when the daemon
//! was told to add labels. A record whose text does not end in a newline is a part of a longer line.

use std::borrow::Cow;

use serde::Deserialize;

use crate::record::{ParseError, Record, Stream};
use crate::time::UnixNanos;

/// A record as JSON; other members, such as `attrs`, are passed over.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// Reads one line, with or without its newline.
pub fn parse(line: &[u8]) -> Result<Record<'_>, ParseError> {
    if let Some(record) = parse_plain(line) {
        return Ok(record);
    }
    let json: Json<'_> = serde_json::from_slice(line).map_err(ParseError::Json)?;
    let mut text = match json.log {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let partial = !text.ends_with(b"\n");
    if !partial {
        match &mut text {
            Cow::Borrowed(text) => *text = text.strip_suffix(b"\n").unwrap_or(text),
            Cow::Owned(text) => text.truncate(text.len() - 1),
        }
    }
    Ok(Record {
        time: UnixNanos::parse(json.time.as_bytes()).ok_or(ParseError::Time)?,
        stream: Stream::parse(json.stream.as_bytes()).ok_or(ParseError::Stream)?,
        partial,
        text,
    })
}

/// Reads a line of the usual shape whose text has no escape but that of the newline at its end. Nothing about any
/// other line: the general parser decides about that.
fn parse_plain(line: &[u8]) -> Option<Record<'_>> {
    let rest = line.strip_prefix(br#"{"log":""#)?;
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    let (text, rest) = rest.split_at(end);
    let (partial, rest) = match rest.strip_prefix(br#"\n""#) {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(b"\"")?),
    };
    // JSON has neither bare control characters nor bytes that are not UTF-8.
    if text.iter().any(|byte| *byte < b' ') || std::str::from_utf8(text).is_err() {
        return None;
    }
    let rest = rest.strip_prefix(br#","stream":""#)?;
    let (stream, rest) = rest.split_at_checked(6)?;
    let rest = rest.strip_prefix(br#"","time":""#)?;
    let rest = rest.strip_suffix(b"\n").unwrap_or(rest);
    Some(Record {
        time: UnixNanos::parse(rest.strip_suffix(br#""}"#)?)?,
        stream: Stream::parse(stream)?,
        partial,
        text: Cow::Borrowed(text),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const TIME: &str = "2026-11-20T20:10:33.123456789Z";

    fn line(log: &str) -> String {
        format!(r#"{{"log":{log},"stream":"stderr","time":"{TIME}"}}"#) + "\n"
    }

    #[rstest]
    #[case::plain(r#""hello\n""#, false, "hello", true)]
    #[case::part(r#""half""#, true, "half", true)]
    #[case::empty(r#""\n""#, false, "", true)]
    #[case::nothing(r#""""#, true, "", true)]
    #[case::escapes(r#""say \"\u003ca\u003e\"\n""#, false, "say \"<a>\"", false)]
    #[case::escaped_backslash(r#""a\\n""#, true, "a\\n", false)]
    #[case::utf8(r#""grüße\n""#, false, "grüße", true)]
    fn records(#[case] log: &str, #[case] partial: bool, #[case] text: &str, #[case] borrowed: bool) {
        let line = line(log);
        let record = parse(line.as_bytes()).unwrap();
        assert_eq!(record.time, UnixNanos::parse(TIME.as_bytes()).unwrap());
        assert_eq!(record.stream, Stream::Stderr);
        assert_eq!((record.partial, &*record.text), (partial, text.as_bytes()));
        assert_eq!(matches!(record.text, Cow::Borrowed(_)), borrowed);
    }

    #[rstest]
    #[case::attributes(r#"{"log":"a\n","stream":"stdout","attrs":{"x":"y"},"time":"2026-11-20T20:10:33Z"}"#)]
    #[case::other_order(r#"{"time":"2026-11-20T20:10:33Z", "stream":"stdout", "log":"a\n"}"#)]
    fn other_shapes_are_read_too(#[case] line: &str) {
        assert_eq!(*parse(line.as_bytes()).unwrap().text, *b"a");
    }

    #[rstest]
    #[case::cut_off(r#"{"log":"a\n","stre"#, "the line is not a JSON log record")]
    #[case::no_time(r#"{"log":"a\n","stream":"stdout"}"#, "the line is not a JSON log record")]
    #[case::stream(
        r#"{"log":"a\n","stream":"stdin","time":"2026-11-20T20:10:33Z"}"#,
        "the stream of the line is neither stdout nor stderr"
    )]
    #[case::time(
        r#"{"log":"a\n","stream":"stdout","time":"now"}"#,
        "the time of the line is not in RFC 3339"
    )]
    fn what_is_no_record_says_why(#[case] line: &str, #[case] why: &str) {
        assert_eq!(parse(line.as_bytes()).unwrap_err().to_string(), why);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text: String) {
            let line = line(&serde_json::to_string(&text).unwrap());
            let record = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(record.partial, !text.ends_with('\n'));
            prop_assert_eq!(&*record.text, text.strip_suffix('\n').unwrap_or(&text).as_bytes());
        }

        #[test]
        fn the_short_way_says_what_the_general_parser_says(
            log in proptest::collection::vec(any::<u8>(), 0..20),
            tail in "(\\\\n)?\",\"stream\":\"(stdout|stderr|std)\",\"time\":\"2026-11-20T20:10:33(\\.1)?Z?\"\\}\n?",
        ) {
            let line = [br#"{"log":""#.as_slice(), &log, tail.as_bytes()].concat();
            if let Some(plain) = parse_plain(&line) {
                let json: Json<'_> = serde_json::from_slice(&line).unwrap();
                prop_assert_eq!(plain.text, json.log.strip_suffix('\n').unwrap_or(&json.log).as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_taken(line in proptest::collection::vec(any::<u8>(), 0..100)) {
            drop(parse(&line));
        }
    }
}
