//! The command `actions`: what `collect` can gather, from the catalogue's descriptors.

use std::fmt::Write;

use anyhow::Result;
use periscope_actions::CATALOG;
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
            "{} s at most, {} information",
            descriptor.timeout.as_secs(),
            descriptor.sensitivity
        );
        writeln!(text, "{}\n    {} ({bounds})", descriptor.id, descriptor.summary)?;
        let width = descriptor.items.iter().map(|item| item.path.len()).max().unwrap_or(0);
        for item in descriptor.items {
            writeln!(text, "      {:width$}  {}", item.path, item.summary)?;
        }
    }
    Ok(text)
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
                "sensitivity": descriptor.sensitivity.to_string(),
                "items": descriptor.items.iter().map(|item| json!({"path": item.path, "summary": item.summary})).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}
