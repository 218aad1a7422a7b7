//! All rules of a run: those built in, and those of the user.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::builtin::FILES;
use crate::rule::Rule;
use crate::rule_file::{Problem, RuleFile};

/// Most files of rules in a folder, and most bytes of one.
const MAX_FILES: usize = 256;
const MAX_FILE: u64 = 1024 * 1024;
/// Most rules in all.
const MAX_RULES: usize = 2000;

/// Rules, checked and compiled.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

/// Why rules do not load: one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RuleErrors(pub Vec<Problem>);

static BUILTIN: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    Arc::new(RuleSet {
        rules: lint(&builtin_files()).0,
    })
});

fn builtin_files() -> Vec<RuleFile> {
    let files = FILES.iter().map(|(name, text)| RuleFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    files.collect()
}

/// The rules of files that are in order, and what is wrong with the others.
fn lint(files: &[RuleFile]) -> (Vec<Rule>, Vec<Problem>) {
    let (mut rules, mut problems): (Vec<Rule>, Vec<Problem>) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let (read, wrong) = file.read();
        problems.extend(wrong);
        for rule in read {
            let problem = |what| Problem {
                file: file.name.clone(),
                rule: Some(rule.id.clone()),
                what,
            };
            if let Some(other) = taken.insert(rule.id.clone(), rule.file.clone()) {
                problems.push(problem(format!(
                    "expected an id of its own, this one is taken in {other}"
                )));
            } else if rules.len() == MAX_RULES {
                problems.push(problem(format!("expected at most {MAX_RULES} rules")));
                break;
            } else {
                rules.push(rule);
            }
        }
    }
    (rules, problems)
}

impl RuleSet {
    /// The rules that are built in. Compiled at the first call.
    pub fn builtin() -> &'static Arc<Self> {
        &BUILTIN
    }

    /// The rules that are built in and those of the user's files.
    ///
    /// # Errors
    /// When a file or a rule is not in order; every problem is named.
    pub fn with_files(files: &[RuleFile]) -> Result<Self, RuleErrors> {
        let mut all = builtin_files();
        all.extend_from_slice(files);
        match lint(&all) {
            (rules, problems) if problems.is_empty() => Ok(Self { rules }),
            (_, problems) => Err(RuleErrors(problems)),
        }
    }

    /// The rules that are built in and those of `*.yaml` and `*.yml` in a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or a rule is not in order.
    pub fn with_dir(dir: &Path) -> Result<Self, RuleErrors> {
        Self::with_files(&read_dir(dir).map_err(|problem| RuleErrors(vec![problem]))?)
    }

    /// What is wrong with the user's files of rules, beside those that are built in.
    pub fn lint(files: &[RuleFile]) -> Vec<Problem> {
        Self::with_files(files).err().map(|errors| errors.0).unwrap_or_default()
    }

    /// Every rule, in the order of files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// The files of rules in a folder, by name.
///
/// # Errors
/// When the folder or a file cannot be read, or is larger than rules are.
#[expect(clippy::disallowed_methods, reason = "a folder that the user names on this machine")]
pub fn read_dir(dir: &Path) -> Result<Vec<RuleFile>, Problem> {
    let problem = |path: &Path, what: String| Problem {
        file: path.display().to_string(),
        rule: None,
        what,
    };
    let unread = |error: std::io::Error| problem(dir, format!("expected a folder of rules: {error}"));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            paths.push(path);
        }
    }
    if paths.is_empty() || paths.len() > MAX_FILES {
        let what = format!("expected 1 to {MAX_FILES} files *.yaml, found {}", paths.len());
        return Err(problem(dir, what));
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
            .map_err(|error| problem(path, format!("expected a file of rules: {error}")))?;
        if text.len() as u64 > MAX_FILE {
            return Err(problem(path, format!("expected at most {MAX_FILE} bytes")));
        }
        Ok(RuleFile {
            name: path.display().to_string(),
            text,
        })
    };
    paths.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{RuleSet, builtin_files, lint, read_dir};

    #[test]
    fn every_rule_that_is_built_in_is_in_order() {
        let (rules, problems) = lint(&builtin_files());
        assert_eq!(problems, []);
        assert_eq!(RuleSet::builtin().rules().len(), rules.len());
    }

    #[test]
    fn rules_of_the_user_stand_beside_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let rule = |id: &str| {
            format!(
                "- id: {id}\n  summary: s\n  sources: [containers]\n  literals: [mine]\n  signal: true\n  \
                 fixtures: {{positive: [it is mine], negative: [it is yours]}}\n"
            )
        };
        assert!(
            read_dir(folder.path())
                .unwrap_err()
                .to_string()
                .contains("expected 1 to 256 files")
        );
        std::fs::write(folder.path().join("mine.yaml"), rule("mine")).unwrap();
        let rules = RuleSet::with_dir(folder.path()).unwrap();
        assert_eq!(rules.rules().len(), RuleSet::builtin().rules().len() + 1);
        assert_eq!(rules.rules().last().unwrap().id, "mine");

        std::fs::write(folder.path().join("zzz.yaml"), rule("mine")).unwrap();
        let errors = RuleSet::with_dir(folder.path()).unwrap_err().to_string();
        assert!(
            errors.contains("zzz.yaml: rule mine: expected an id of its own"),
            "{errors}"
        );
        assert!(errors.contains("taken in") && errors.contains("mine.yaml"), "{errors}");
    }
}
