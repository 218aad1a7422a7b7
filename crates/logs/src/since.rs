//! Finds where in a log file the lines of a given time begin, without reading all of it; does not filter lines.
//!
//! The lines of a file are in order of time up to a small disorder, as standard output and error are written by
//! different threads of the runtime. The search therefore ends one block early.

use std::io::{self, Read, Seek, SeekFrom};

use crate::record::Format;
use crate::time::UnixNanos;

/// The search stops when this many bytes are left; reading them costs less than another step would.
const BLOCK: u64 = 64 * 1024;

/// Bytes read to find a whole line: records hold 16 KiB of text at most, which JSON may write with six bytes for one.
const PROBE: u64 = 256 * 1024;

/// The offset of a line before which no line is as late as `since`, near the first that is.
///
/// Lines from there on may still be older. `size` is where the search ends: what is written behind it is later.
/// The file must not be compressed.
pub fn offset_since(file: &mut (impl Read + Seek), size: u64, format: Format, since: UnixNanos) -> io::Result<u64> {
    let mut buf = Vec::new();
    let (mut low, mut high) = (0, size);
    while high - low > BLOCK {
        let middle = low + (high - low) / 2;
        match line_after(file, middle, high, format, &mut buf)? {
            Some((offset, time)) if time < since => low = offset,
            // Without a line that can be read, nothing says that the lines there are older.
            _ => high = middle,
        }
    }
    let early = low.saturating_sub(BLOCK);
    if early == 0 {
        return Ok(0);
    }
    read_block(file, early, BLOCK, &mut buf)?;
    // A block that is a part of one long line: that line began before it, so start where the search ended.
    Ok(memchr::memchr(b'\n', &buf).map_or(low, |end| early + end as u64 + 1))
}

/// The first whole record that begins behind `offset`: where it begins, and its time.
fn line_after(
    file: &mut (impl Read + Seek),
    offset: u64,
    end: u64,
    format: Format,
    buf: &mut Vec<u8>,
) -> io::Result<Option<(u64, UnixNanos)>> {
    read_block(file, offset, PROBE.min(end - offset), buf)?;
    // The first piece is the rest of a line, the last one the beginning of one.
    let mut starts = memchr::memchr_iter(b'\n', buf).map(|at| at + 1);
    let Some(mut start) = starts.next() else {
        return Ok(None);
    };
    for next in starts {
        if let Ok(record) = format.parse(&buf[start..next]) {
            return Ok(Some((offset + start as u64, record.time)));
        }
        start = next;
    }
    Ok(None)
}

fn read_block(file: &mut (impl Read + Seek), offset: u64, len: u64, buf: &mut Vec<u8>) -> io::Result<()> {
    buf.clear();
    file.seek(SeekFrom::Start(offset))?;
    file.take(len).read_to_end(buf)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Lines at one per second, each of about the given length.
    fn cri(lines: i64, text: usize) -> Vec<u8> {
        let line = |at| format!("{} stdout F {}\n", UnixNanos::new(at * SECOND), "x".repeat(text));
        (1..=lines).flat_map(|at| line(at).into_bytes()).collect()
    }

    fn first_time(file: &[u8], offset: u64) -> UnixNanos {
        let rest = &file[usize::try_from(offset).unwrap()..];
        Format::Cri
            .parse(rest.split_inclusive(|byte| *byte == b'\n').next().unwrap())
            .unwrap()
            .time
    }

    #[rstest]
    #[case::short_lines(100_000, 20)]
    #[case::long_lines(300, 16 * 1024)]
    fn little_is_read_before_the_first_line_wanted(#[case] lines: i64, #[case] text: usize) {
        let file = cri(lines, text);
        for wanted in [lines / 3, lines / 2, lines - 1] {
            let since = UnixNanos::new(wanted * SECOND);
            let offset = offset_since(&mut Cursor::new(&file), file.len() as u64, Format::Cri, since).unwrap();
            assert!(first_time(&file, offset) <= since);
            let exact = file.len() as u64 * u64::try_from(wanted).unwrap() / u64::try_from(lines).unwrap();
            assert!(exact - offset < 3 * BLOCK, "{offset} is far from {exact}");
        }
    }

    #[rstest]
    #[case::before_all(0, true)]
    #[case::after_all(1_000_000, false)]
    fn times_outside_of_the_file(#[case] second: i64, #[case] at_start: bool) {
        let file = cri(10_000, 50);
        let since = UnixNanos::new(second * SECOND);
        let offset = offset_since(&mut Cursor::new(&file), file.len() as u64, Format::Cri, since).unwrap();
        assert_eq!(offset == 0, at_start);
    }

    #[test]
    fn a_file_of_another_format_is_read_from_its_start() {
        let file = cri(10_000, 50);
        let since = UnixNanos::new(9_000 * SECOND);
        let offset = offset_since(&mut Cursor::new(&file), file.len() as u64, Format::Docker, since).unwrap();
        assert_eq!(offset, 0);
    }

    proptest! {
        #[test]
        fn no_line_wanted_is_passed_over(
            lengths in proptest::collection::vec(0_usize..3000, 1..300),
            wanted in 0_usize..300,
            torn in 0_usize..50,
        ) {
            let mut file = Vec::new();
            let mut starts = Vec::new();
            for (at, text) in lengths.iter().enumerate() {
                starts.push(file.len() as u64);
                let time = UnixNanos::new(i64::try_from(at).unwrap() * SECOND);
                file.extend_from_slice(format!("{time} stderr P {}\n", "y".repeat(*text)).as_bytes());
            }
            file.truncate(file.len() - torn.min(file.len()));
            let since = UnixNanos::new(i64::try_from(wanted).unwrap() * SECOND);
            let offset = offset_since(&mut Cursor::new(&file), file.len() as u64, Format::Cri, since).unwrap();
            prop_assert!(starts.contains(&offset));
            prop_assert!(starts.get(wanted).is_none_or(|start| offset <= *start));
        }
    }
}
