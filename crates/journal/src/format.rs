//! Writes an entry as a line of text, as `journalctl --output short-iso-precise --utc` does, with the time zone as in
//! RFC 3339; no other output mode.
//!
//! ```text
//! 2026-11-20T20:10:33.123456+00:00 node-1 kubelet[812]: first line of the message
//!                                                       the next line
//! ```

use std::io::Write as _;

use jiff::Timestamp;

use crate::entry::Entry;
use crate::field::Field;
use crate::fields::Message;
use crate::printable::{is_printable, tidy};

/// `2026-11-20T20:10:33`.
const SECOND_LEN: usize = 19;

/// Writes entries as text. Keeps the last second that it spelt out, as the next entry is usually of the same.
#[derive(Debug)]
pub struct Formatter {
    second: Option<u64>,
    spelt: [u8; SECOND_LEN],
}

impl Default for Formatter {
    fn default() -> Self {
        Self {
            second: None,
            spelt: *b"1970-01-01T00:00:00",
        }
    }
}

impl Formatter {
    /// Appends the line, or the lines, of an entry to `out`, ending with a newline.
    ///
    /// As in journalctl, the time is the sender's where known, control characters make a message `[5B blob data]`, and
    /// each further line is indented to where the first began.
    pub fn write(&mut self, entry: &Entry, message: Message<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let sent = entry
            .field(Field::SourceRealtime)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let sent = sent
            .and_then(|digits| digits.parse().ok())
            .filter(|usec| (1..1 << 55).contains(usec));
        self.write_time(sent.unwrap_or(entry.realtime_usec()), out);
        if let Some(host) = shown(entry, Field::Hostname) {
            out.push(b' ');
            out.extend_from_slice(host);
        }
        out.push(b' ');
        let name = shown(entry, Field::SyslogIdentifier).or_else(|| shown(entry, Field::Comm));
        out.extend_from_slice(name.unwrap_or(b"unknown"));
        if let Some(pid) = shown(entry, Field::Pid).or_else(|| shown(entry, Field::SyslogPid)) {
            out.push(b'[');
            out.extend_from_slice(pid);
            out.push(b']');
        }
        out.extend_from_slice(b": ");
        let indent = out.len() - start;
        match message {
            Message::Whole(text) => write_text(text, indent, out),
            Message::Cut(text) => {
                write_text(text, indent, out);
                // Takes the place of the newline.
                out.pop();
                out.extend_from_slice(b" [message cut here]\n");
            }
            Message::Unreadable => out.extend_from_slice(b"[unreadable message]\n"),
        }
    }

