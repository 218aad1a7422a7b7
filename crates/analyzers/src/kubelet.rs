//! The kubelet's settings, as they were gathered.

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::{KubeletSettings, names};

use crate::artifact::{self, Artifact, Text};

/// The settings and the file they stand in; `None` when they are not known.
pub(crate) fn settings(inputs: &dyn Inputs) -> Result<Option<(Text, KubeletSettings)>, AnalyzeError> {
    match artifact::read(inputs, names::KUBELET, names::KUBELET_SETTINGS)? {
        Artifact::Whole(text) => {
            let settings = serde_json::from_str(&text.text).map_err(|error| text.not_understood(&error))?;
            Ok(Some((text, settings)))
        }
        Artifact::NoSuchThing | Artifact::Incomplete(_) => Ok(None),
    }
}
