//! Links to the files that stand beside the page in the archive. They are relative: no link leads out of the folder.

use periscope_core::ArtifactPath;

/// Words of a quote that a link carries so that the browser scrolls to them, in characters.
const FRAGMENT_CHARS: usize = 80;

/// The reference to a file beside the page: `./`, and its names percent-encoded (RFC 3986, section 2.3, but for what is
/// unreserved). `None` when the path is not one of an archive.
pub(crate) fn href(path: &str) -> Option<String> {
    let path: ArtifactPath = path.parse().ok()?;
    let mut reference = String::with_capacity(path.as_str().len() + 16);
    // A first name such as `javascript:` can thus never be read as a scheme.
    reference.push_str("./");
    push_encoded(&mut reference, path.as_str(), true);
    Some(reference)
}

/// The reference to the place in a file where these words stand, as a text fragment
/// (<https://wicg.github.io/scroll-to-text-fragment/>); browsers that know none open the file at its top.
pub(crate) fn href_at(path: &str, quote: &str) -> Option<String> {
    let mut reference = href(path)?;
    let line = quote.trim().lines().next().unwrap_or_default();
    // A fragment must begin and end between words; a control character was replaced when the quote was shown.
    let is_plain = |c: char| !c.is_control();
    let mut words = String::new();
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        if words.chars().count() + word.chars().count() >= FRAGMENT_CHARS || !word.chars().all(is_plain) {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    if words.chars().any(char::is_alphanumeric) {
        reference.push_str("#:~:text=");
        // Hyphens and commas have a meaning in the directive.
        push_encoded(&mut reference, &words, false);
    }
    Some(reference)
}

fn push_encoded(reference: &mut String, text: &str, is_path: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        let stays = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' => true,
            b'-' | b'/' => is_path,
            _ => false,
        };
        if stays {
            reference.push(char::from(byte));
        } else {
            reference.push('%');
            for nibble in [byte >> 4, byte & 15] {
                reference.extend(HEX.get(usize::from(nibble)).copied().map(char::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{href, href_at};

    #[test]
    fn names_are_encoded_and_slashes_are_not() {
        assert_eq!(
            href("nodes/n1/logs/a b#c?d%e\"<é>.log").as_deref(),
            Some("./nodes/n1/logs/a%20b%23c%3Fd%25e%22%3C%C3%A9%3E.log")
        );
    }

    #[test]
    fn what_is_no_path_of_an_archive_is_no_link() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "javascript:alert(1)",
            "http://x/",
            "a\nb",
            "a//b",
        ] {
            assert_eq!(href(path), None, "{path}");
        }
    }

    #[test]
    fn a_quote_becomes_a_text_fragment_of_whole_words() {
        assert_eq!(
            href_at("a.log", "  E1120 no-space, left\nmore").as_deref(),
            Some("./a.log#:~:text=E1120%20no%2Dspace%2C%20left")
        );
        assert_eq!(href_at("a.log", "").as_deref(), Some("./a.log"));
        assert_eq!(href_at("a.log", &"x".repeat(200)).as_deref(), Some("./a.log"));
    }

    proptest! {
        #[test]
        fn a_link_is_relative_and_plain(path in ".*", quote in ".*") {
            if let Some(link) = href_at(&path, &quote) {
                prop_assert!(link.starts_with("./"));
                let plain = |c: char| c.is_ascii_alphanumeric() || "%._~/-#:=".contains(c);
                prop_assert!(link.chars().all(plain), "{}", link);
                prop_assert!(!link.split('#').next().unwrap_or_default().split('/').any(|name| name == ".."));
            }
        }
    }
}
