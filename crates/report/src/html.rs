//! Writes HTML. Only constants are written as they are; whatever comes from a node is escaped. Markup of the page's
//! parts is theirs.

use crate::bounds::NAME_CHARS;
use crate::clean::{clean, clean_line};
use crate::link;

/// HTML that is being written.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes markup. A constant: nothing of a node can get in here.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Writes text of a node, of at most `max` characters, as text or within a quoted attribute.
    pub(crate) fn text(&mut self, text: &str, max: usize) -> &mut Self {
        self.escaped(&clean(text, max))
    }

    /// As [`Self::text`], in one line.
    pub(crate) fn line(&mut self, text: &str, max: usize) -> &mut Self {
        self.escaped(&clean_line(text, max))
    }

    /// Writes a number, with its thousands apart.
    pub(crate) fn count(&mut self, number: usize) -> &mut Self {
        let digits = number.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                self.0.push(',');
            }
            self.0.push(digit);
        }
        self
    }

    /// Writes how many there are of something that is called `one` or `many`.
    pub(crate) fn counted(&mut self, number: usize, one: &'static str, many: &'static str) -> &mut Self {
        self.count(number).raw(" ").raw(if number == 1 { one } else { many })
    }

    /// Writes a link to a file of the archive, at the place where `quote` stands there; as text where it cannot be one.
    pub(crate) fn file_link(&mut self, path: &str, quote: &str) -> &mut Self {
        let reference = link::href_at(path, quote);
        if let Some(reference) = &reference {
            self.raw("<a href=\"").escaped(reference).raw("\">");
        }
        // The browser may break a long path after each folder.
        for (at, name) in clean_line(path, 1024).split('/').enumerate() {
            if at > 0 {
                self.raw("/<wbr>");
            }
            self.escaped(name);
        }
        if reference.is_some() {
            self.raw("</a>");
        }
        self
    }

    /// Writes a link to a file beside the page under a name of its own; as text where it cannot be one.
    pub(crate) fn named_link(&mut self, path: &str, name: &str) -> &mut Self {
        let Some(reference) = link::href(path) else {
            return self.line(name, NAME_CHARS);
        };
        self.raw("<a href=\"")
            .escaped(&reference)
            .raw("\">")
            .line(name, NAME_CHARS)
            .raw("</a>")
    }

    /// Writes a JSON document that scripts of the page read; see [`crate::embed`].
    pub(crate) fn data(&mut self, id: &'static str, json: &crate::embed::ScriptJson) -> &mut Self {
        self.raw("<script type=\"application/json\" id=\"").raw(id).raw("\">");
        self.0.push_str(json.as_str());
        self.raw("</script>\n")
    }

    /// Writes a content security policy, made of constants and hashes: it has no character to escape but single quotes,
    /// which mean nothing in a double-quoted attribute.
    pub(crate) fn policy(&mut self, policy: &'static str) -> &mut Self {
        self.raw(policy)
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    fn escaped(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                _ => self.0.push(c),
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Html;

    fn written(write: impl FnOnce(&mut Html) -> &mut Html) -> String {
        let mut html = Html::default();
        write(&mut html);
        String::from_utf8(html.into_bytes()).unwrap()
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(written(|html| html.count(number)), expected);
        }
        assert_eq!(written(|html| html.counted(1, "item", "items")), "1 item");
    }

    #[test]
    fn a_path_that_is_none_is_only_text() {
        let shown = written(|html| html.file_link("javascript:alert(1)", ""));
        assert_eq!(shown, "javascript:alert(1)");
        let shown = written(|html| html.file_link("a/b", ""));
        assert_eq!(shown, "<a href=\"./a/b\">a/<wbr>b</a>");
    }

    proptest! {
        #[test]
        fn text_never_breaks_out(text in ".*") {
            for shown in [written(|html| html.text(&text, 999)), written(|html| html.line(&text, 999))] {
                prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            }
        }
    }
}
