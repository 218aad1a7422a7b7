//! The content of one file of an archive, on its way to a reader: never more than was said, and at its end found to be
//! what was said.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Reads some bytes of a file, whatever others do with it.
pub(super) struct Slice {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl Slice {
    pub(super) fn new(file: &Arc<File>, start: u64, len: u64) -> Self {
        Self {
            file: Arc::clone(file),
            position: start,
            end: start.saturating_add(len),
        }
    }

    /// How far it has read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = match buffer.get_mut(..wanted) {
            Some(buffer) => self.file.read_at(buffer, self.position)?,
            None => 0,
        };
        self.position += read as u64;
        Ok(read)
    }
}

/// Content whose length and, where there is one, checksum are known beforehand.
pub(super) struct Checked<R> {
    content: R,
    left: u64,
    crc: crc32fast::Hasher,
    crc32: Option<u32>,
    ended: bool,
}

impl<R: Read> Checked<R> {
    pub(super) fn new(content: R, len: u64, crc32: Option<u32>) -> Self {
        Self {
            content,
            left: len,
            crc: crc32fast::Hasher::new(),
            crc32,
            ended: false,
        }
    }

    fn check_end(&mut self) -> io::Result<usize> {
        let mut beyond = [0];
        if self.content.read(&mut beyond)? > 0 {
            return Err(damaged("it is longer than the archive says"));
        }
        if self.crc32.is_some_and(|crc32| crc32 != self.crc.clone().finalize()) {
            return Err(damaged("its checksum is another one"));
        }
        self.ended = true;
        Ok(0)
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return self.check_end();
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let read = self.content.read(buffer)?;
        if read == 0 {
            return Err(damaged("it is shorter than the archive says"));
        }
        self.left -= read as u64;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rstest::rstest;

    use super::Checked;

    #[rstest]
    #[case::right(5, Some(0x3610_a686), Ok("hello"))]
    #[case::no_checksum(5, None, Ok("hello"))]
    #[case::longer(4, None, Err("it is longer than the archive says"))]
    #[case::shorter(u64::MAX, None, Err("it is shorter than the archive says"))]
    #[case::changed(5, Some(1), Err("its checksum is another one"))]
    fn what_was_said_is_checked(#[case] len: u64, #[case] crc32: Option<u32>, #[case] expected: Result<&str, &str>) {
        let mut text = String::new();
        let read = Checked::new(b"hello".as_slice(), len, crc32).read_to_string(&mut text);
        let found = read.map(|_| text.as_str()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}
