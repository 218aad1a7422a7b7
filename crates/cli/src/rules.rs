//! The declarative rules: those of the user for `--rules`, and the commands `rules lint` and `rules list`.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use periscope_scan::{Rule, RuleSet};
use serde_json::{Value, json};

use crate::args::{RulesArgs, RulesCommand};
use crate::exit::{Ended, Exit, print, tell};

/// Most problems that are named in one line of an error.
const MAX_NAMED: usize = 3;

/// The rules that are built in and, where a folder is named, those in it.
pub(crate) fn load(folder: Option<&Path>) -> Result<Arc<RuleSet>> {
    let Some(folder) = folder else {
        return Ok(Arc::clone(RuleSet::builtin()));
    };
    RuleSet::with_dir(folder).map(Arc::new).map_err(|errors| {
        let mut named: Vec<_> = errors.0.iter().take(MAX_NAMED).map(ToString::to_string).collect();
        if errors.0.len() > MAX_NAMED {
            named.push(format!("and {} more (see `rules lint`)", errors.0.len() - MAX_NAMED));
        }
        Ended::usage(format!("invalid rules: {}", named.join("; ")))
    })
}

/// Runs the commands.
pub(crate) fn run(args: &RulesArgs) -> Result<Exit> {
    let RulesArgs { command } = args;
    match command {
        RulesCommand::Lint { folder } => Ok(lint(folder.as_deref())),
        RulesCommand::List { rules, json } => {
            let rules = load(rules.as_deref())?;
            print(&if *json {
                as_json(rules.rules())?
            } else {
                as_text(rules.rules())?
            });
            Ok(Exit::Complete)
        }
    }
}

/// Says what is wrong with the rules, a line for each problem.
fn lint(folder: Option<&Path>) -> Exit {
    let checked = match folder {
        None => Ok(Arc::clone(RuleSet::builtin())),
        Some(folder) => RuleSet::with_dir(folder).map(Arc::new).map_err(|errors| errors.0),
    };
    match checked {
        Ok(all) => {
            let built_in = RuleSet::builtin().rules().len();
            let text = match all.rules().len() - built_in {
                0 => format!("{built_in} built-in rules are in order\n"),
                1 => format!("1 rule is in order, beside {built_in} built-in ones\n"),
                own => format!("{own} rules are in order, beside {built_in} built-in ones\n"),
            };
            print(&text);
            Exit::Complete
        }
        Err(problems) => {
            for problem in &problems {
                tell(&problem.to_string());
            }
            tell(&format!("{} problems: none of these rules is used", problems.len()));
            Exit::Usage
        }
    }
}

fn as_text(rules: &[Rule]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for rule in rules {
        let sources: Vec<_> = rule.sources.iter().map(|source| source.as_str()).collect();
        let what = match &rule.finding {
            Some(form) => format!("{} {}: {}", form.verdict, form.severity, form.fault),
            None => "signal: for the analyzers".to_owned(),
        };
        writeln!(text, "{}\n    {}", rule.id, rule.summary)?;
        writeln!(text, "      {what}; in {} ({})", sources.join(", "), rule.file)?;
    }
    Ok(text)
}

fn as_json(rules: &[Rule]) -> Result<String> {
    let row = |rule: &Rule| -> Value {
        let form = rule.finding.as_ref();
        json!({
            "id": rule.id,
            "summary": rule.summary,
            "file": rule.file,
            "sources": rule.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>(),
            "literals": rule.literals,
            "signal": form.is_none(),
            "fault": form.map(|form| &form.fault),
            "verdict": form.map(|form| form.verdict),
            "severity": form.map(|form| form.severity),
            "remedy": form.map(|form| &form.remedy),
            "causedBy": form.map(|form| &form.caused_by),
        })
    };
    let rows: Vec<_> = rules.iter().map(row).collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}
