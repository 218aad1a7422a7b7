//! Which files of an archive a word of the command line means: a path, the end of one, a folder, or a glob.

use anyhow::Result;
use regex::bytes::{Regex, RegexBuilder};

use crate::exit::Ended;

/// Most paths that are named where a word means several.
const MAX_NAMED: usize = 8;
/// Largest program that a glob or a pattern may become, in bytes.
pub(super) const MAX_PROGRAM: usize = 1024 * 1024;

/// What a word means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// These files, whose content is wanted: places in the list.
    Files(Vec<usize>),
    /// A folder with these files in it.
    Folder(Vec<usize>),
    /// No file.
    Nothing,
}

/// Finds what `word` means among `paths`.
pub(super) fn choose(word: &str, paths: &[&str]) -> Result<Chosen> {
    let wanted = |matches: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let found = paths.iter().enumerate().filter(|(_, path)| matches(path));
        found.map(|(index, _)| index).collect()
    };
    if word.contains(['*', '?', '[']) {
        let glob = glob(word)?;
        return Ok(files_or_nothing(wanted(&|path| glob.is_match(path.as_bytes()))));
    }
    let word = word.trim_matches('/');
    let exact = wanted(&|path| path == word);
    if !exact.is_empty() {
        return Ok(Chosen::Files(exact));
    }
    let end = format!("/{word}");
    let ending = wanted(&|path| path.ends_with(&end));
    if ending.len() > 1 {
        return Err(several(word, &ending, paths));
    }
    if !ending.is_empty() {
        return Ok(Chosen::Files(ending));
    }
    let (start, between) = (format!("{word}/"), format!("/{word}/"));
    let below = wanted(&|path| path.starts_with(&start) || path.contains(&between));
    if below.is_empty() {
        Ok(Chosen::Nothing)
    } else {
        Ok(Chosen::Folder(below))
    }
}

fn files_or_nothing(files: Vec<usize>) -> Chosen {
    if files.is_empty() {
        Chosen::Nothing
    } else {
        Chosen::Files(files)
    }
}

fn several(word: &str, found: &[usize], paths: &[&str]) -> anyhow::Error {
    let mut names: Vec<_> = found
        .iter()
        .filter_map(|index| paths.get(*index).copied())
        .take(MAX_NAMED)
        .collect();
    let more = format!("{} more", found.len().saturating_sub(MAX_NAMED));
    if found.len() > MAX_NAMED {
        names.push(&more);
    }
    Ended::usage(format!(
        "{} files end in {word:?} ({}): expected one of them, or a glob as '**/{word}' for all",
        found.len(),
        names.join(", ")
    ))
}

/// A glob as a regular expression: `*` and `?` stay within a name, `**` does not. It may begin at any folder.
fn glob(word: &str) -> Result<Regex> {
    let mut expression = "(?:^|/)".to_owned();
    let mut chars = word.trim_start_matches('/').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                // `**/` also stands for no folder at all.
                if chars.next_if_eq(&'/').is_some() {
                    expression += "(?:.*/)?";
                } else {
                    expression += ".*";
                }
            }
            '*' => expression += "[^/]*",
            '?' => expression += "[^/]",
            '[' => {
                let set: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let (not, set) = match set.strip_prefix(['!', '^']) {
                    Some(set) => ("^/", set),
                    None => ("", set.as_str()),
                };
                let set: String = set
                    .chars()
                    .flat_map(|c| ['\\', c].into_iter().skip(usize::from(c.is_alphanumeric() || c == '-')))
                    .collect();
                expression.extend(["[", not, &set, "]"]);
            }
            c => expression += &regex::escape(&c.to_string()),
        }
    }
    expression += "$";
    RegexBuilder::new(&expression)
        .unicode(false)
        .size_limit(MAX_PROGRAM)
        .build()
        .map_err(|_| {
            Ended::usage(format!(
                "invalid glob {word:?}: expected one as */kubelet.log or **/*.json"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::{Chosen, choose};
    use rstest::rstest;

    const PATHS: [&str; 6] = [
        "manifest.json",
        "nodes/n/kubelet/config.yaml",
        "nodes/n/kubelet/cmdline.txt",
        "nodes/n/system-logs/journal/kubelet.log",
        "nodes/n/cni/config.yaml",
        "nodes/n/container-logs/pods/a_b_c/d/0.log",
    ];

    #[rstest]
    #[case::path("nodes/n/kubelet/config.yaml", Chosen::Files(vec![1]))]
    #[case::absolute("/nodes/n/kubelet/config.yaml", Chosen::Files(vec![1]))]
    #[case::end("kubelet/config.yaml", Chosen::Files(vec![1]))]
    #[case::name("cmdline.txt", Chosen::Files(vec![2]))]
    #[case::folder("kubelet", Chosen::Folder(vec![1, 2]))]
    #[case::folder_with_a_slash("nodes/n/kubelet/", Chosen::Folder(vec![1, 2]))]
    #[case::part_of_a_name("line.txt", Chosen::Nothing)]
    #[case::nothing("nowhere", Chosen::Nothing)]
    #[case::glob("*.json", Chosen::Files(vec![0]))]
    #[case::glob_in_a_name("config.*", Chosen::Files(vec![1, 4]))]
    #[case::glob_over_folders("nodes/**/*.log", Chosen::Files(vec![3, 5]))]
    #[case::glob_over_no_folder("kubelet/**/*.txt", Chosen::Files(vec![2]))]
    #[case::set("c[mo]*.*", Chosen::Files(vec![1, 2, 4]))]
    #[case::not_in_set("c[!o]*.*", Chosen::Files(vec![2]))]
    #[case::glob_of_nothing("*.xml", Chosen::Nothing)]
    fn a_word_means(#[case] word: &str, #[case] expected: Chosen) {
        assert_eq!(choose(word, &PATHS).unwrap(), expected);
    }

    #[test]
    fn an_end_of_several_paths_is_refused_and_names_them() {
        let error = choose("config.yaml", &PATHS).unwrap_err().to_string();
        assert!(
            error.starts_with("2 files end in \"config.yaml\" (nodes/n/kubelet/config.yaml, nodes/n/cni/config.yaml)"),
            "{error}"
        );
        assert!(error.contains("expected"), "{error}");
    }

    #[test]
    fn a_set_without_an_end_is_harmless() {
        assert!(choose("[", &PATHS).is_err() || choose("[", &PATHS).is_ok());
        assert_eq!(
            choose("[z-a]", &PATHS).unwrap_err().to_string().split(':').next(),
            Some("invalid glob \"[z-a]\"")
        );
    }
}
