//! How an archive goes through a stream that may end anywhere and tell nobody: a line that says what comes, the bytes,
//! and a line with the hash of the whole file. It knows no files and no cluster.
//!
//! ```text
//! aks-periscope archive 1 <length of the file> <offset of the first byte sent>\n
//! <bytes from there to the end>
//! \nsha256 <of the whole file>\n
//! ```

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// What the first line begins with; the number is the version of this form.
const MAGIC: &str = "aks-periscope archive 1";
/// Longest first line: the magic and two numbers of 20 digits.
const MAX_HEAD: usize = 80;
/// Length of the last line: `\nsha256 `, 64 digits and a line end.
const TAIL: usize = 8 + 64 + 1;
/// Bytes copied at a time.
const PIECE: usize = 64 * 1024;

/// A stream that is not, or not wholly, an archive.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Torn {
    /// It ended too early.
    #[error("it ended after {0} bytes of the archive")]
    Early(u64),
    /// Something else comes.
    #[error("what came is no archive")]
    Foreign,
    /// The file is another one than before.
    #[error("the archive changed on its node")]
    Changed,
    /// The bytes are not those that were sent.
    #[error("the archive was damaged on its way")]
    Damaged,
}

/// Sends a file of this length from the offset on. All of it is read, as its hash is sent too.
///
/// # Errors
/// When reading or writing fails, or the file is shorter than its length.
pub(crate) fn send(mut file: impl Read, length: u64, offset: u64, mut out: impl Write) -> io::Result<()> {
    let offset = offset.min(length);
    writeln!(out, "{MAGIC} {length} {offset}")?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    while at < length {
        let wanted = usize::try_from(length - at).map_or(PIECE, |left| left.min(PIECE));
        let read = file.read(piece.get_mut(..wanted).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = piece.get(..read).unwrap_or_default();
        hash.update(bytes);
        let skipped = usize::try_from(offset.saturating_sub(at)).map_or(read, |skipped| skipped.min(read));
        out.write_all(bytes.get(skipped..).unwrap_or_default())?;
        at += read as u64;
    }
    write!(out, "\nsha256 {}\n", hex(&hash.finalize()))?;
    out.flush()
}

/// What of an archive has arrived, over as many streams as it takes.
#[derive(Default)]
pub(crate) struct Arrival {
    /// Length of the file, once a stream told it.
    length: Option<u64>,
    arrived: u64,
    hash: Sha256,
}

/// One stream of an archive.
pub(crate) struct Stream<'a> {
    arrival: &'a mut Arrival,
    /// The line that is being read: the first until `begun`, then the last.
    line: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Arrival {
    /// Bytes that have arrived: where the next stream is to begin.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Reads a stream that begins at [`Self::arrived`].
    pub(crate) fn stream(&mut self) -> Stream<'_> {
        Stream {
            arrival: self,
            line: Vec::new(),
            begun: false,
            ended: false,
        }
    }
}

impl Stream<'_> {
    /// Takes what came next, and gives those of the bytes that are the archive's next ones.
    ///
    /// # Errors
    /// When this cannot become an archive. After [`Torn::Changed`] and [`Torn::Damaged`] everything must come anew.
    pub(crate) fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Torn> {
        let mut rest = bytes;
        if !self.begun {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let head = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if self.line.len() + head.len() > MAX_HEAD {
                return Err(Torn::Foreign);
            }
            self.line.extend_from_slice(head);
            let Some(end) = end else { return Ok(&[]) };
            self.begin()?;
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        let left = self.arrival.length.unwrap_or(0) - self.arrival.arrived;
        let whole = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let (content, tail) = rest.split_at(whole);
        self.arrival.hash.update(content);
        self.arrival.arrived += content.len() as u64;
        self.line
            .extend_from_slice(tail.get(..tail.len().min(TAIL)).unwrap_or_default());
        if self.line.len() >= TAIL {
            self.end()?;
        }
        Ok(content)
    }

    /// Whether the archive is there, and is what was sent.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended
    }

    /// Finds out, when nothing more comes, whether the archive is there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn finish(self) -> Result<(), Torn> {
        let is_foreign = || {
            !self
                .line
                .iter()
                .zip(MAGIC.as_bytes())
                .all(|(came, expected)| came == expected)
        };
        match (self.begun, self.ended) {
            (_, true) => Ok(()),
            (false, _) if is_foreign() => Err(Torn::Foreign),
            _ => Err(Torn::Early(self.arrival.arrived)),
        }
    }

    fn begin(&mut self) -> Result<(), Torn> {
        let line = std::mem::take(&mut self.line);
        let (length, offset) = std::str::from_utf8(&line)
            .ok()
            .and_then(|line| line.strip_prefix(MAGIC)?.strip_prefix(' ')?.split_once(' '))
            .and_then(|(length, offset)| Some((length.parse::<u64>().ok()?, offset.parse::<u64>().ok()?)))
            .ok_or(Torn::Foreign)?;
        if self.arrival.length.is_some_and(|known| known != length) || offset != self.arrival.arrived {
            return Err(Torn::Changed);
        }
        self.arrival.length = Some(length);
        self.begun = true;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Torn> {
        let expected = format!("\nsha256 {}\n", hex(&self.arrival.hash.clone().finalize()));
        if self.line.get(..TAIL) != Some(expected.as_bytes()) {
            return Err(Torn::Damaged);
        }
        self.ended = true;
        Ok(())
    }
}

