//! The page's head: its title, its style and scripts, and the policy that lets nothing else run or load.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::bounds::NAME_CHARS;
use crate::html::Html;

/// The page's style.
const STYLE: &str = concat!(
    include_str!("page/colours.css"),
    include_str!("page/page.css"),
    include_str!("page/findings.css"),
    include_str!("page/timeline.css"),
    include_str!("page/tables.css"),
    include_str!("page/cluster.css"),
);
/// The page's scripts, run as one.
const SCRIPT: &str = concat!(
    "'use strict';\n",
    include_str!("page/dom.js"),
    include_str!("page/theme.js"),
    include_str!("page/findings.js"),
    include_str!("page/moments.js"),
    include_str!("page/plot.js"),
    include_str!("page/timeline.js"),
    include_str!("page/items.js"),
    include_str!("page/start.js"),
);
/// Allows this style and these scripts by their hashes and refuses everything else: even markup that got in by a
/// mistake of ours could neither run nor load anything. CSP level 2; the icon is an empty `data:` address.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// Writes it for a page about `name`, with so many findings that are troubles.
pub(crate) fn write(html: &mut Html, name: &str, troubles: usize) {
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"")
        .policy(&POLICY)
        .raw("\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    html.line(name, NAME_CHARS).raw(": ");
    html.counted(troubles, "finding", "findings")
        .raw(" – AKS Periscope</title>\n");
    html.raw("<style>").raw(STYLE).raw("</style>\n<script>").raw(SCRIPT);
    html.raw("</script>\n</head>\n");
}

fn hash(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, STYLE};

    #[test]
    fn the_page_itself_is_small_and_ends_no_element_early() {
        assert!(SCRIPT.len() + STYLE.len() < 100_000);
        for part in [SCRIPT, STYLE] {
            assert!(!part.contains("</") && !part.contains("<!--"));
            // A carriage return would not be what is hashed: HTML parsers make line feeds of them.
            assert!(!part.contains('\r'));
        }
    }

    #[test]
    fn scripts_write_text_and_never_markup() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
        for word in ["fetch(", "XMLHttpRequest", "http://", "https://", "import(", "url("] {
            assert!(
                !SCRIPT.replace("http://www.w3.org/2000/svg", "").contains(word),
                "{word}"
            );
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
