//! Reads the documents whose elements are one line each, with the line of every element; of one that is not whole, what
//! there is.

use std::io::Read;

use periscope_core::{AnalyzeError, ArtifactPath, Inputs, Place, State};
use periscope_documents::from_lines;
use serde::de::DeserializeOwned;

use crate::artifact::Text;

/// Largest document that is read. The longest, the node's events, has some two megabytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The elements of a document.
pub(crate) struct Rows<T> {
    pub(crate) text: Text,
    /// The elements, each with its line.
    pub(crate) lines: Vec<(u64, T)>,
    /// Why there may be more than these; a fault among them is a fault all the same.
    pub(crate) incomplete: Option<String>,
}

/// Reads a document of the node; the reason where there is nothing of it to read. A node that rightly has no such thing
/// gives the state alone.
pub(crate) fn read<T: DeserializeOwned>(
    inputs: &dyn Inputs,
    action: &str,
    name: &str,
) -> Result<Result<Rows<T>, Lack>, AnalyzeError> {
    let path = Place::Node.path(inputs.node(), action, name);
    let state = match inputs.state(&path) {
        None => return Ok(Err(Lack::Missing(format!("{path} was not gathered")))),
        Some(state @ (State::NotPresent | State::NotApplicable)) => return Ok(Err(Lack::NoSuchThing(state))),
        Some(state) => state,
    };
    let Some(text) = content(inputs, &path)? else {
        return Ok(Err(Lack::Missing(format!("{path} is {state}"))));
    };
    let incomplete = (state != State::Collected).then(|| format!("{path} is {state}"));
    match (from_lines(&text.text), incomplete) {
        (Ok(rows), incomplete) => Ok(Ok(Rows {
            text,
            lines: rows,
            incomplete,
        })),
        (Err(_), Some(why)) => Ok(Err(Lack::Missing(why))),
        (Err(error), None) => Err(text.not_understood(&error)),
    }
}

/// Why there is no document.
#[derive(Debug)]
pub(crate) enum Lack {
    /// It ought to be there.
    Missing(String),
    /// The node has no such thing, or it does not apply.
    NoSuchThing(State),
}

fn content(inputs: &dyn Inputs, path: &ArtifactPath) -> Result<Option<Text>, AnalyzeError> {
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    let Some(content) = inputs.open(path).map_err(failed)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    content.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(Text {
        path: path.clone(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }))
}
