//! The place of a value after a name: `name=value`, `"name": "value"`, `--name value` and their kin, at any depth of
//! JSON escaping. Whether the value is a secret is decided in [`crate::plain`].
//!
//! A string inside `n` levels of JSON has `2^n - 1` backslashes before its quotes. That number, the level of a quote,
//! is all that is needed to find the end of a value without decoding anything.

use std::ops::Range;

use crate::class::{self, NAME, QUOTE, SPACE};
use crate::found::{MAX_SECRET, Stop};
use crate::marker;

/// White space between a name, its separator and the value; more is a table's column or a paragraph, not a pair.
const MAX_GAP: usize = 64;

/// Strings within strings within strings: deeper ones are taken to be open.
const MAX_LEVEL: usize = 8;

/// How name and value are tied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// `=`, `:=`, `=>`, `%3D`.
    Equals,
    /// `:`.
    Colon,
    /// White space after a flag, or the next element of a list of arguments.
    Argument,
    /// `"name":"NAME","value":` or `Name:NAME,Value:`.
    Environment,
    /// `<name>value</name>`.
    Element,
}

/// A value and what was seen around it.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) range: Range<usize>,
    pub(crate) tie: Tie,
    /// The value stands in quotes.
    pub(crate) quoted: bool,
    /// The level of the double quotes around the name, if there are any.
    pub(crate) name_quote: Option<usize>,
    pub(crate) stop: Stop,
}

/// A quote at `at` with its backslashes: the byte, the level, the place after it.
pub(crate) fn quote_at(text: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let level = class::backslashes_at(text, at);
    let quote = *text.get(at + level)?;
    class::is(quote, QUOTE).then_some((quote, level, at + level + 1))
}

/// Where the string of a level that begins at `from` ends: before the backslashes of its closing quote, or of a quote
/// of an outer string, or at the end of the text.
pub(crate) fn closing_quote(text: &[u8], from: usize, quote: u8, level: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let before = &text[from.saturating_sub(MAX_SECRET).min(text.len())..from.min(text.len())];
    let mut inside = [None; MAX_LEVEL];
    for at in memchr::memchr2_iter(quote, b'"', rest) {
        let found = level_of_quote(rest, at);
        // Another kind of quote may be part of the value, unless the value lies in a string of that kind. Counted once
        // for every level: counting at every quote would make long lines slow.
        let mut around = || {
            inside
                .get_mut(found)
                .is_none_or(|known| *known.get_or_insert_with(|| is_inside(before, found)))
        };
        if found < level || (rest[at] == quote && found == level) || (rest[at] != quote && around()) {
            return from + at - found;
        }
    }
    text.len()
}

/// The level of the quote at `at`: of the backslashes before it, those that do not stand for backslashes of the value.
/// A quote of level `2^n - 1` has a number of backslashes that ends with `n` ones in binary.
fn level_of_quote(text: &[u8], at: usize) -> usize {
    (1 << class::backslashes_before(text, at).trailing_ones()) - 1
}

/// Whether a string in double quotes of a level is open at the end of the text.
fn is_inside(text: &[u8], level: usize) -> bool {
    memchr::memchr_iter(b'"', text)
        .filter(|&at| level_of_quote(text, at) == level)
        .count()
        % 2
        == 1
}

/// The value of the name that lies at `name` in the text.
pub(crate) fn after(text: &[u8], name: &Range<usize>) -> Option<Value> {
    let mut at = name.end;
    let closed = quote_at(text, at);
    if let Some((_, _, end)) = closed {
        at = end;
        if text.get(at) == Some(&b']') {
            at += 1;
        }
    }
    let name_quote = closed.filter(|&(quote, ..)| quote == b'"').map(|(_, level, _)| level);
    let (tie, at) = tie(text, name, at, closed)?;
    let mut at = skip_space(text, at)?;
    if matches!(tie, Tie::Colon | Tie::Equals) {
        at = skip_list(text, at);
    }
    // Where a list opened, the elements may stand on lines of their own.
    if let Some((quote, level, start)) = quote_at(text, at) {
        // The quotes of the value are like those of the name, or may close a string around both.
        let alike = closed.is_some_and(|(of_name, same, _)| (of_name, same) == (quote, level));
        if !alike && (name_quote.is_some_and(|same| same != level) || closes_outer(text, start)) {
            return None;
        }
        let mut end = closing_quote(text, start, quote, level);
        if text.get(at.wrapping_sub(1)) == Some(&b'[') {
            end = last_of_list(text, end, quote, level);
        }
        return Some(Value {
            range: start..end,
            tie,
            quoted: true,
            name_quote,
            stop: Stop::Quote(quote, level),
        });
    }
    let end = match tie {
        Tie::Element => element_end(text, at),
        _ => bare_end(text, at),
    };
    Some(Value {
        range: at..end,
        tie,
        quoted: false,
        name_quote,
        stop: Stop::Word,
    })
}

