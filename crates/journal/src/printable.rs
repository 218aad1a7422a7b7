//! What of a message can stand in a line of text, by the rules that journalctl applies when it writes to a pipe.

use std::borrow::Cow;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Removes colours and terminal titles, turns each tab into eight spaces and drops carriage returns at line ends.
pub(crate) fn tidy(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr3(b'\t', b'\r', ESCAPE, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'\t' => {
                out.extend_from_slice(b"        ");
                after
            }
            b'\r' if ends_line(after) => after,
            ESCAPE => escape_sequence(after).unwrap_or_else(|| {
                out.push(ESCAPE);
                after
            }),
            _ => {
                out.push(byte);
                after
            }
        };
    }
    Cow::Owned(out)
}

fn ends_line(after: &[u8]) -> bool {
    matches!(after.iter().find(|byte| **byte != b'\r'), None | Some(b'\n'))
}

/// What follows after a colour (`ESC [ digits m`) or an operating system command (`ESC ] text BEL`); nothing when it is
/// neither.
fn escape_sequence(after: &[u8]) -> Option<&[u8]> {
    let (kind, body) = after.split_first()?;
    let end = match kind {
        b'[' => body
            .iter()
            .position(|b| !b.is_ascii_digit() && *b != b';')
            .filter(|end| body[*end] == b'm')?,
        b']' => body
            .iter()
            .position(|b| !(b' '..=b'~').contains(b))
            .filter(|end| body[*end] == BELL)?,
        _ => return None,
    };
    body.get(end + 1..)
}

/// Whether the text is UTF-8 without control characters and without code points that are none; tabs and newlines pass.
pub(crate) fn is_printable(text: &[u8]) -> bool {
    is_plain_ascii(text) || std::str::from_utf8(text).is_ok_and(|text| text.chars().all(is_printable_char))
}

/// The usual case, without a branch per byte.
fn is_plain_ascii(text: &[u8]) -> bool {
    text.chunks(64).all(|chunk| {
        chunk
            .iter()
            .fold(true, |plain, byte| plain & (b' '..=b'~').contains(byte))
    })
}

fn is_printable_char(c: char) -> bool {
    let code = u32::from(c);
    let noncharacter = (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe;
    matches!(c, '\t' | '\n') || !(c.is_control() || noncharacter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::colour(b"\x1b[31mred\x1b[0m text", b"red text")]
    #[case::empty_colour(b"\x1b[mx", b"x")]
    #[case::not_a_colour(b"\x1b[1;31;40Kz", b"\x1b[1;31;40Kz")]
    #[case::cut_off(b"\x1b[31", b"\x1b[31")]
    #[case::link(b"\x1b]8;;x\x07link\x1b]8;;\x07", b"link")]
    #[case::open_link(b"x\x1b]no end", b"x\x1b]no end")]
    #[case::tab(b"\ta", b"        a")]
    #[case::line_ends(b"a\r\nb\r\r\nc\r", b"a\nb\nc")]
    #[case::carriage_return_inside(b"a\rb", b"a\rb")]
    fn text_is_tidied(#[case] text: &[u8], #[case] expected: &[u8]) {
        assert_eq!(&*tidy(text), expected);
    }

    #[rstest]
    #[case::ascii("plain".as_bytes(), true)]
    #[case::empty(b"", true)]
    #[case::lines(b"a\nb\tc", true)]
    #[case::utf8("ünï ✓ 日本".as_bytes(), true)]
    #[case::bell(b"a\x07", false)]
    #[case::delete(b"\x7f", false)]
    #[case::c1("c1 \u{85}".as_bytes(), false)]
    #[case::noncharacter("\u{fffe}".as_bytes(), false)]
    #[case::not_utf8(b"\xff", false)]
    fn control_characters_are_not_printable(#[case] text: &[u8], #[case] expected: bool) {
        assert_eq!(is_printable(text), expected);
    }

    proptest! {
        #[test]
        fn tidying_leaves_no_tab_and_never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!tidy(&text).contains(&b'\t'));
        }
    }
}
