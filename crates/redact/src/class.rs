//! Classes of bytes and runs of them, as the rules need them. It knows nothing of secrets.

use std::ops::Range;

/// Letters, digits, `_`, `-` and `.`: what a key, a flag or a header name is made of.
pub(crate) const NAME: u8 = 1;
/// The alphabet of base64, without padding.
pub(crate) const BASE64: u8 = 1 << 1;
/// The alphabet of URL-safe base64, without padding.
pub(crate) const BASE64_URL: u8 = 1 << 2;
/// Letters, digits and `_`.
pub(crate) const WORD: u8 = 1 << 3;
/// White space and NUL, which separates arguments in `/proc/<pid>/cmdline`.
pub(crate) const SPACE: u8 = 1 << 4;
/// Quotes of JSON, YAML, shells and Go.
pub(crate) const QUOTE: u8 = 1 << 5;
/// The characters of an HTTP `token68` and of nearly every opaque token.
pub(crate) const TOKEN: u8 = 1 << 6;
/// Digits.
pub(crate) const DIGIT: u8 = 1 << 7;

const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut b: u8 = 0;
    loop {
        let mut class = 0;
        if b.is_ascii_alphanumeric() {
            class |= NAME | BASE64 | BASE64_URL | WORD | TOKEN;
        }
        if b.is_ascii_digit() {
            class |= DIGIT;
        }
        if matches!(b, b'_' | b'-' | b'.') {
            class |= NAME;
        }
        if matches!(b, b'+' | b'/') {
            class |= BASE64;
        }
        if matches!(b, b'_' | b'-') {
            class |= BASE64_URL;
        }
        if b == b'_' {
            class |= WORD;
        }
        if matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=') {
            class |= TOKEN;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0) {
            class |= SPACE;
        }
        if matches!(b, b'"' | b'\'' | b'`') {
            class |= QUOTE;
        }
        table[b as usize] = class;
        if b == u8::MAX {
            break table;
        }
        b += 1;
    }
};

/// Whether a byte belongs to any of the classes.
pub(crate) fn is(byte: u8, class: u8) -> bool {
    TABLE[usize::from(byte)] & class != 0
}

/// The end of the run of a class that begins at `from`.
pub(crate) fn run(text: &[u8], from: usize, class: u8) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|&b| !is(b, class)).unwrap_or(rest.len())
}

/// The start of the run of a class that ends before `to`, at most `most` bytes back.
pub(crate) fn run_back(text: &[u8], to: usize, class: u8, most: usize) -> usize {
    let low = to.saturating_sub(most);
    let span = text.get(low..to).unwrap_or_default();
    low + span.iter().rposition(|&b| !is(b, class)).map_or(0, |at| at + 1)
}

/// Whether the text goes on with `word` at `at`, letters of either case.
pub(crate) fn follows(text: &[u8], at: usize, word: &[u8]) -> bool {
    text.get(at..at + word.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(word))
}

/// The text without white space at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = run(text, 0, SPACE);
    let end = run_back(text, text.len(), SPACE, text.len());
    text.get(start..end).unwrap_or_default()
}

/// How many backslashes stand immediately before `at`.
pub(crate) fn backslashes_before(text: &[u8], at: usize) -> usize {
    text.get(..at)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|&&b| b == b'\\')
        .count()
}

/// How many backslashes begin at `at`.
pub(crate) fn backslashes_at(text: &[u8], at: usize) -> usize {
    text.get(at..)
        .unwrap_or_default()
        .iter()
        .take_while(|&&b| b == b'\\')
        .count()
}

/// Moves the start of a range behind the escape that it would otherwise cut, as in `\nLS0t…`.
pub(crate) fn outside_escape(text: &[u8], range: Range<usize>) -> Range<usize> {
    if backslashes_before(text, range.start).is_multiple_of(2) {
        return range;
    }
    let escape = if text.get(range.start) == Some(&b'u') { 5 } else { 1 };
    (range.start + escape).min(range.end)..range.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_class_ends() {
        assert_eq!(run(b"ab-c=d", 0, NAME), 4);
        assert_eq!(run(b"ab", 5, NAME), 5);
        assert_eq!(run_back(b"x=ab.c", 6, NAME, 64), 2);
        assert_eq!(run_back(b"abcdef", 6, NAME, 2), 4);
    }

    #[test]
    fn trimming_nothing_but_space_leaves_nothing() {
        assert_eq!(trim(b" \t\r\n"), b"");
        assert_eq!(trim(b" a b "), b"a b");
    }

    #[test]
    fn escapes_are_not_cut() {
        assert_eq!(outside_escape(br"\nabc", 1..5), 2..5);
        assert_eq!(outside_escape(br"\u0026abc", 1..9), 6..9);
        assert_eq!(outside_escape(br"\\nabc", 2..6), 2..6);
    }

    #[test]
    fn backslashes_are_counted_on_both_sides() {
        assert_eq!(backslashes_before(br#"a\\""#, 3), 2);
        assert_eq!(backslashes_at(br#"a\\\"b"#, 1), 3);
    }
}
