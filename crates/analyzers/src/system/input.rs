//! What the action `system` gathered, read for its analyzers: texts of the kernel and documents of one element a line.

use periscope_core::{AnalyzeError, Evidence, Inputs};
use periscope_documents::{from_lines, names};
use serde::de::DeserializeOwned;

use crate::artifact::{self, Artifact, Text};

/// An artifact, as far as it can be judged.
pub(super) enum Input<T> {
    /// All of it.
    Known(T),
    /// The node has no such thing.
    NoSuchThing,
    /// It should be there whole, and is not, for this reason.
    Missing(String),
}

impl<T> Input<T> {
    /// What is known, if anything.
    pub(super) fn known(self) -> Option<T> {
        match self {
            Self::Known(known) => Some(known),
            Self::NoSuchThing | Self::Missing(_) => None,
        }
    }
}

/// The elements of a document, each with its line.
pub(super) struct Rows<T> {
    text: Text,
    pub(super) rows: Vec<(u64, T)>,
}

impl<T> Rows<T> {
    /// The line as evidence.
    pub(super) fn evidence(&self, line: u64) -> Evidence {
        self.text.evidence(line)
    }
}

/// Reads a text of the action.
pub(super) fn text(inputs: &dyn Inputs, name: &str) -> Result<Input<Text>, AnalyzeError> {
    Ok(match artifact::read(inputs, names::SYSTEM, name)? {
        Artifact::Whole(text) => Input::Known(text),
        Artifact::NoSuchThing => Input::NoSuchThing,
        Artifact::Incomplete(why) => Input::Missing(why),
    })
}

/// Reads a document of the action.
pub(super) fn rows<T: DeserializeOwned>(inputs: &dyn Inputs, name: &str) -> Result<Input<Rows<T>>, AnalyzeError> {
    Ok(match text(inputs, name)? {
        Input::Known(text) => match from_lines(&text.text) {
            Ok(rows) => Input::Known(Rows { text, rows }),
            Err(error) => return Err(text.not_understood(&error)),
        },
        Input::NoSuchThing => Input::NoSuchThing,
        Input::Missing(why) => Input::Missing(why),
    })
}

/// The line, counted from 1, that `matches`, and what it makes of it.
pub(super) fn find_line<'a, T>(text: &'a Text, matches: impl Fn(&'a str) -> Option<T>) -> Option<(u64, T)> {
    (1..)
        .zip(text.text.lines())
        .find_map(|(number, line)| Some((number, matches(line)?)))
}
