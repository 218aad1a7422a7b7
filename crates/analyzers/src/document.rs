//! Reads a whole document whose elements are one line each, with the line of every element.

use periscope_core::{AnalyzeError, AnalyzerDescriptor, Finding, Inputs};
use periscope_documents::from_lines;
use serde::de::DeserializeOwned;

use crate::artifact::{self, Artifact, Text};

/// A document, as far as it can be judged.
pub(crate) enum Document<T> {
    /// All of it.
    Whole(Text, Vec<(u64, T)>),
    /// The node has no such thing.
    NoSuchThing,
    /// It should be there whole, and is not, for this reason.
    Incomplete(String),
}

/// Reads a document of the node.
pub(crate) fn read<T: DeserializeOwned>(
    inputs: &dyn Inputs,
    action: &str,
    name: &str,
) -> Result<Document<T>, AnalyzeError> {
    Ok(match artifact::read(inputs, action, name)? {
        Artifact::Whole(text) => {
            let rows = from_lines(&text.text).map_err(|error| text.not_understood(&error))?;
            Document::Whole(text, rows)
        }
        Artifact::NoSuchThing => Document::NoSuchThing,
        Artifact::Incomplete(why) => Document::Incomplete(why),
    })
}

/// The finding of an analyzer whose input of the action `action` is not there.
pub(crate) fn unknown(descriptor: &AnalyzerDescriptor, action: &str, why: &str) -> Finding {
    descriptor
        .unknown(format!("{why}."))
        .remedy(format!("Collect again with the action `{action}`, as root."))
}
