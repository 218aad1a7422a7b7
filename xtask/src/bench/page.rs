//! The page with the figures, of which each part of the bench writes its own sections and leaves the others alone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::services::place::workspace;

fn path() -> PathBuf {
    workspace().join("docs/benchmarks.md")
}

/// Puts a section, which begins with its `heading`, in the place of the one that has the same heading, or at the end.
pub(super) fn put(heading: &str, section: &str) -> Result<()> {
    let page = fs::read_to_string(path()).context("cannot read docs/benchmarks.md")?;
    write(&replaced(&page, heading, section))
}

/// Writes the page anew and keeps the sections with these headings.
pub(super) fn write_but_for(page: &str, kept: &[&str]) -> Result<()> {
    let old = fs::read_to_string(path()).unwrap_or_default();
    let kept = kept.iter().filter_map(|heading| section(&old, heading));
    write(&kept.fold(page.trim_end().to_owned() + "\n", |page, section| {
        format!("{page}\n{}\n", section.trim_end())
    }))
}

fn write(page: &str) -> Result<()> {
    fs::write(path(), page).context("cannot write docs/benchmarks.md")
}

fn replaced(page: &str, heading: &str, new: &str) -> String {
    let new = format!("{}\n", new.trim_end());
    match section(page, heading) {
        Some(old) => page.replacen(old.trim_end(), new.trim_end(), 1),
        None => format!("{}\n\n{new}", page.trim_end()),
    }
}

/// From a heading to the next of its level.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = page.find(&format!("{heading}\n"))?;
    let rest = page.get(start..)?;
    let end = rest.get(heading.len()..)?.find("\n## ").map(|end| heading.len() + end);
    rest.get(..end.unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    const PAGE: &str = "# Figures\n\n## One\n\n1\n\n## Two\n\n2\n";

    #[test]
    fn a_section_takes_the_place_of_its_own_kind_and_no_other() {
        assert_eq!(
            replaced(PAGE, "## One", "## One\n\none\n"),
            "# Figures\n\n## One\n\none\n\n## Two\n\n2\n"
        );
        assert_eq!(
            replaced(PAGE, "## Two", "## Two\n\ntwo\n"),
            "# Figures\n\n## One\n\n1\n\n## Two\n\ntwo\n"
        );
        assert_eq!(
            replaced(PAGE, "## Three", "## Three\n\n3\n"),
            format!("{PAGE}\n## Three\n\n3\n")
        );
    }
}
