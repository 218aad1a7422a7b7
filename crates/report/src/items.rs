//! What became of everything that was to be gathered: how many items ended in each state, the actions, the items
//! themselves.

use std::collections::BTreeMap;

use periscope_core::{ActionRecord, ItemRecord, Manifest, State};

use crate::bounds::{ACTION_CHARS, ACTIONS, NAME_CHARS, REASON_CHARS};
use crate::html::Html;
use crate::item_rows;
use crate::quantity;

pub(crate) fn write(html: &mut Html, manifest: &Manifest) {
    html.raw("<section id=\"items\" tabindex=\"-1\" aria-labelledby=\"items-title\">\n<div class=\"section-head\">");
    html.raw("<h2 id=\"items-title\">Items</h2>\n<p class=\"muted\">");
    html.raw("Everything that was to be gathered, and how it ended. <a href=\"./manifest.json\">manifest.json</a> ");
    html.raw("is the whole record.</p></div>\n<ul class=\"states\" id=\"states\">\n");
    for (state, count) in manifest.counts() {
        html.raw("<li class=\"")
            .raw(class(state))
            .raw("\"><b>")
            .count(count)
            .raw("</b> ");
        html.raw(state.as_str()).raw("</li>\n");
    }
    html.raw("</ul>\n");
    write_actions(html, manifest);
    let packed = item_rows::pack(&manifest.items);
    html.raw("<noscript><p>The list of items is made by a script, and scripts are off: ");
    html.raw("<a href=\"./manifest.json\">manifest.json</a> has it.</p></noscript>\n");
    html.raw("<div id=\"items-app\" hidden></div>\n");
    if let Some(json) = &packed.json {
        html.data("items-data", json);
    }
    write_left_out(html, &manifest.items, &packed.is_shown);
    html.raw("</section>\n");
}

/// The class of a state's colour: in order, cut or missing.
fn class(state: State) -> &'static str {
    match state {
        State::Collected => "state in-order",
        State::NotPresent | State::NotApplicable => "state absent",
        State::Truncated | State::OverBudget => "state cut",
        State::Withheld | State::Denied | State::TimedOut | State::Cancelled | State::Failed => "state missing",
    }
}

fn write_actions(html: &mut Html, manifest: &Manifest) {
    let mut sums: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for item in &manifest.items {
        let sum = sums.entry(&item.action).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(item.stored_bytes));
    }
    html.raw("<details class=\"actions\"><summary>Actions <span class=\"count\">");
    html.count(manifest.actions.len()).raw("</span></summary>\n");
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Actions\"><table>\n<thead><tr>");
    html.raw("<th scope=\"col\">action</th><th scope=\"col\">state</th><th scope=\"col\" class=\"number\">took</th>");
    html.raw("<th scope=\"col\" class=\"number\">items</th><th scope=\"col\" class=\"number\">size</th>");
    html.raw("<th scope=\"col\">reason</th></tr></thead>\n<tbody>\n");
    for action in manifest.actions.iter().take(ACTIONS) {
        write_action(html, action, sums.get(action.id.as_str()).copied().unwrap_or_default());
    }
    html.raw("</tbody></table></div>");
    if manifest.actions.len() > ACTIONS {
        html.raw("<p class=\"left-out\">")
            .count(manifest.actions.len() - ACTIONS);
        html.raw(" more actions are in manifest.json.</p>");
    }
    html.raw("</details>\n");
}

fn write_action(html: &mut Html, action: &ActionRecord, (items, bytes): (usize, u64)) {
    html.raw("<tr><th scope=\"row\"><code>").line(&action.id, ACTION_CHARS);
    html.raw("</code></th><td><span class=\"")
        .raw(class(action.state))
        .raw("\">");
    html.raw(action.state.as_str()).raw("</span></td><td class=\"number\">");
    html.line(&quantity::millis(action.millis), NAME_CHARS);
    html.raw("</td><td class=\"number\">").count(items);
    html.raw("</td><td class=\"number\">")
        .line(&quantity::bytes(bytes), NAME_CHARS);
    html.raw("</td><td class=\"note\">");
    html.line(action.reason.as_deref().unwrap_or_default(), REASON_CHARS);
    html.raw("</td></tr>\n");
}

fn write_left_out(html: &mut Html, items: &[ItemRecord], is_shown: &[bool]) {
    let mut left_out: BTreeMap<(&str, State), usize> = BTreeMap::new();
    for (item, _) in items.iter().zip(is_shown).filter(|(_, is_shown)| !**is_shown) {
        *left_out.entry((item.action.as_str(), item.state)).or_default() += 1;
    }
    if left_out.is_empty() {
        return;
    }
    html.raw("<div class=\"left-out\"><p>").counted(
        left_out.values().sum(),
        "more item is not listed here",
        "more items are not listed here",
    );
    html.raw("; <a href=\"./manifest.json\">manifest.json</a> has all of them:</p>\n<ul>\n");
    for ((action, state), count) in left_out.iter().take(ACTIONS) {
        html.raw("<li><code>")
            .line(action, ACTION_CHARS)
            .raw("</code> ")
            .count(*count);
        html.raw(" ").raw(state.as_str()).raw("</li>\n");
    }
    if left_out.len() > ACTIONS {
        html.raw("<li>and others</li>\n");
    }
    html.raw("</ul></div>\n");
}
