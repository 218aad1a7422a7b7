//! The command `actions`: what `collect` can gather, from the catalogue's descriptors.

use std::fmt::Write;

use anyhow::Result;
use periscope_actions::CATALOG;
use periscope_core::Rbac;
use serde_json::json;

use crate::args::ActionsArgs;
use crate::exit::{Exit, print};

/// Lists the catalogue.
pub(crate) fn run(args: &ActionsArgs) -> Result<Exit> {
    let ActionsArgs { json } = args;
    print(&if *json { as_json()? } else { as_text()? });
    Ok(Exit::Complete)
}

fn as_text() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for descriptor in CATALOG.iter().map(|entry| entry.descriptor) {
        let bounds = format!(
            "{} s at most, {} information, once for each {}",
            descriptor.timeout.as_secs(),
            descriptor.sensitivity,
            descriptor.scope
        );
        writeln!(text, "{}\n    {} ({bounds})", descriptor.id, descriptor.summary)?;
        let width = descriptor.items.iter().map(|item| item.path.len()).max().unwrap_or(0);
        for item in descriptor.items {
            writeln!(text, "      {:width$}  {}", item.path, item.summary)?;
        }
    }
    Ok(text)
}

/// One rule of a role, in words.
fn permission(rule: &Rbac) -> String {
    let group = if rule.group.is_empty() {
        "the core group"
    } else {
        rule.group
    };
    let component = rule.component.map(|name| format!(", with the component `{name}`"));
    format!(
        "{} {} of {group}{}",
        rule.verbs.join(", "),
        rule.resources.join(", "),
        component.unwrap_or_default()
    )
}

fn as_json() -> Result<String> {
    let rows: Vec<_> = CATALOG
        .iter()
        .map(|entry| entry.descriptor)
        .map(|descriptor| {
            json!({
                "id": descriptor.id,
                "summary": descriptor.summary,
                "timeoutSeconds": descriptor.timeout.as_secs(),
                "limitBytes": descriptor.limit,
                "scope": descriptor.scope.to_string(),
                "sensitivity": descriptor.sensitivity.to_string(),
                "rbac": descriptor.rbac.iter().map(permission).collect::<Vec<_>>(),
                "items": descriptor.items.iter().map(|item| json!({"path": item.path, "summary": item.summary})).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}
