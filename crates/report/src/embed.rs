//! Data for the page's scripts, as JSON inside a `script` element. The scripts read it as data and show it as text
//! only.

use serde::Serialize;

/// JSON that cannot end the `script` element in which it stands, nor be anything but JSON there.
#[derive(Debug)]
pub(crate) struct ScriptJson(String);

impl ScriptJson {
    /// Writes a value. `None` when it cannot be JSON.
    pub(crate) fn of(value: &impl Serialize) -> Option<Self> {
        let json = serde_json::to_string(value).ok()?;
        let mut escaped = String::with_capacity(json.len() + json.len() / 64);
        for c in json.chars() {
            match c {
                // Within JSON these stand in strings only, where the escape means the same. HTML: section "Restrictions
                // for contents of script elements".
                '<' => escaped.push_str("\\u003c"),
                '>' => escaped.push_str("\\u003e"),
                '&' => escaped.push_str("\\u0026"),
                _ => escaped.push(c),
            }
        }
        Some(Self(escaped))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ScriptJson;

    #[test]
    fn a_script_cannot_be_ended() {
        let json = ScriptJson::of(&["</script><!--<script>", "]]>&"]).unwrap();
        assert_eq!(
            json.as_str(),
            r#"["\u003c/script\u003e\u003c!--\u003cscript\u003e","]]\u003e\u0026"]"#
        );
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(texts in prop::collection::vec(".*", 0..5)) {
            let json = ScriptJson::of(&texts).unwrap();
            prop_assert!(!json.as_str().contains(['<', '>', '&']));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(json.as_str()).unwrap(), texts);
        }
    }
}
