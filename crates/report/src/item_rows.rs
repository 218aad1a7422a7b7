//! Packs the items into few bytes for the page's scripts. When there are too many, what is missing or cut is kept
//! before what is in order, and what is in order before what the node does not have.

use std::collections::HashMap;

use periscope_core::{ItemRecord, State};
use serde::Serialize;

use crate::bounds::{ITEMS_BYTES, NAME_CHARS, REASON_CHARS};
use crate::clean::clean_line;
use crate::embed::ScriptJson;

/// Bytes of a row beside its texts: five numbers and their commas.
const ROW_BYTES: usize = 32;

/// What the scripts get; `page/items.js` reads it.
#[derive(Debug, Default, Serialize)]
struct Rows {
    actions: Vec<String>,
    states: Vec<&'static str>,
    /// The folders of the items' paths.
    folders: Vec<String>,
    reasons: Vec<String>,
    /// The last names of the items' paths.
    names: Vec<String>,
    /// Of each item: action, state, folder, bytes and 1 (0 when it is not in the archive), reason and 1 (0 without
    /// one).
    cells: Vec<u64>,
}

/// The items as the page holds them.
#[derive(Debug)]
pub(crate) struct Packed {
    /// For the scripts.
    pub(crate) json: Option<ScriptJson>,
    /// For each item whether it is in there.
    pub(crate) is_shown: Vec<bool>,
}

/// Packs the items, in their order.
pub(crate) fn pack(items: &[ItemRecord]) -> Packed {
    let is_shown = choose(items);
    let mut rows = Rows {
        states: State::ALL.iter().map(|state| state.as_str()).collect(),
        ..Rows::default()
    };
    let (mut actions, mut folders, mut reasons) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (item, _) in items.iter().zip(&is_shown).filter(|(_, is_shown)| **is_shown) {
        let (folder, name) = split(item);
        let action = number(&mut actions, &mut rows.actions, &item.action, |text| {
            clean_line(text, NAME_CHARS)
        });
        let state = State::ALL.iter().position(|state| *state == item.state).unwrap_or(0) as u64;
        // A path is a link: it stays as it is. Scripts show it as text.
        let folder = number(&mut folders, &mut rows.folders, folder, str::to_owned);
        let bytes = if item.is_in_archive() { item.stored_bytes + 1 } else { 0 };
        let reason = item.reason.as_deref().map_or(0, |reason| {
            1 + number(&mut reasons, &mut rows.reasons, reason, |text| {
                clean_line(text, REASON_CHARS)
            })
        });
        rows.names.push(name.to_owned());
        rows.cells.extend([action, state, folder, bytes, reason]);
    }
    Packed {
        json: ScriptJson::of(&rows),
        is_shown,
    }
}

/// Which items fit in.
fn choose(items: &[ItemRecord]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&at| items.get(at).map(|item| rank(item.state)));
    let mut is_shown = vec![false; items.len()];
    let mut met = std::collections::HashSet::new();
    let mut bytes = 1024;
    for at in order {
        let Some(item) = items.get(at) else { continue };
        let (folder, name) = split(item);
        bytes += ROW_BYTES + written(name);
        for text in [item.action.as_str(), folder, item.reason.as_deref().unwrap_or_default()] {
            if met.insert(text) {
                bytes += written(text);
            }
        }
        if bytes > ITEMS_BYTES {
            break;
        }
        if let Some(is_shown) = is_shown.get_mut(at) {
            *is_shown = true;
        }
    }
    is_shown
}

fn rank(state: State) -> u8 {
    match state {
        State::Collected => 1,
        State::NotPresent | State::NotApplicable => 2,
        _ => 0,
    }
}

/// Most bytes of a text as JSON in a script.
fn written(text: &str) -> usize {
    let of_char = |c: char| match c {
        '<' | '>' | '&' => 6,
        '"' | '\\' => 2,
        // Made visible with up to three bytes, or by a number with a backslash that is escaped.
        c if c.is_ascii() && !c.is_control() => 1,
        c if c.is_control() => 9,
        c => c.len_utf8().max(10),
    };
    3 + text.chars().map(of_char).sum::<usize>()
}

fn split(item: &ItemRecord) -> (&str, &str) {
    item.path.as_str().rsplit_once('/').unwrap_or(("", item.path.as_str()))
}

fn number<'a>(
    numbers: &mut HashMap<&'a str, u64>,
    texts: &mut Vec<String>,
    text: &'a str,
    shown: impl FnOnce(&str) -> String,
) -> u64 {
    *numbers.entry(text).or_insert_with(|| {
        texts.push(shown(text));
        texts.len() as u64 - 1
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use periscope_core::{ItemRecord, State};

    use super::pack;
    use crate::bounds::ITEMS_BYTES;

    fn item(path: &str, state: State) -> ItemRecord {
        ItemRecord {
            action: "logs".to_owned(),
            path: path.parse().unwrap(),
            state,
            reason: (state != State::Collected).then(|| "so".to_owned()),
            source: None,
            modified: None,
            raw_bytes: 9,
            stored_bytes: 9,
            compressed_bytes: 9,
            sha256: (state == State::Collected).then(|| "0".to_owned()),
            redactions: BTreeMap::new(),
            limit_by_user: false,
        }
    }

    #[test]
    fn items_are_packed_by_reference() {
        let items = [
            item("a/b/c", State::Collected),
            item("a/b/d", State::NotPresent),
            item("e", State::Collected),
        ];
        let packed = pack(&items);
        let json: serde_json::Value = serde_json::from_str(packed.json.unwrap().as_str()).unwrap();
        assert_eq!(json["folders"], serde_json::json!(["a/b", ""]));
        assert_eq!(json["names"], serde_json::json!(["c", "d", "e"]));
        assert_eq!(
            json["cells"],
            serde_json::json!([0, 0, 0, 10, 0, 0, 5, 0, 0, 1, 0, 0, 1, 10, 0])
        );
    }

    #[test]
    fn of_too_many_items_those_that_are_missing_are_kept() {
        // Most of them, and the worst that a name can be.
        let mut items: Vec<_> = (0..100_000)
            .map(|n| item(&format!("f{n}/{n}{}", "<\u{202e}\"".repeat(40)), State::Collected))
            .collect();
        items.extend((0..100).map(|n| item(&format!("x/{n}"), State::Denied)));
        let packed = pack(&items);
        let len = packed.json.unwrap().len();
        assert!(len <= ITEMS_BYTES && len > ITEMS_BYTES / 3, "{len}");
        assert!(packed.is_shown.iter().rev().take(100).all(|is_shown| *is_shown));
    }
}
