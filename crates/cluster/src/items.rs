//! Cuts the JSON text of a Kubernetes list into its objects while it arrives.
//!
//! It holds one object at a time and does not validate JSON: what it cuts out is parsed by the caller.

use thiserror::Error;

/// The text is not a JSON object with an `items` array, or one value is larger than the bound.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum SplitError {
    #[error("the answer is not a JSON list: unexpected byte {byte:#04x} at offset {offset}")]
    Unexpected { byte: u8, offset: u64 },
    #[error("an object of the list is larger than {limit} bytes")]
    TooLarge { limit: usize },
}

/// A piece of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The text of one element of `items`.
    Item(Vec<u8>),
    /// The text of the list's own `metadata`.
    Metadata(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the opening brace.
    Start,
    /// Between the fields of the outer object.
    Field,
    /// Inside the name of a field; its text is gathered.
    Name { escaped: bool },
    /// Between a field's name and its value.
    Colon,
    /// Before the value of `items`.
    Items,
    /// Between the elements of `items`.
    Element,
    /// Inside a value.
    Value(Value),
    /// After the closing brace.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    role: Role,
    /// Braces and brackets that are open.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Item,
    Metadata,
    Skipped,
}

/// The splitter; feed it the chunks of a body in order.
#[derive(Debug)]
pub(crate) struct ItemSplitter {
    state: State,
    gathered: Vec<u8>,
    offset: u64,
    limit: usize,
}

