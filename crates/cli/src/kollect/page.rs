//! What stands beside the fetched archives: one page of all of them, and all findings as a document.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use periscope_report::{
    ClusterFinding, ClusterMissing, ClusterNode, ClusterReport, NodeMark, REPORT_FILE, render_cluster,
};

use super::outcome::{Outcome, Part};
use crate::judge;

/// Writes both, and gives the page's path.
pub(super) fn write(outcome: &Outcome, folder: &Path) -> anyhow::Result<PathBuf> {
    let across = outcome.findings();
    let findings: Vec<_> = across.iter().map(|across| across.told(outcome.reported())).collect();
    write_file(
        &folder.join(periscope_analyzers::ANALYSIS_FILE),
        &judge::document(&findings)?,
    )?;
    let nodes: Vec<_> = outcome.parts.iter().map(node).collect();
    let findings: Vec<_> = across
        .into_iter()
        .map(|across| ClusterFinding {
            finding: across.finding,
            on: across.by.into_iter().collect(),
        })
        .collect();
    let missing: Vec<_> = outcome
        .missing()
        .into_iter()
        .map(|(what, on)| ClusterMissing {
            what,
            on: on.into_iter().collect(),
        })
        .collect();
    let page = render_cluster(&ClusterReport {
        run_id: outcome.run_id.as_str(),
        server: &outcome.server,
        started: outcome.started,
        finished: outcome.finished,
        version: env!("CARGO_PKG_VERSION"),
        nodes: &nodes,
        findings: &findings,
        missing: &missing,
    });
    let path = folder.join(REPORT_FILE);
    write_file(&path, &page)?;
    Ok(path)
}

fn node(part: &Part) -> ClusterNode {
    use periscope_core::Completeness;
    let (archive, error) = match &part.fetched {
        Some(Ok((path, bytes))) => (
            path.file_name()
                .map(|name| (name.to_string_lossy().into_owned(), *bytes)),
            None,
        ),
        Some(Err(error)) => (None, Some(format!("not fetched: {error}"))),
        None => (None, None),
    };
    let mark = match &part.content {
        Some(content) if content.completeness == Completeness::Complete && error.is_none() => NodeMark::Good,
        Some(content) if content.completeness != Completeness::Nothing => NodeMark::Cut,
        _ if part.is_excluded => NodeMark::Apart,
        _ => NodeMark::Bad,
    };
    ClusterNode {
        name: part.name.clone(),
        is_cluster: part.is_cluster(),
        mark,
        state: part.word.to_owned(),
        note: error.unwrap_or_else(|| part.note.clone()),
        archive,
    }
}

/// Whole or not at all, and for nobody else to read.
fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use periscope_core::Completeness;

    use super::write;
    use crate::kollect::outcome::tests::{outcome, part};

    #[expect(clippy::disallowed_methods, reason = "a page that the test wrote")]
    #[test]
    fn the_page_links_to_the_archives_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = outcome(vec![part("n0", Some(Completeness::Complete)), part("n1", None)]);
        let page = write(&outcome, folder.path()).unwrap();
        let html = std::fs::read_to_string(page).unwrap();
        assert!(html.contains("<a href=\"./n0.zip\">n0</a>") && !html.contains("./n1.zip"));
        assert!(folder.path().join("analysis.json").exists());
    }
}
