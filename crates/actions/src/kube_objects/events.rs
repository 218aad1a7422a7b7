//! The events of one namespace, kept short enough to be joined to the objects they are about; the full objects are
//! written elsewhere.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

/// Events of one namespace that are kept for joining; more are in the list of events only. With [`MAX_MESSAGE`] this
/// bounds the memory to about 6 MB.
const MAX_EVENTS: usize = 5_000;

/// Bytes of an event's message that are kept; the API server allows 1024.
const MAX_MESSAGE: usize = 1024;

/// What a description shows of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) from: String,
    pub(super) message: String,
    pub(super) count: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

/// Which object an event is about. Its uid where there is one: a name may be used again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Uid(String),
    Name(String, String),
}

/// Events by the object they are about.
#[derive(Debug, Default)]
pub(super) struct Events {
    about: HashMap<Subject, Vec<Event>>,
    kept: usize,
    left_out: usize,
}

impl Events {
    /// Takes in an event, as the core or the `events.k8s.io` group writes it.
    pub(super) fn add(&mut self, event: &Value) {
        if self.kept == MAX_EVENTS {
            self.left_out += 1;
            return;
        }
        let involved = event.get("involvedObject").or_else(|| event.get("regarding"));
        let Some(involved) = involved else { return };
        self.kept += 1;
        self.about.entry(subject(involved)).or_default().push(read(event));
    }

    /// The events about an object, oldest first.
    pub(super) fn about(&self, object: &Value) -> Vec<&Event> {
        let by_uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        let by_uid = by_uid.and_then(|uid| self.about.get(&Subject::Uid(uid.to_owned())));
        // Some writers of events know no uid.
        let name = Subject::Name(text(object, "/kind"), text(object, "/metadata/name"));
        let by_name = self.about.get(&name);
        let mut events: Vec<_> = by_uid.into_iter().chain(by_name).flatten().collect();
        events.sort_by_key(|event| event.last);
        events
    }

    /// Events that were not kept for joining.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }
}

fn subject(involved: &Value) -> Subject {
    let uid = text(involved, "/uid");
    if uid.is_empty() {
        Subject::Name(text(involved, "/kind"), text(involved, "/name"))
    } else {
        Subject::Uid(uid)
    }
}

fn read(event: &Value) -> Event {
    let time = |pointers: &[&str]| {
        let mut found = pointers.iter().filter_map(|pointer| event.pointer(pointer)?.as_str());
        found.find_map(|time| time.parse().ok())
    };
    let first_text = |pointers: &[&str]| {
        let mut texts = pointers.iter().map(|pointer| text(event, pointer));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    };
    let count = ["/series/count", "/count", "/deprecatedCount"];
    let mut count = count.iter().filter_map(|pointer| event.pointer(pointer)?.as_u64());
    let first = time(&[
        "/firstTimestamp",
        "/deprecatedFirstTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]);
    let mut message = first_text(&["/message", "/note"]);
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    Event {
        kind: text(event, "/type"),
        reason: text(event, "/reason"),
        from: first_text(&["/source/component", "/reportingComponent", "/reportingController"]),
        message,
        count: count.next().unwrap_or(1),
        first,
        last: time(&["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"]).or(first),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({"kind": "Pod", "metadata": {"name": "a", "uid": "u1"}})
    }

    #[test]
    fn events_are_joined_by_uid_or_else_by_name_and_in_the_order_of_their_last_time() {
        let mut events = Events::default();
        events
            .add(&json!({"involvedObject": {"uid": "u1"}, "reason": "Late", "lastTimestamp": "2026-01-01T00:00:02Z"}));
        events.add(&json!({"involvedObject": {"uid": "u2", "kind": "Pod", "name": "a"}, "reason": "Namesake"}));
        events.add(&json!({"regarding": {"kind": "Pod", "name": "a"}, "reason": "Early", "eventTime": "2026-01-01T00:00:01.000000Z"}));
        events.add(&json!({"reason": "AboutNothing"}));
        let reasons: Vec<_> = events
            .about(&pod())
            .into_iter()
            .map(|event| event.reason.as_str())
            .collect();
        assert_eq!(reasons, ["Early", "Late"]);
    }

    #[test]
    fn both_forms_of_event_are_read() {
        let old = read(&json!({
            "type": "Warning", "reason": "BackOff", "message": "m", "count": 7, "source": {"component": "kubelet"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T01:00:00Z", "reportingComponent": "",
        }));
        let new = read(&json!({
            "type": "Warning", "reason": "BackOff", "note": "m", "series": {"count": 7, "lastObservedTime": "2026-01-01T01:00:00Z"},
            "eventTime": "2026-01-01T00:00:00Z", "reportingController": "kubelet",
        }));
        assert_eq!(old, new);
        assert_eq!((old.count, old.from.as_str()), (7, "kubelet"));
    }

    #[test]
    fn only_so_many_are_kept_and_the_rest_counted() {
        let mut events = Events::default();
        for _ in 0..MAX_EVENTS + 3 {
            events.add(&json!({"involvedObject": {"uid": "u1"}, "message": "é".repeat(MAX_MESSAGE)}));
        }
        assert_eq!(events.left_out(), 3);
        let about = pod();
        let kept = events.about(&about);
        assert_eq!((kept.len(), kept[0].message.len()), (MAX_EVENTS, MAX_MESSAGE));
    }
}