    fn write_time(&mut self, usec: u64, out: &mut Vec<u8>) {
        let second = usec / 1_000_000;
        if self.second != Some(second) {
            self.spell(second);
        }
        out.extend_from_slice(&self.spelt);
        let mut fraction = *b".000000+00:00";
        let mut rest = usec % 1_000_000;
        for digit in fraction[1..7].iter_mut().rev() {
            // A remainder of ten fits.
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        out.extend_from_slice(&fraction);
    }

    fn spell(&mut self, second: u64) {
        let time = i64::try_from(second)
            .ok()
            .and_then(|second| Timestamp::from_second(second).ok());
        let mut text = self.spelt.as_mut_slice();
        // Entries beyond the year 3111 are refused when they are read, so every second can be spelt in this length.
        let spelt = write!(text, "{:.0}", time.unwrap_or_default());
        self.second = spelt.is_ok().then_some(second);
    }
}

fn shown(entry: &Entry, field: Field) -> Option<&[u8]> {
    entry.field(field).filter(|value| is_printable(value))
}

/// Appends a message that begins at column `indent`, with a newline at its end.
fn write_text(text: &[u8], indent: usize, out: &mut Vec<u8>) {
    let text = tidy(text);
    if !is_printable(&text) {
        out.push(b'[');
        write_size(text.len(), out);
        out.extend_from_slice(b" blob data]\n");
        return;
    }
    let mut rest = text.strip_suffix(b"\n").unwrap_or(&text);
    while let Some(end) = memchr::memchr(b'\n', rest) {
        out.extend_from_slice(&rest[..=end]);
        out.resize(out.len() + indent, b' ');
        rest = &rest[end + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'\n');
}

/// Appends a size as journalctl does: in bytes below 1024, else with one decimal, not rounded.
fn write_size(bytes: usize, out: &mut Vec<u8>) {
    let (unit, suffix) = match bytes {
        0..1024 => {
            out.extend_from_slice(format!("{bytes}B").as_bytes());
            return;
        }
        1024..0x10_0000 => (1024, 'K'),
        _ => (0x10_0000, 'M'),
    };
    out.extend_from_slice(format!("{}.{}{suffix}", bytes / unit, bytes % unit * 10 / unit).as_bytes());
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TIME: u64 = 1_763_600_000_123_456;
    const PLAIN: &[(Field, &str)] = &[
        (Field::Hostname, "node-1"),
        (Field::SyslogIdentifier, "kubelet"),
        (Field::Pid, "12"),
    ];

    fn line(fields: &[(Field, &str)], message: Message<'_>) -> String {
        let mut out = Vec::new();
        Formatter::default().write(&Entry::for_test(TIME, fields), message, &mut out);
        String::from_utf8(out).unwrap()
    }

    // What journalctl 252 printed for the same entries, but for the colon in the time zone.
    #[rstest]
    #[case::plain(PLAIN, b"plain", "2025-11-20T00:53:20.123456+00:00 node-1 kubelet[12]: plain\n")]
    #[case::no_fields(&[], b"x", "2025-11-20T00:53:20.123456+00:00 unknown: x\n")]
    #[case::name_of_process(
        &[(Field::Comm, "comm"), (Field::SyslogPid, "77")], b"x", "2025-11-20T00:53:20.123456+00:00 comm[77]: x\n")]
    #[case::pid_of_kernel_wins(
        &[(Field::Comm, "comm"), (Field::SyslogIdentifier, "id"), (Field::Pid, "5"), (Field::SyslogPid, "77")],
        b"x", "2025-11-20T00:53:20.123456+00:00 id[5]: x\n")]
    #[case::odd_name(&[(Field::SyslogIdentifier, "ku\x07b")], b"x", "2025-11-20T00:53:20.123456+00:00 unknown: x\n")]
    #[case::sent_before(
        &[(Field::SourceRealtime, "1763500000000001")], b"x", "2025-11-18T21:06:40.000001+00:00 unknown: x\n")]
    #[case::sent_at_no_time(
        &[(Field::SourceRealtime, "18446744073709551616")], b"x", "2025-11-20T00:53:20.123456+00:00 unknown: x\n")]
    #[case::lines(
        &[], b"a\n\nb", "2025-11-20T00:53:20.123456+00:00 unknown: a\n                                          \n                                          b\n")]
    #[case::newline_at_end(&[], b"a\n", "2025-11-20T00:53:20.123456+00:00 unknown: a\n")]
    #[case::empty(&[], b"", "2025-11-20T00:53:20.123456+00:00 unknown: \n")]
    #[case::blob(&[], b"bell\x07", "2025-11-20T00:53:20.123456+00:00 unknown: [5B blob data]\n")]
    #[case::large_blob(&[], &vec![0xff; 150_000], "2025-11-20T00:53:20.123456+00:00 unknown: [146.4K blob data]\n")]
    fn lines_are_those_of_journalctl(#[case] fields: &[(Field, &str)], #[case] message: &[u8], #[case] expected: &str) {
        assert_eq!(line(fields, Message::Whole(message)), expected);
    }

    #[test]
    fn missing_parts_are_marked() {
        assert!(line(&[], Message::Cut(b"half")).ends_with(": half [message cut here]\n"));
        assert!(line(&[], Message::Unreadable).ends_with(": [unreadable message]\n"));
    }

    #[rstest]
    #[case::epoch(1, "1970-01-01T00:00:00.000001+00:00")]
    #[case::leap_day(1_709_208_000_000_000, "2024-02-29T12:00:00.000000+00:00")]
    #[case::last((1 << 55) - 1, "3111-09-16T23:10:18.963967+00:00")]
    fn every_time_has_the_same_length(#[case] usec: u64, #[case] expected: &str) {
        let mut out = Vec::new();
        Formatter::default().write_time(usec, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
