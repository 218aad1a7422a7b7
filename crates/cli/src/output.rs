//! What a command prints piece by piece: raw into a pipe or a file, harmless onto a terminal, and quiet when nobody
//! reads any more.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Bytes gathered before they are written.
const BUFFER: usize = 64 * 1024;

/// Standard output.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    /// What lies in an archive was written by somebody else: a terminal would obey the escapes in it.
    harmless: bool,
    /// The last bytes, when they may be the beginning of a character.
    begun: Vec<u8>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        Self {
            harmless: out.is_terminal(),
            out: BufWriter::with_capacity(BUFFER, out.lock()),
            begun: Vec::new(),
        }
    }

    /// Ends what was printed.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        let mut text = String::new();
        push_harmless(&mut text, &begun);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.harmless {
            return self.out.write(bytes);
        }
        self.begun.extend_from_slice(bytes);
        let whole = whole_characters(&self.begun);
        let rest = self.begun.split_off(whole);
        let mut text = String::with_capacity(self.begun.len());
        push_harmless(&mut text, &self.begun);
        self.begun = rest;
        self.out.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether writing failed because nobody reads any more, as behind `| head`.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Up to where no character is cut.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // There is something that is no text: only its end may still become a character.
        Err(_) => {
            let tail = bytes.len().saturating_sub(3);
            let start = bytes
                .get(tail..)
                .unwrap_or_default()
                .iter()
                .position(|byte| *byte >= 0xc0);
            start.map_or(bytes.len(), |at| tail + at)
        }
    }
}

/// Adds the text with what a terminal would obey made visible, as cat(1) does with `-v`.
fn push_harmless(text: &mut String, bytes: &[u8]) {
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            '\0'..='\x1f' => {
                text.push('^');
                text.push(char::from_u32(u32::from(c) + 64).unwrap_or('?'));
            }
            '\x7f' => text.push_str("^?"),
            // C1 controls, and the marks that turn the direction of what follows (Unicode TR 36).
            '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                text.extend(c.escape_unicode());
            }
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{push_harmless, whole_characters};

    fn shown(bytes: &[u8]) -> String {
        let mut text = String::new();
        push_harmless(&mut text, bytes);
        text
    }

    #[rstest]
    #[case(b"plain\ttext\n", "plain\ttext\n")]
    #[case(b"\x1b]0;title\x07", "^[]0;title^G")]
    #[case(b"a\rb\x08\x7f", "a^Mb^H^?")]
    #[case("\u{9b}31m\u{202e}".as_bytes(), "\\u{9b}31m\\u{202e}")]
    #[case(b"\xff", "\u{fffd}")]
    #[case("schön → 你".as_bytes(), "schön → 你")]
    fn a_terminal_is_not_commanded(#[case] bytes: &[u8], #[case] expected: &str) {
        assert_eq!(shown(bytes), expected);
    }

    #[test]
    fn a_character_is_not_torn() {
        let text = "aé你😀".as_bytes();
        for cut in 0..text.len() {
            let whole = whole_characters(&text[..cut]);
            assert!(std::str::from_utf8(&text[..whole]).is_ok());
        }
    }

    proptest! {
        #[test]
        fn nothing_that_commands_comes_through(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = shown(&bytes);
            prop_assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
            prop_assert!(whole_characters(&bytes) <= bytes.len());
        }
    }
}
