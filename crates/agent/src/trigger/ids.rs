//! Which run ids are new, and which are none at all.

use std::collections::VecDeque;

use periscope_core::RunId;

/// Ids that are remembered as seen. There may be older ones only in a file that is months behind.
const MAX_SEEN: usize = 1024;
/// Refused values that are remembered, so that each is named once.
const MAX_REFUSED: usize = 16;

/// The ids that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Ids {
    seen: VecDeque<RunId>,
    refused: VecDeque<String>,
}

impl Ids {
    /// The id, if it is one and was not seen before. Says once of each value that it is none.
    pub(super) fn admit(&mut self, text: &str) -> Option<RunId> {
        match text.parse::<RunId>() {
            Ok(id) if self.seen.contains(&id) => None,
            Ok(id) => {
                keep(&mut self.seen, id.clone(), MAX_SEEN);
                Some(id)
            }
            Err(error) => {
                // What the error shows of it is bounded, and so is what is kept.
                let line = error.to_string();
                if !self.refused.contains(&line) {
                    tracing::warn!("No run is made: {line}.");
                    keep(&mut self.refused, line, MAX_REFUSED);
                }
                None
            }
        }
    }

    /// The id, if it was seen before.
    pub(super) fn known(&self, text: &str) -> Option<RunId> {
        self.seen.iter().find(|id| id.as_str() == text).cloned()
    }
}

fn keep<T>(queue: &mut VecDeque<T>, value: T, max: usize) {
    if queue.len() == max {
        queue.pop_front();
    }
    queue.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn an_id_is_new_once() {
        let mut ids = Ids::default();
        assert_eq!(ids.admit("a").unwrap().as_str(), "a");
        assert!(ids.admit("b").is_some());
        assert!(ids.admit("a").is_none());
        assert!(ids.admit("../b").is_none());
        assert!(ids.admit("../b").is_none());
        assert_eq!(ids.refused.len(), 1);
        assert!(ids.refused[0].contains(r#""../b""#));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ids = Ids::default();
        for number in 0..3000 {
            assert!(ids.admit(&number.to_string()).is_some());
            assert!(ids.admit(&format!("/{number}")).is_none());
        }
        assert_eq!(
            (ids.seen.len(), ids.refused.len()),
            (super::MAX_SEEN, super::MAX_REFUSED)
        );
        assert!(ids.admit("2999").is_none());
    }
}
