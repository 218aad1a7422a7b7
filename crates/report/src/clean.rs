//! Text of the node made fit to be shown: nothing in it can steer the reader's eyes or terminal. Escaping for HTML and
//! for scripts is done where it is written.

/// The text, of at most `max` characters, with what cannot be seen made visible: control characters by their pictures,
/// characters that turn the direction of writing or have no width by their numbers. Line ends and tabs stay.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max + 8));
    for (count, c) in text.chars().enumerate() {
        if count == max {
            shown.push('…');
            break;
        }
        push_visible(&mut shown, c);
    }
    shown
}

/// As [`clean`], in one line.
pub(crate) fn clean_line(text: &str, max: usize) -> String {
    clean(text.trim_end(), max).replace(['\n', '\t'], " ")
}

fn push_visible(shown: &mut String, c: char) {
    match c {
        '\n' | '\t' => shown.push(c),
        // The block of control pictures has the order of the control characters.
        '\0'..='\x1f' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
        '\x7f' => shown.push('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => shown.extend(c.escape_unicode()),
        _ => shown.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_line};

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(clean("a\u{1b}[31mred\0\n\tb", 99), "a␛[31mred␀\n\tb");
        assert_eq!(clean("abc\u{202e}fdp.exe\u{200b}", 99), "abc\\u{202e}fdp.exe\\u{200b}");
        assert_eq!(clean("Grüße, 世界 🦀", 99), "Grüße, 世界 🦀");
    }

    #[test]
    fn a_long_text_says_that_it_was_cut() {
        assert_eq!(clean("ünï", 2), "ün…");
        assert_eq!(clean("ünï", 3), "ünï");
        assert_eq!(clean_line("one\ntwo\n", 99), "one two");
    }
}
