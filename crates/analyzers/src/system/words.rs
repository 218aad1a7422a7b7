//! Amounts in the words of a sentence.

use jiff::SignedDuration;
pub(super) use periscope_documents::bytes_in_words as bytes;

/// How much of `whole` a part is, in hundredths of a percent; nothing without a whole.
pub(super) fn basis_points(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(10_000).checked_div(whole)
}

/// A share in percent, rounded down: a disk with a byte left is not 100 % full.
pub(super) fn percent(part: u64, whole: u64) -> String {
    format!("{} %", basis_points(part, whole).unwrap_or(0) / 100)
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `once`, `2 times`.
pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// `45 s`, `12 min`, `3 h`: rounded down, never negative.
pub(super) fn time(time: SignedDuration) -> String {
    match time.as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// `container app of pod default/app-0`, as far as it is known.
pub(super) fn owner(pod: Option<&str>, container: Option<&str>) -> Option<String> {
    let pod = pod?;
    Some(match container {
        Some(container) => format!("container {container} of pod {pod}"),
        None => format!("pod {pod}"),
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{bytes, list, owner, percent, time, times};

    #[test]
    fn amounts_are_told_in_words() {
        assert_eq!(bytes(536_870_912), "512.0 MiB");
        assert_eq!(percent(9_999, 10_000), "99 %");
        assert_eq!(percent(1, 0), "0 %");
        let words = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(
            [list(&words[..1]), list(&words[..2]), list(&words)],
            ["a", "a and b", "a, b and c"]
        );
        assert_eq!([times(1), times(2)], ["once", "2 times"]);
        assert_eq!(time(SignedDuration::from_mins(3)), "3 min");
        assert_eq!(owner(Some("a/b"), Some("c")).as_deref(), Some("container c of pod a/b"));
        assert_eq!(owner(None, None), None);
    }
}
