//! Reads an artifact whole, or says why it cannot be relied on. An artifact that was cut is not relied on.

use std::io::Read;

use periscope_core::{AnalyzeError, ArtifactPath, Evidence, Inputs, Place, State};

/// Largest artifact that is read whole. The documents that are judged have some kilobytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// An artifact, as far as it can be judged.
pub(crate) enum Artifact {
    /// All of it.
    Whole(Text),
    /// It is rightly absent: the node has no such thing.
    NoSuchThing,
    /// It should be there whole, and is not, for this reason.
    Incomplete(String),
}

/// The content of an artifact.
pub(crate) struct Text {
    pub(crate) path: ArtifactPath,
    pub(crate) text: String,
}

impl Text {
    /// The line as evidence.
    pub(crate) fn evidence(&self, line: u64) -> Evidence {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        Evidence {
            file: self.path.to_string(),
            line: Some(line),
            quote: self.text.lines().nth(index).unwrap_or_default().trim().to_owned(),
        }
    }

    /// The whole file as evidence.
    pub(crate) fn as_evidence(&self, quote: impl Into<String>) -> Evidence {
        Evidence {
            file: self.path.to_string(),
            line: None,
            quote: quote.into(),
        }
    }

    /// The error of an artifact that is not what it should be.
    pub(crate) fn not_understood(&self, what: &impl ToString) -> AnalyzeError {
        AnalyzeError::Parse {
            path: self.path.clone(),
            what: what.to_string(),
        }
    }
}

/// Whether the node's manifest has a word on the artifact.
pub(crate) fn is_planned(inputs: &dyn Inputs, action: &str, name: &str) -> bool {
    inputs.state(&Place::Node.path(inputs.node(), action, name)).is_some()
}

/// Reads an artifact of the node.
pub(crate) fn read(inputs: &dyn Inputs, action: &str, name: &str) -> Result<Artifact, AnalyzeError> {
    let path = Place::Node.path(inputs.node(), action, name);
    match inputs.state(&path) {
        None => return Ok(Artifact::Incomplete(format!("{path} was not gathered"))),
        Some(State::NotPresent | State::NotApplicable) => return Ok(Artifact::NoSuchThing),
        Some(State::Collected) => {}
        Some(state) => return Ok(Artifact::Incomplete(format!("{path} is {state}"))),
    }
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    let Some(content) = inputs.open(&path).map_err(failed)? else {
        return Ok(Artifact::Incomplete(format!("{path} is not in the archive")));
    };
    let mut bytes = Vec::new();
    content.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Ok(Artifact::Incomplete(format!("{path} has more than {MAX_BYTES} bytes")));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Artifact::Whole(Text { path, text }))
}
