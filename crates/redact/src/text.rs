//! Redaction of short texts that are at hand whole: names, error texts, log lines of our own, strings of the manifest.

use std::borrow::Cow;

use crate::scan::Rules;
use crate::{ContentKind, Counts, Redactor};

/// Stands for a text that could not be redacted.
const WITHHELD: &str = "[REDACTED]";

/// The text without its secrets; the text itself where it holds none.
///
/// ```
/// let error = "PUT https://a.blob.core.windows.net/c?sig=c2lnbmF0dXJlLXRoYXQtd29ya3M%3D: 403";
/// assert_eq!(periscope_redact::redact_str(error), "PUT https://a.blob.core.windows.net/c?sig=[REDACTED:azure-sas]: 403");
/// ```
pub fn redact_str(text: &str) -> Cow<'_, str> {
    redact_counted(text).0
}

/// The same, with the counts.
pub(crate) fn redact_counted(text: &str) -> (Cow<'_, str>, Counts) {
    let mut redactor = Redactor::new(Rules::shared(), ContentKind::Text);
    let mut out = Vec::with_capacity(text.len());
    let done = redactor
        .push(text.as_bytes(), &mut out)
        .and_then(|()| redactor.finish(&mut out));
    let counts = redactor.counts().clone();
    if done.is_ok() && counts.total() == 0 {
        return (Cow::Borrowed(text), counts);
    }
    // What cannot be redacted is withheld.
    let redacted = done.ok().and_then(|()| String::from_utf8(out).ok());
    (Cow::Owned(redacted.unwrap_or_else(|| WITHHELD.to_owned())), counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_secrets_is_not_copied() {
        assert!(matches!(
            redact_str("pod kube-system/coredns: not found"),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn characters_beyond_ascii_stay_whole() {
        assert_eq!(
            redact_str("Grüße: password=geheim→ß ✓"),
            "Grüße: password=[REDACTED:password] ✓"
        );
    }
}
