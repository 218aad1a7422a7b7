//! `cargo xtask generate`: writes the documents that follow from the tables in the code; with `--check`, says which differ.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use periscope_scan::RuleSet;
use serde_json::Value;

use crate::command::{run, say};
use crate::services::place;

/// What stands at the head of every generated document.
const HEAD: &str = "<!-- Written by `cargo xtask generate`: change the table in the code, not this. -->\n\n";

/// Written by hand but for its tables, each below a line that names it.
const THREAT_MODEL: &str = "docs/threat-model.md";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a document differs
    #[arg(long)]
    check: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { check } = self;
        let mut differing = Vec::new();
        let mut documents = vec![
            ("docs/actions.md".to_owned(), actions()?),
            ("docs/findings.md".to_owned(), findings()?),
            ("docs/redaction.md".to_owned(), redaction()?),
            (THREAT_MODEL.to_owned(), threat_model()?),
        ];
        let files = periscope_manifests::deployment().into_iter();
        documents.extend(files.map(|file| (format!("deployment/{}", file.path), file.text)));
        for (name, text) in documents {
            let path: PathBuf = place::workspace().join(&name);
            if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
                continue;
            }
            if !check {
                path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
                say(&format!("wrote {name}"));
            }
            differing.push(name);
        }
        if check && !differing.is_empty() {
            bail!(
                "not as the code says: {} (run cargo xtask generate)",
                differing.join(", ")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The catalogue of actions, as the program itself lists it.
fn actions() -> Result<String> {
    let list = run(Command::new("cargo")
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "periscope-cli",
            "--",
            "actions",
            "--json",
        ])
        .current_dir(place::workspace()))?;
    let list: Vec<Value> = serde_json::from_str(&list).context("the list of actions is not JSON")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut page = format!(
        "{HEAD}# Actions\n\nWhat `collect` gathers. Artifacts stand at `nodes/<node>/<action>/<path>` in the archive, those of the\ncluster below `cluster-resources/`. Each has a state in `manifest.json`.\n"
    );
    for action in &list {
        let (id, summary) = (text(&action["id"]), text(&action["summary"]));
        writeln!(page, "\n## `{id}`\n\n{summary}\n")?;
        let (timeout, limit) = (
            &action["timeoutSeconds"],
            action["limitBytes"].as_u64().unwrap_or_default() >> 20,
        );
        let (scope, sensitivity) = (text(&action["scope"]), text(&action["sensitivity"]));
        writeln!(
            page,
            "Once for each {scope}; at most {timeout} s, {limit} MiB for one artifact; {sensitivity} information.\n"
        )?;
        writeln!(page, "| artifact | what |\n|---|---|")?;
        for item in action["items"].as_array().into_iter().flatten() {
            writeln!(
                page,
                "| `{}` | {} |",
                text(&item["path"]),
                text(&item["summary"]).replace('|', "\\|")
            )?;
        }
        for rule in action["rbac"].as_array().into_iter().flatten() {
            writeln!(page, "\nKubernetes permission: {}", text(rule))?;
        }
    }
    rules(&mut page)?;
    Ok(page)
}

/// The declarative rules: what is found in lines of logs.
fn rules(page: &mut String) -> Result<()> {
    writeln!(
        page,
        "\n## `log-rules`\n\nLines of logs that rules know to mean trouble ([how rules are written](design/rules.md)).\n\n| rule | fault | logs of | severity | what is wrong | usual causes | what to do |\n|---|---|---|---|---|---|---|"
    )?;
    for rule in RuleSet::builtin().rules() {
        let Some(form) = &rule.finding else { continue };
        let sources: Vec<_> = rule.sources.iter().map(|source| source.as_str()).collect();
        let causes: Vec<_> = form.caused_by.iter().map(|id| format!("`{id}`")).collect();
        writeln!(
            page,
            "| `{}` | `{}` | {} | {} | {} | {} | {} |",
            rule.id,
            form.fault,
            sources.join(", "),
            form.severity,
            rule.summary,
            causes.join(", "),
            form.remedy.replace('|', "\\|")
        )?;
    }
    Ok(())
}

/// The rules of the redactor.
fn redaction() -> Result<String> {
    let mut page = format!(
        "{HEAD}# Redaction rules\n\nEvery byte of an artifact passes these before it is written. What is found is replaced by `[REDACTED:<rule>]`;\n`manifest.json` counts the hits of each rule for each artifact.\n\n| rule | finds | example, redacted |\n|---|---|---|\n"
    );
    for rule in periscope_redact::RULES {
        let example = rule.redacted.replace('|', "\\|").replace('\n', " ");
        writeln!(page, "| `{}` | {} | `{}` |", rule.id, rule.finds, example.trim())?;
    }
    Ok(page)
}

/// The page about threats, with its tables as the manifests have them.
fn threat_model() -> Result<String> {
    let mut page = std::fs::read_to_string(place::workspace().join(THREAT_MODEL))
        .with_context(|| format!("cannot read {THREAT_MODEL}"))?;
    for (name, rows) in [
        ("capabilities", periscope_manifests::CAPABILITIES),
        ("accesses", periscope_manifests::ACCESSES),
    ] {
        let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
        let (before, rest) = page
            .split_once(&begin)
            .with_context(|| format!("{THREAT_MODEL} has no line {begin:?}"))?;
        let (_, after) = rest
            .split_once(end)
            .with_context(|| format!("{THREAT_MODEL} has no line {end:?} for {name}"))?;
        let mut table =
            "| what | what for | who controls the process could | what stands against that |\n|---|---|---|---|\n"
                .to_owned();
        for row in rows {
            let name = if row.name.contains(['`', ' ']) {
                row.name.to_owned()
            } else {
                format!("`{}`", row.name)
            };
            writeln!(
                table,
                "| {name} | {} | {} | {} |",
                row.purpose, row.abuse, row.prevention
            )?;
        }
        page = format!("{before}{begin}{table}{end}{after}");
    }
    Ok(page)
}

/// The faults that analyzers find.
fn findings() -> Result<String> {
    let mut page = format!(
        "{HEAD}# Findings\n\nWhat `collect` and `analyze` look for. A finding names the fault in `analysis.json`, says what has it, shows the\nlines of the archive that prove it, and stands below its likeliest cause where that was found too.\n"
    );
    for analyzer in periscope_analyzers::CATALOG {
        let descriptor = analyzer.descriptor();
        writeln!(page, "\n## `{}`\n\n{}\n", descriptor.id, descriptor.summary)?;
        writeln!(
            page,
            "| fault | severity | what is wrong | usual causes | what to do |\n|---|---|---|---|---|"
        )?;
        for fault in descriptor.faults {
            let causes: Vec<_> = fault.caused_by.iter().map(|id| format!("`{id}`")).collect();
            writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                fault.id,
                fault.severity,
                fault.summary,
                causes.join(", "),
                fault.remedy.replace('|', "\\|")
            )?;
        }
    }
    Ok(page)
}