impl ItemSplitter {
    /// A splitter that refuses a single value of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: State::Start,
            gathered: Vec::new(),
            offset: 0,
            limit,
        }
    }

    /// Whether the outer object has been closed.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Consumes bytes up to the end of the next piece, or all of them. Returns how many, and the piece.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<(usize, Option<Piece>), SplitError> {
        let mut used = 0;
        while let Some(&byte) = chunk.get(used) {
            let (consumed, piece) = self.step(byte)?;
            if consumed {
                used += 1;
                self.offset += 1;
            }
            if piece.is_some() {
                return Ok((used, piece));
            }
        }
        Ok((used, None))
    }

    /// Takes one byte; `false` means that the state changed and wants to see the same byte again.
    fn step(&mut self, byte: u8) -> Result<(bool, Option<Piece>), SplitError> {
        let white = byte.is_ascii_whitespace();
        self.state = match (self.state, byte) {
            (State::Value(value), _) => return self.value(value, byte),
            (State::Name { escaped }, _) => return self.name(escaped, byte),
            (state, _) if white => state,
            (State::Start, b'{') | (State::Field, b',') | (State::Element, b']') => State::Field,
            (State::Field, b'"') => State::Name { escaped: false },
            (State::Field, b'}') => State::Done,
            (State::Colon, b':') => match self.gathered.as_slice() {
                b"items" => State::Items,
                b"metadata" => self.begin(Role::Metadata),
                _ => self.begin(Role::Skipped),
            },
            (State::Items, b'[') | (State::Element, b',') => State::Element,
            // A list without objects may say `"items": null`.
            (State::Items, b'n') => {
                self.state = self.begin(Role::Skipped);
                return Ok((false, None));
            }
            (State::Element, _) => {
                self.state = self.begin(Role::Item);
                return Ok((false, None));
            }
            _ => {
                return Err(SplitError::Unexpected {
                    byte,
                    offset: self.offset,
                });
            }
        };
        Ok((true, None))
    }

    fn begin(&mut self, role: Role) -> State {
        self.gathered.clear();
        State::Value(Value {
            role,
            depth: 0,
            in_string: false,
            escaped: false,
        })
    }

    fn name(&mut self, escaped: bool, byte: u8) -> Result<(bool, Option<Piece>), SplitError> {
        self.state = match byte {
            b'"' if !escaped => State::Colon,
            _ => {
                self.gather(byte)?;
                State::Name {
                    escaped: byte == b'\\' && !escaped,
                }
            }
        };
        Ok((true, None))
    }

    fn value(&mut self, mut value: Value, byte: u8) -> Result<(bool, Option<Piece>), SplitError> {
        let mut ended = false;
        if value.in_string {
            if value.escaped {
                value.escaped = false;
            } else if byte == b'\\' {
                value.escaped = true;
            } else if byte == b'"' {
                value.in_string = false;
                ended = value.depth == 0;
            }
        } else {
            match byte {
                // A number or a word has no end mark of its own: what follows it belongs to the container.
                b',' | b']' | b'}' if value.depth == 0 => {
                    if self.gathered.is_empty() && value.role != Role::Skipped {
                        return Err(SplitError::Unexpected {
                            byte,
                            offset: self.offset,
                        });
                    }
                    return Ok((false, self.finish(value.role)));
                }
                b'"' => value.in_string = true,
                b'{' | b'[' => value.depth += 1,
                b'}' | b']' => {
                    value.depth -= 1;
                    ended = value.depth == 0;
                }
                _ => {}
            }
        }
        if value.role != Role::Skipped && !(self.gathered.is_empty() && byte.is_ascii_whitespace()) {
            self.gather(byte)?;
        }
        if ended {
            return Ok((true, self.finish(value.role)));
        }
        self.state = State::Value(value);
        Ok((true, None))
    }

    fn gather(&mut self, byte: u8) -> Result<(), SplitError> {
        if self.gathered.len() == self.limit {
            return Err(SplitError::TooLarge { limit: self.limit });
        }
        self.gathered.push(byte);
        Ok(())
    }

    fn finish(&mut self, role: Role) -> Option<Piece> {
        self.state = if role == Role::Item {
            State::Element
        } else {
            State::Field
        };
        let text = std::mem::take(&mut self.gathered);
        match role {
            Role::Item => Some(Piece::Item(text)),
            Role::Metadata => Some(Piece::Metadata(text)),
            Role::Skipped => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const LIMIT: usize = 10_000;

    fn split(chunks: &[&[u8]]) -> Result<(Vec<Value>, Value, bool), SplitError> {
        let mut splitter = ItemSplitter::new(LIMIT);
        let (mut items, mut metadata) = (Vec::new(), Value::Null);
        for chunk in chunks {
            let mut rest = *chunk;
            while !rest.is_empty() {
                let (used, piece) = splitter.feed(rest)?;
                rest = &rest[used..];
                match piece {
                    Some(Piece::Item(text)) => items.push(serde_json::from_slice(&text).unwrap()),
                    Some(Piece::Metadata(text)) => metadata = serde_json::from_slice(&text).unwrap(),
                    None => {}
                }
            }
        }
        Ok((items, metadata, splitter.is_done()))
    }

    #[rstest]
    #[case::empty(r#"{"items":[]}"#, json!([]), json!(null))]
    #[case::null_items(r#"{"items":null,"kind":"List"}"#, json!([]), json!(null))]
    #[case::metadata_last(r#"{"items":[{"a":1}],"metadata":{"continue":"c"}}"#, json!([{"a": 1}]), json!({"continue": "c"}))]
    #[case::metadata_first(r#"{"metadata":{"continue":"c"},"items":[{"a":1},{"b":[{}]}]}"#, json!([{"a": 1}, {"b": [{}]}]), json!({"continue": "c"}))]
    #[case::brackets_in_strings(r#"{"items":[{"a":"]}\"\\"},{"b":"{["}]}"#, json!([{"a": "]}\"\\"}, {"b": "{["}]), json!(null))]
    #[case::inner_items(r#"{"x":{"items":[1]},"items":[{"items":[2]}]}"#, json!([{"items": [2]}]), json!(null))]
    #[case::scalars("{ \"items\" : [ 1 , \"x\" , null ] }\n", json!([1, "x", null]), json!(null))]
    fn lists_are_cut(#[case] text: &str, #[case] items: Value, #[case] metadata: Value) {
        let (found, list_metadata, done) = split(&[text.as_bytes()]).unwrap();
        assert_eq!(Value::Array(found), items);
        assert_eq!(list_metadata, metadata);
        assert!(done);
    }

    #[rstest]
    #[case::array("[1]")]
    #[case::page("<html>")]
    #[case::items_as_object(r#"{"items":{"a":1}}"#)]
    #[case::no_value(r#"{"metadata":}"#)]
    #[case::trailing(r#"{"items":[]}{"#)]
    fn what_is_no_list_is_refused(#[case] text: &str) {
        assert!(matches!(split(&[text.as_bytes()]), Err(SplitError::Unexpected { .. })));
    }

    #[test]
    fn an_object_over_the_limit_is_refused() {
        let text = json!({"items": [{"a": "x".repeat(LIMIT)}]}).to_string();
        assert_eq!(split(&[text.as_bytes()]), Err(SplitError::TooLarge { limit: LIMIT }));
    }

    #[test]
    fn a_cut_text_is_not_done() {
        let (items, _, done) = split(&[br#"{"items":[{"a":1},{"b""#]).unwrap();
        assert_eq!((items, done), (vec![json!({"a": 1})], false));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[\\[\\]{}\",:\\\\a-c \n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c\"\\\\]{0,3}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_items(items in prop::collection::vec(value(), 0..6), pretty in any::<bool>(), size in 1usize..40) {
            let list = json!({"kind": "PodList", "metadata": {"continue": ""}, "items": items});
            let text = if pretty { serde_json::to_string_pretty(&list).unwrap() } else { list.to_string() };
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let (found, metadata, done) = split(&chunks).unwrap();
            prop_assert_eq!(found, items);
            prop_assert_eq!(metadata, json!({"continue": ""}));
            prop_assert!(done);
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut splitter = ItemSplitter::new(50);
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let Ok((used, _)) = splitter.feed(rest) else { break };
                rest = &rest[used..];
            }
        }
    }
}
