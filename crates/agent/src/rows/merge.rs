//! Merge patches (RFC 7386): the least that turns one object into another.

use serde_json::{Map, Value};

/// What makes `wanted` of `present`; `None` when nothing is to be done. Lists are taken as a whole.
pub(super) fn patch(present: &Value, wanted: &Value) -> Option<Value> {
    match (present, wanted) {
        (Value::Object(present), Value::Object(wanted)) => {
            let gone = present.keys().filter(|key| !wanted.contains_key(*key));
            let mut patches: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
            for (key, wanted) in wanted {
                let change = match present.get(key) {
                    Some(present) => patch(present, wanted),
                    None => Some(wanted.clone()),
                };
                if let Some(change) = change {
                    patches.insert(key.clone(), change);
                }
            }
            (!patches.is_empty()).then_some(Value::Object(patches))
        }
        (present, wanted) => (present != wanted).then(|| wanted.clone()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::same(json!({"a": 1}), json!({"a": 1}), None)]
    #[case::changed(json!({"a": 1, "b": 1}), json!({"a": 2, "b": 1}), Some(json!({"a": 2})))]
    #[case::gone(json!({"a": 1, "b": {"c": 1}}), json!({"a": 1}), Some(json!({"b": null})))]
    #[case::new(json!({}), json!({"a": {"b": 1}}), Some(json!({"a": {"b": 1}})))]
    #[case::deep(json!({"a": {"b": 1, "c": 1}}), json!({"a": {"b": 1}}), Some(json!({"a": {"c": null}})))]
    #[case::lists(json!({"a": [1, 2]}), json!({"a": [1]}), Some(json!({"a": [1]})))]
    #[case::other_kind(json!({"a": {"b": 1}}), json!({"a": "x"}), Some(json!({"a": "x"})))]
    fn patches_say_what_differs(#[case] present: Value, #[case] wanted: Value, #[case] expected: Option<Value>) {
        assert_eq!(patch(&present, &wanted), expected);
    }
}
