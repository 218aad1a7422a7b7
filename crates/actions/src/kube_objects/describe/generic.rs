//! The description of an object whose kind has no renderer of its own: its fields under their own names, nested as they
//! are.

use serde_json::Value;

use super::{
    fields::{scalar, text},
    object::{head, metadata},
    page::Page,
};

/// Characters of one value that are shown; the raw object has the rest.
const MAX_VALUE: usize = 2_000;

/// The description without events.
pub(super) fn page(object: &Value) -> Page {
    let mut page = Page::default();
    head(&mut page, object);
    metadata(&mut page, object);
    page.field("API Version", text(object, "/apiVersion"));
    page.field("Kind", text(object, "/kind"));
    page.field("Created", text(object, "/metadata/creationTimestamp"));
    page.field("Deleted", text(object, "/metadata/deletionTimestamp"));
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            add(&mut page, name, value);
        }
    }
    page
}

/// Adds a value of any shape.
pub(super) fn add(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut section = Page::default();
            for (name, value) in fields {
                add(&mut section, name, value);
            }
            page.section(name, section);
        }
        Value::Array(elements) if elements.iter().any(|element| scalar(element).is_none()) => {
            let mut section = Page::default();
            for (index, element) in elements.iter().enumerate() {
                let own = ["name", "type", "key"]
                    .iter()
                    .find_map(|field| element.get(field)?.as_str());
                add(&mut section, own.unwrap_or(&index.to_string()), element);
            }
            page.section(name, section);
        }
        Value::Array(elements) => {
            page.list_if_any(
                name,
                elements.iter().filter_map(scalar).map(|text| short(&text)).collect(),
            );
        }
        _ => page.field(name, scalar(value).map(|text| short(&text))),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_values_are_cut_and_say_so() {
        let text = page(&json!({"data": {"long": "é".repeat(MAX_VALUE + 5), "short": "é".repeat(MAX_VALUE)}})).render();
        assert!(text.contains(&format!("{}… (4010 bytes)\n", "é".repeat(MAX_VALUE))));
        assert!(text.contains(&format!("short:  {}\n", "é".repeat(MAX_VALUE))));
    }
}