/// What ties the name to a value, and the place after it.
fn tie(text: &[u8], name: &Range<usize>, at: usize, closed: Option<(u8, usize, usize)>) -> Option<(Tie, usize)> {
    let byte = |at: usize| text.get(at).copied();
    match byte(at)? {
        b'=' => return equals(text, at),
        b':' => return colon(text, at),
        b'%' => return class::follows(text, at, b"%3d").then_some((Tie::Equals, at + 3)),
        b'\\' => {
            let escape = at + class::backslashes_at(text, at);
            return class::follows(text, escape, b"u003d").then_some((Tie::Equals, escape + 5));
        }
        b',' => {
            let next = skip_space(text, at + 1)?;
            let Some((quote, level, _)) = closed else {
                return class::follows(text, next, b"value:").then(|| (Tie::Environment, next + 6));
            };
            let (also, same, start) = quote_at(text, next)?;
            if (also, same) != (quote, level) {
                return None;
            }
            if class::follows(text, start, b"value")
                && let Some((_, _, end)) = quote_at(text, start + 5)
            {
                let end = skip_space(text, end)?;
                return (byte(end)? == b':').then_some((Tie::Environment, end + 1));
            }
            return is_flag(text, name).then_some((Tie::Argument, next));
        }
        b'>' if name.start > 0 && byte(name.start - 1) == Some(b'<') => return Some((Tie::Element, at + 1)),
        b if !class::is(b, SPACE) => return None,
        _ => {}
    }
    let next = skip_space(text, at)?;
    match byte(next)? {
        b'=' => equals(text, next),
        b':' => colon(text, next),
        _ => (closed.is_none() && is_flag(text, name)).then_some((Tie::Argument, next)),
    }
}

fn equals(text: &[u8], at: usize) -> Option<(Tie, usize)> {
    match text.get(at + 1) {
        Some(b'=') => None,
        Some(b'>') => Some((Tie::Equals, at + 2)),
        _ => Some((Tie::Equals, at + 1)),
    }
}

fn colon(text: &[u8], at: usize) -> Option<(Tie, usize)> {
    match text.get(at + 1) {
        Some(b':') => None,
        Some(b'/') if text.get(at + 2) == Some(&b'/') => None,
        Some(b'=') => Some((Tie::Equals, at + 2)),
        _ => Some((Tie::Colon, at + 1)),
    }
}

/// A command line's `--name` or `-name`.
fn is_flag(text: &[u8], name: &Range<usize>) -> bool {
    text.get(name.start) == Some(&b'-')
}

/// Skips `[` and Go's `[]string{`, so that the first element is the value.
fn skip_list(text: &[u8], at: usize) -> usize {
    let Some(rest) = text.get(at..) else { return at };
    if rest.starts_with(b"[]string{") {
        return at + 9;
    }
    if rest.starts_with(b"[") && !marker::begins(text, at) && !rest.starts_with(b"[]") {
        return at + 1;
    }
    at
}

/// The end of the last string of the list whose current string ends at `end`.
fn last_of_list(text: &[u8], mut end: usize, quote: u8, level: usize) -> usize {
    loop {
        let next = class::run(text, end + level + 1, SPACE);
        if text.get(next) != Some(&b',') {
            return end;
        }
        let next = class::run(text, next + 1, SPACE);
        match quote_at(text, next) {
            Some((also, same, start)) if (also, same) == (quote, level) => {
                end = closing_quote(text, start, quote, level);
            }
            _ => return end,
        }
    }
}

/// Where the text of an element ends.
fn element_end(text: &[u8], start: usize) -> usize {
    let Some(end) = memchr::memchr2(b'<', b'"', &text[start..]) else {
        return text.len();
    };
    let end = start + end;
    if text[end] == b'<' {
        end
    } else {
        start.max(end - class::backslashes_before(text, end))
    }
}

/// Whether a quote, where a value could begin, rather ends a string around: `{"msg":"no password=","code":1}`.
fn closes_outer(text: &[u8], after: usize) -> bool {
    let next = class::run(text, after + 1, SPACE);
    match text.get(after) {
        None => true,
        Some(b',') => text.get(next).is_none_or(|&b| {
            class::is(b, QUOTE | class::DIGIT) || matches!(b, b'\\' | b'{' | b'[' | b'-' | b't' | b'f' | b'n')
        }),
        Some(b'}' | b']') => text
            .get(next)
            .is_none_or(|&b| class::is(b, QUOTE) || matches!(b, b',' | b'}' | b']' | b'\\')),
        Some(&b) => b == b':' || class::is(b, SPACE) && (next == text.len() || pair_follows(text, next)),
    }
}

/// Skips white space; none where there is too much of it or nothing after it.
fn skip_space(text: &[u8], at: usize) -> Option<usize> {
    let end = class::run(text, at, SPACE);
    (end < text.len() && end - at <= MAX_GAP).then_some(end)
}

