//! Reads values out of raw objects as the short texts that descriptions are made of; it does not lay them out.

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value};

/// Characters of an annotation that a description shows; the raw object has the rest.
const MAX_ANNOTATION: usize = 200;

/// Written by `kubectl apply`: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A string, number or boolean at a JSON pointer.
pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(scalar)
}

/// A string, number or boolean as it reads.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The elements of an array at a JSON pointer.
pub(super) fn elements<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The scalars of an array at a JSON pointer.
pub(super) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    elements(value, pointer).iter().filter_map(scalar).collect()
}

/// The scalars of an array, separated by commas; `None` when there are none.
pub(super) fn joined(value: &Value, pointer: &str) -> Option<String> {
    let texts = texts(value, pointer);
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn fields<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
}

/// `key=value` for each field of an object, sorted.
pub(super) fn pairs(value: &Value, pointer: &str) -> Vec<String> {
    let pairs = fields(value, pointer).map(|(key, value)| format!("{key}={}", scalar(value).unwrap_or_default()));
    sorted(pairs)
}

/// `key: value` for each annotation, sorted, long ones cut, without the copy that `kubectl apply` keeps of the object.
pub(super) fn annotations(value: &Value) -> Vec<String> {
    let annotations = fields(value, "/metadata/annotations").filter(|(key, _)| *key != LAST_APPLIED);
    sorted(annotations.map(|(key, value)| {
        let value = scalar(value).unwrap_or_default().replace('\n', " ");
        match value.char_indices().nth(MAX_ANNOTATION) {
            Some((end, _)) => format!(
                "{key}: {}… ({} bytes)",
                value.get(..end).unwrap_or_default(),
                value.len()
            ),
            None => format!("{key}: {value}"),
        }
    }))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

/// `Kind/name` of the controller that owns the object.
pub(super) fn controller(object: &Value) -> Option<String> {
    let owners = elements(object, "/metadata/ownerReferences").iter();
    let mut controllers = owners.filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    let owner = controllers.next()?;
    Some(format!("{}/{}", text(owner, "/kind")?, text(owner, "/name")?))
}

/// A label selector in the form that `kubectl -l` takes.
pub(super) fn selector(value: &Value, pointer: &str) -> Option<String> {
    let selector = value.pointer(pointer)?;
    let mut terms = pairs(selector, "/matchLabels");
    for expression in elements(selector, "/matchExpressions") {
        let key = text(expression, "/key").unwrap_or_default();
        let values = texts(expression, "/values").join(",");
        terms.push(match text(expression, "/operator").as_deref() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("Exists") => key,
            Some("DoesNotExist") => format!("!{key}"),
            other => format!("{key} {} ({values})", other.unwrap_or_default()),
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

/// How long ago, in the one or two largest units that matter: `45s`, `5m10s`, `3h20m`, `12d`.
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit}{small}{small_unit}")
    }
}

/// A moment to the second, in UTC.
pub(super) fn moment(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(0, "0s")]
    #[case(119, "119s")]
    #[case(130, "2m10s")]
    #[case(180, "3m")]
    #[case(3_000, "50m")]
    #[case(12_000, "3h20m")]
    #[case(40_000, "11h")]
    #[case(180_000, "2d2h")]
    #[case(86_400 * 400, "400d")]
    #[case(-5, "0s")]
    fn ages_read_like_kubectls(#[case] seconds: i64, #[case] expected: &str) {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let then = Timestamp::from_second(2_000_000_000 - seconds).unwrap();
        assert_eq!(age(now, then), expected);
    }

    #[test]
    fn selectors_read_like_kubectls() {
        let object = json!({"s": {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [
            {"key": "t", "operator": "In", "values": ["x", "y"]}, {"key": "e", "operator": "Exists"},
            {"key": "n", "operator": "DoesNotExist"}, {"key": "o", "operator": "NotIn", "values": ["z"]},
        ]}, "empty": {}});
        assert_eq!(selector(&object, "/s").unwrap(), "a=1,b=2,t in (x,y),e,!n,o notin (z)");
        assert_eq!(selector(&object, "/empty"), None);
        assert_eq!(selector(&object, "/missing"), None);
    }

    #[test]
    fn annotations_are_cut_and_the_applied_copy_left_out() {
        let object =
            json!({"metadata": {"annotations": {LAST_APPLIED: "{}", "long": "é".repeat(300), "a": "two\nlines"}}});
        let lines = annotations(&object);
        assert_eq!(lines[0], "a: two lines");
        assert_eq!(lines[1], format!("long: {}… (600 bytes)", "é".repeat(200)));
        assert_eq!(lines.len(), 2);
    }
}
