//! Files that hold credentials among settings worth knowing, without the credentials: kubeconfigs and `azure.json`.
//! They are taken apart and put together again, because only in the parsed document is it certain which value is one.

use periscope_redact::{Counts, object};
use serde_json::Value;

/// The document without credentials, as YAML or, where it was JSON, as JSON, and what was removed.
///
/// # Errors
/// When it cannot be understood: nothing of it may be kept then. The error holds no part of the text.
pub(crate) fn without_credentials(text: &str) -> Result<(String, Counts), &'static str> {
    const NOT_UNDERSTOOD: &str = "it cannot be understood, so its credentials cannot be told from the rest";
    if text.trim_start().starts_with('{') {
        let mut document: Value = serde_json::from_str(text).map_err(|_| NOT_UNDERSTOOD)?;
        let removed = object::redact(&mut document);
        let text = serde_json::to_string_pretty(&document).map_err(|_| NOT_UNDERSTOOD)?;
        return Ok((text, removed));
    }
    let mut document: Value = serde_saphyr::from_str(text).map_err(|_| NOT_UNDERSTOOD)?;
    if !document.is_object() {
        return Err(NOT_UNDERSTOOD);
    }
    let removed = object::redact(&mut document);
    Ok((serde_saphyr::to_string(&document).map_err(|_| NOT_UNDERSTOOD)?, removed))
}
