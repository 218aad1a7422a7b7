//! Puts the cluster's events about the node and its pods on the timeline, beside the lines of logs.

use periscope_core::Inputs;
use periscope_documents::{NodeEvent, from_lines, names};
use periscope_scan::{Level, Timeline, TimelineEntry};

use crate::charts::{path, text};

/// What the timeline calls them.
const SOURCE: &str = "events";
/// The type of events that say something is amiss.
const WARNING: &str = "Warning";

/// Adds the warnings among the events. An event that happened often stands where it happened last.
pub fn add_events(timeline: &mut Timeline, inputs: &dyn Inputs) {
    let file = path(inputs, names::CLUSTER_HEALTH, names::NODE_EVENTS);
    let events = text(inputs, &file).and_then(|text| from_lines::<NodeEvent>(&text).ok());
    for (line, event) in events.unwrap_or_default() {
        let Some(time) = event.time.or(event.first).filter(|_| event.kind == WARNING) else {
            continue;
        };
        let times = if event.count > 1 {
            format!(" ({} times)", event.count)
        } else {
            String::new()
        };
        timeline.add(TimelineEntry {
            time,
            level: Level::Warning,
            source: SOURCE.to_owned(),
            file: file.clone(),
            line: Some(line),
            text: format!("{}: {}{times}: {}", event.object, event.reason, event.message),
        });
    }
}