/// Where a value without quotes ends. `,`, `;` and `&` end it only where another pair follows, as they may be part of a
/// password; brackets at the very end belong to what is around.
pub(crate) fn bare_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        let ends = match byte {
            b if class::is(b, SPACE | QUOTE) => true,
            b'<' | b'>' | b'|' => at > start,
            b'[' => marker::begins(text, at),
            b',' | b';' | b'&' => pair_follows(text, at + 1),
            b'%' => class::follows(text, at, b"%26") || class::follows(text, at, b"%22"),
            b'\\' => ends_at_backslash(text, at),
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    while at > start && closes_around(&text[start..at]) {
        at -= 1;
    }
    at
}

/// Whether the last byte of a value closes or separates what is around it.
fn closes_around(value: &[u8]) -> bool {
    match value.last() {
        Some(b',' | b';') => true,
        Some(b')') => !value.contains(&b'('),
        Some(b']') => !value.contains(&b'['),
        Some(b'}') => !value.contains(&b'{'),
        _ => false,
    }
}

/// Escapes that stand for a quote, a line's end, a tab or `&` end a value; other backslashes may be part of it.
fn ends_at_backslash(text: &[u8], at: usize) -> bool {
    let after = at + class::backslashes_at(text, at);
    match text.get(after) {
        Some(b'n' | b'r' | b't' | b'"' | b'\'') => true,
        Some(b'u') => class::follows(text, after, b"u0026"),
        _ => false,
    }
}

/// Whether `name=`, `name:` or a quote follows, or nothing at all.
fn pair_follows(text: &[u8], at: usize) -> bool {
    let name = class::run(text, at, SPACE);
    let end = class::run(text, name, NAME | SPACE).min(name + MAX_GAP);
    match text.get(end) {
        None => true,
        Some(b'=' | b':') => end > name,
        Some(b'[') => marker::begins(text, end),
        Some(&b) => class::is(b, QUOTE) || b == b'\\',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(r#"abc"def"#, 0, 3)]
    #[case::escaped_quote_inside(r#"a\"b"c"#, 0, 4)]
    #[case::backslash_at_the_end(r#"a\\"c"#, 0, 3)]
    #[case::level_one(r#"abc\",\"d"#, 1, 3)]
    #[case::level_one_with_quote(r#"a\\\"b\"c"#, 1, 6)]
    #[case::level_one_with_backslash(r#"a\\\\\"c"#, 1, 5)]
    #[case::outer_quote_ends_it(r#"abc","d"#, 1, 3)]
    #[case::level_three(r#"abc\\\"x"#, 3, 3)]
    #[case::outer_quote_after_a_backslash(r#"a\\"c"#, 1, 3)]
    #[case::never_closed("abc", 0, 3)]
    fn strings_end_at_their_level(#[case] text: &str, #[case] level: usize, #[case] end: usize) {
        assert_eq!(closing_quote(text.as_bytes(), 0, b'"', level), end);
    }

    #[rstest]
    #[case::equals("name=abc def", Tie::Equals, "abc")]
    #[case::colon("name: abc", Tie::Colon, "abc")]
    #[case::json(r#""name": "a b","x":1"#, Tie::Colon, "a b")]
    #[case::json_in_json(r#"\"name\":\"a\\\"b\",\"x\":1"#, Tie::Colon, r#"a\\\"b"#)]
    #[case::environment(r#""name","value":"abc"}"#, Tie::Environment, "abc")]
    #[case::go_environment("name,Value:abc,ValueFrom:nil,}", Tie::Environment, "abc")]
    #[case::xml("<name>a b</name>", Tie::Element, "a b")]
    #[case::percent("name%3Dabc%26x", Tie::Equals, "abc")]
    #[case::pairs("name=a;b;x=1", Tie::Equals, "a;b")]
    #[case::query("name=a&x=1", Tie::Equals, "a")]
    #[case::go_map("name:abc]", Tie::Colon, "abc")]
    #[case::list(r#""name":["a","b"],"x":["c"]"#, Tie::Colon, r#"a","b"#)]
    #[case::go_list(r#"name:[]string{"a"}"#, Tie::Colon, "a")]
    #[case::escaped_line(r"name=abc\nother=1", Tie::Equals, "abc")]
    fn values_are_found(#[case] text: &str, #[case] tie: Tie, #[case] value: &str) {
        let start = text.find("name").unwrap();
        let found = after(text.as_bytes(), &(start..start + 4)).unwrap();
        assert_eq!((found.tie, text.get(found.range).unwrap()), (tie, value));
    }

    #[rstest]
    #[case::prose("name was abc")]
    #[case::path("name::abc")]
    #[case::comparison("name == abc")]
    #[case::nothing_after("name:")]
    #[case::list_of_words(r#""name","other""#)]
    fn no_value_where_nothing_is_tied(#[case] text: &str) {
        let start = text.find("name").unwrap();
        assert!(after(text.as_bytes(), &(start..start + 4)).is_none());
    }

    #[test]
    fn flags_take_the_next_word() {
        for text in ["--name abc", "--name\0abc\0", "[\"--name\", \"abc\"]"] {
            let start = text.find("--").unwrap();
            let found = after(text.as_bytes(), &(start..start + 6)).unwrap();
            assert_eq!(text.get(found.range).unwrap(), "abc", "{text}");
        }
    }
}