fn hex(hash: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied();
    hash.iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{Arrival, Torn, send};

    fn sent(file: &[u8], offset: u64) -> Vec<u8> {
        let mut out = Vec::new();
        send(file, file.len() as u64, offset, &mut out).unwrap();
        out
    }

    /// Reads a stream in pieces of this size, and gives what came of the archive.
    fn receive(arrival: &mut Arrival, stream: &[u8], piece: usize) -> (Vec<u8>, Result<(), Torn>) {
        let mut got = Vec::new();
        let mut reading = arrival.stream();
        for piece in stream.chunks(piece) {
            match reading.take(piece) {
                Ok(content) => got.extend_from_slice(content),
                Err(torn) => return (got, Err(torn)),
            }
        }
        (got, reading.finish())
    }

    proptest! {
        #[test]
        fn what_was_sent_arrives_however_often_the_stream_breaks(
            file in prop::collection::vec(any::<u8>(), 0..5000),
            breaks in prop::collection::vec(1..3000_usize, 0..6),
            piece in 1..700_usize,
        ) {
            let mut arrival = Arrival::default();
            let mut got = Vec::new();
            for cut in breaks {
                let mut stream = sent(&file, arrival.arrived());
                stream.truncate(cut.min(stream.len() - 1));
                let (content, result) = receive(&mut arrival, &stream, piece);
                got.extend(content);
                prop_assert_eq!(result, Err(Torn::Early(arrival.arrived())));
            }
            let rest = sent(&file, arrival.arrived());
            let (content, result) = receive(&mut arrival, &rest, piece);
            got.extend(content);
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(got, file);
        }

        #[test]
        fn whatever_comes_is_taken_without_a_panic(stream in prop::collection::vec(any::<u8>(), 0..300), piece in 1..50_usize) {
            let mut arrival = Arrival::default();
            prop_assert!(receive(&mut arrival, &stream, piece).1.is_err());
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let stream = sent(b"an archive", 0);
        for at in 0..stream.len() {
            let mut damaged = stream.clone();
            damaged[at] ^= 0x10;
            let mut arrival = Arrival::default();
            assert!(receive(&mut arrival, &damaged, 7).1.is_err(), "byte {at}");
        }
    }

    #[rstest]
    #[case::message_of_a_shell(b"sh: aks-periscope: not found\n", Torn::Foreign)]
    #[case::no_line_at_all(&[b'x'; 500], Torn::Foreign)]
    #[case::nothing(b"", Torn::Early(0))]
    fn what_is_no_archive_is_said_so(#[case] stream: &[u8], #[case] expected: Torn) {
        assert_eq!(receive(&mut Arrival::default(), stream, 20).1, Err(expected));
    }

    #[test]
    fn an_archive_that_was_written_anew_is_not_pieced_together() {
        let mut arrival = Arrival::default();
        let stream = sent(&[1; 1000], 0);
        receive(&mut arrival, &stream[..500], 100).1.unwrap_err();
        let other = sent(&[2; 1001], arrival.arrived());
        let (_, result) = receive(&mut arrival, &other, 100);
        assert_eq!(result, Err(Torn::Changed));
        // Of the same length: the hash tells.
        let other = sent(&[2; 1000], arrival.arrived());
        let (_, result) = receive(&mut arrival, &other, 100);
        assert_eq!(result, Err(Torn::Damaged));
    }

    #[test]
    fn a_file_that_is_shorter_than_it_was_is_an_error() {
        assert!(send(&b"abc"[..], 5, 0, Vec::new()).is_err());
    }
}
