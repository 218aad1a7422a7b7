//! JSON arrays with one element per line: as readable as any JSON, and a finding can cite an element by its line.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The array as text. The first element is on line 2.
///
/// # Errors
/// When an element cannot be written as JSON.
pub fn to_lines<T: Serialize>(elements: &[T]) -> serde_json::Result<Vec<u8>> {
    let mut text = b"[\n".to_vec();
    for (n, element) in elements.iter().enumerate() {
        serde_json::to_writer(&mut text, element)?;
        text.extend_from_slice(if n + 1 < elements.len() { b",\n" } else { b"\n" });
    }
    text.extend_from_slice(b"]\n");
    Ok(text)
}

/// The elements of an array written by [`to_lines`], each with its line, counted from 1.
///
/// # Errors
/// When a line is not such an element, or the array is not closed.
pub fn from_lines<T: DeserializeOwned>(text: &str) -> Result<Vec<(u64, T)>, String> {
    let mut elements = Vec::new();
    let mut closed = false;
    for (number, line) in (1..).zip(text.lines()) {
        match line {
            "[" if number == 1 => {}
            "]" if number > 1 => closed = true,
            _ if number == 1 || closed => return Err(format!("line {number} does not belong to a JSON array")),
            _ => {
                let element = line.strip_suffix(',').unwrap_or(line);
                let element = serde_json::from_str(element).map_err(|error| format!("line {number}: {error}"))?;
                elements.push((number, element));
            }
        }
    }
    if closed {
        Ok(elements)
    } else {
        Err("the JSON array is not closed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{from_lines, to_lines};

    proptest! {
        #[test]
        fn what_is_written_is_json_and_is_read_back(elements in prop::collection::vec(".*", 0..5)) {
            let text = String::from_utf8(to_lines(&elements).unwrap()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Vec<String>>(&text).unwrap(), &elements);
            let read = from_lines::<String>(&text).unwrap();
            prop_assert!(read.iter().map(|(line, _)| *line).eq(2..2 + elements.len() as u64));
            prop_assert!(read.into_iter().map(|(_, element)| element).eq(elements));
        }
    }

    #[rstest]
    #[case::empty("", "not closed")]
    #[case::cut("[\n1,\n", "not closed")]
    #[case::cut_in_an_element("[\n1,\n{\"a\"", "line 3: ")]
    #[case::on_one_line("[1]", "line 1 does not")]
    #[case::more("[\n]\n1", "line 3 does not")]
    fn what_is_not_whole_is_refused(#[case] text: &str, #[case] expected: &str) {
        let error = from_lines::<serde_json::Value>(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
