//! One run of `collect` read as a person reads it: the first screen, the findings and the files that they point to.
//! It breaks nothing itself: tests make the faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use periscope_analyzers::{ANALYSIS_FILE, read_analysis};
use periscope_core::{Evidence, Finding};
use tempfile::TempDir;

use crate::Services;

/// The run id of these runs.
const RUN_ID: &str = "diagnosis";

/// What a run found.
#[derive(Debug)]
pub struct Diagnosis {
    /// What it printed for a person.
    pub screen: String,
    /// The findings, in the order of `analysis.json`.
    pub findings: Vec<Finding>,
    /// How it ended.
    pub exit_code: i32,
    top: PathBuf,
    _folder: TempDir,
}

impl Diagnosis {
    /// Runs `collect` on the test node with further arguments.
    ///
    /// # Panics
    ///
    /// When there is no archive afterwards.
    pub fn of_node(services: &Services, arguments: &[&str]) -> Self {
        Self::of(services.cluster.on_node(&services.binary), arguments)
    }

    /// Runs `collect` with `program`, a command that ends in the program's name, such as one inside other namespaces.
    ///
    /// # Panics
    ///
    /// When there is no archive afterwards.
    pub fn of(mut program: Command, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the archive");
        program
            .args([
                "collect", "--quiet", "--format", "unpacked", "--run-id", RUN_ID, "--output",
            ])
            .arg(folder.path())
            .args(arguments)
            .env_remove("KUBECONFIG");
        let output = program.output().expect("the program can be started");
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        let problems = String::from_utf8_lossy(&output.stderr).into_owned();
        let top = top_folder(&folder.path().join(RUN_ID))
            .unwrap_or_else(|| unreachable!("no archive was written:\n{screen}{problems}"));
        let analysis = fs::read(top.join(ANALYSIS_FILE)).expect("an archive has its findings");
        Self {
            screen,
            findings: read_analysis(&analysis).expect("the findings can be read"),
            exit_code: output.status.code().unwrap_or(-1),
            top,
            _folder: folder,
        }
    }

    /// The folder of the archive that holds `manifest.json`.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// What is wrong, by this run.
    pub fn troubles(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_trouble())
    }

    /// The finding of this fault, which must be the first of the first screen, with every piece of its evidence to be
    /// found in the archive where it says.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub fn first(&self, fault: &str) -> &Finding {
        let finding = self.find(fault);
        let shown = self
            .screen
            .lines()
            .skip_while(|line| !line.starts_with("Findings"))
            .nth(1);
        assert!(
            shown.is_some_and(|line| line.contains(finding.title.trim_end())),
            "the first finding of the screen is not {fault}:\n{}",
            self.screen
        );
        finding
    }

    /// The first finding of this fault, with every piece of its evidence to be found in the archive where it says.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn find(&self, fault: &str) -> &Finding {
        let found = self.troubles().find(|finding| finding.fault == fault);
        let finding = found.unwrap_or_else(|| unreachable!("{fault} was not found:\n{}", self.screen));
        assert!(!finding.evidence.is_empty(), "{fault} has no evidence: {finding:#?}");
        for evidence in &finding.evidence {
            self.check_evidence(evidence);
        }
        finding
    }

    /// There is nothing wrong but faults of these kinds.
    ///
    /// # Panics
    ///
    /// When there is.
    pub fn silent_but_for(&self, faults: &[&str]) {
        let others: Vec<_> = self
            .troubles()
            .filter(|finding| !faults.contains(&finding.fault.as_str()))
            .collect();
        assert!(others.is_empty(), "{others:#?}\n{}", self.screen);
    }

    /// No fault of this kind was found.
    ///
    /// # Panics
    ///
    /// When one was.
    pub fn without(&self, fault: &str) {
        let found: Vec<_> = self.troubles().filter(|finding| finding.fault == fault).collect();
        assert!(found.is_empty(), "{found:#?}");
    }

    fn check_evidence(&self, evidence: &Evidence) {
        let path = self.top.join(&evidence.file);
        let bytes = fs::read(&path).unwrap_or_else(|error| unreachable!("{}: {error}", path.display()));
        let Some(line) = evidence.line else { return };
        let index = usize::try_from(line - 1).expect("files have fewer lines");
        let line = bytes.split(|&byte| byte == b'\n').nth(index);
        let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
        let quote = evidence.quote.trim().trim_matches('…');
        assert!(
            !quote.is_empty() && line.contains(quote),
            "{}:{} does not say {quote:?} but {line:?}",
            evidence.file,
            index + 1
        );
    }
}

/// The one folder below `folder` that holds a manifest.
fn top_folder(folder: &Path) -> Option<PathBuf> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        if folder.join("manifest.json").is_file() {
            return Some(folder);
        }
        let below = fs::read_dir(folder).ok()?.filter_map(Result::ok);
        waiting.extend(below.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    None
}
