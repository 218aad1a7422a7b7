//! Sentences with places to fill: `{name}` stands for what the named group of a rule's expression matched, `{count}`
//! for a number, `{times}` for `once` or `3 times`, `{window}` for `24 hours`. There is no other syntax.

use std::collections::BTreeMap;
use std::time::Duration;

/// The places that every sentence may have.
const ALWAYS: [&str; 3] = ["count", "times", "window"];

/// The name of the first place of a sentence that neither a group nor a count fills.
pub(crate) fn unknown_place<'a>(template: &'a str, groups: &[&str]) -> Option<&'a str> {
    places(template).find(|place| !groups.contains(place) && !ALWAYS.contains(place))
}

fn places(template: &str) -> impl Iterator<Item = &str> {
    let after_brace = template.split('{').skip(1);
    after_brace.filter_map(|rest| rest.split_once('}').map(|(place, _)| place))
}

/// Fills the places of a sentence.
pub(crate) fn fill(template: &str, captures: &BTreeMap<String, String>, count: u64, window: Duration) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((place, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match place {
            "count" => out.push_str(&count.to_string()),
            "times" if count == 1 => out.push_str("once"),
            "times" => {
                out.push_str(&count.to_string());
                out.push_str(" times");
            }
            "window" => out.push_str(&in_words(window)),
            // A group may be in a part of the expression that the line did not need.
            place => out.push_str(captures.get(place).map_or("?", String::as_str)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `24 hours`, `7 days`.
pub(crate) fn in_words(window: Duration) -> String {
    let seconds = window.as_secs();
    let (number, unit) = match seconds {
        s if s > 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    match number {
        1 => unit.to_owned(),
        number => format!("{number} {unit}s"),
    }
}

/// Understands `90s`, `30m`, `24h` and `7d`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    number
        .checked_mul(unit)
        .filter(|&seconds| seconds > 0)
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::{fill, in_words, span, unknown_place};

    #[test]
    fn places_are_filled_and_unknown_ones_named() {
        let captures = BTreeMap::from([("device".to_owned(), "sda".to_owned())]);
        let day = Duration::from_hours(24);
        let text = "disk {device} failed {times} ({count}) in {window}, {other} {";
        assert_eq!(
            fill(text, &captures, 3, day),
            "disk sda failed 3 times (3) in 24 hours, ? {"
        );
        assert_eq!(fill("{times}", &captures, 1, day), "once");
        assert_eq!(unknown_place(text, &["device"]), Some("other"));
        assert_eq!(unknown_place(text, &["device", "other"]), None);
    }

    #[test]
    fn spans_are_read_and_told() {
        for (text, words) in [
            ("90s", "90 seconds"),
            ("60m", "hour"),
            ("24h", "24 hours"),
            ("7d", "7 days"),
        ] {
            assert_eq!(in_words(span(text).unwrap()), words);
        }
        for text in ["", "h", "0h", "1w", "-1h", "99999999999999999d"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
