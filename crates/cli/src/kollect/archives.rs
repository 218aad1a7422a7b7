//! What the fetched archives say: their findings and what is missing in them; and the same of rows, where there is no
//! archive.

use std::io::Read as _;
use std::path::Path;

use periscope_agent::rows::RunStatus;
use periscope_analyzers::{ANALYSIS_FILE, read_analysis};
use periscope_bundle::OpenArchive;
use periscope_core::{ArtifactPath, Completeness, Finding};

use crate::exit::in_one_line;

/// Longest `analysis.json` that is read; one of ten thousand findings has about ten MB.
const MAX_ANALYSIS: u64 = 64 * 1024 * 1024;

/// What one archive, or a row, says.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) completeness: Completeness,
    pub(super) findings: Vec<Finding>,
    /// What is missing or cut, a line each.
    pub(super) missing: Vec<String>,
}

/// Reads a fetched archive.
///
/// # Errors
/// Why it is none, in one line.
pub(super) fn read(path: &Path) -> Result<Content, String> {
    let archive = OpenArchive::open(path).map_err(|error| in_one_line(&error))?;
    let manifest = archive.manifest().map_err(|error| in_one_line(&error))?;
    let analysis = ArtifactPath::from_names([ANALYSIS_FILE]);
    let findings = match archive.get(&analysis) {
        None => Vec::new(),
        Some(member) => {
            let mut document = Vec::new();
            let content = archive.read(member).map_err(|error| in_one_line(&error))?;
            // Lying lengths: no more than this is held, whatever comes.
            content
                .take(MAX_ANALYSIS)
                .read_to_end(&mut document)
                .map_err(|error| in_one_line(&error))?;
            read_analysis(&document).map_err(|error| in_one_line(&error))?
        }
    };
    Ok(Content {
        completeness: manifest.completeness,
        findings,
        missing: manifest.missing().map(|missing| missing.to_string()).collect(),
    })
}

/// The same of a row. It names the gravest findings only.
pub(super) fn of_row(run: &RunStatus) -> Content {
    use periscope_agent::rows::Phase;
    let findings = run
        .findings
        .iter()
        .flat_map(|findings| &findings.gravest)
        .map(|grave| Finding {
            analyzer: String::new(),
            fault: String::new(),
            verdict: grave.verdict,
            severity: grave.impact,
            object: String::new(),
            title: grave.title.clone(),
            evidence: Vec::new(),
            remedy: grave.remedy.clone(),
            cause: None,
            caused_by: Vec::new(),
        });
    Content {
        completeness: match run.phase {
            Phase::Complete => Completeness::Complete,
            Phase::Failed => Completeness::Nothing,
            _ => Completeness::Partial,
        },
        findings: findings.collect(),
        missing: run.failures.clone(),
    }
}
