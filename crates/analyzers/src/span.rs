//! A length of time in the words of a sentence.

use jiff::{SignedDuration, Timestamp};

/// `45 s`, `12 min`, `3 h`, `5 d`: what a person says, rounded down; never negative.
pub(crate) fn words(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long before `now` something was.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> SignedDuration {
    now.duration_since(then)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::words;

    #[rstest]
    #[case(-5, "0 s")]
    #[case(119, "119 s")]
    #[case(120, "2 min")]
    #[case(7_199, "119 min")]
    #[case(7_200, "2 h")]
    #[case(172_800, "2 d")]
    fn times_are_told_in_words(#[case] seconds: i64, #[case] expected: &str) {
        assert_eq!(words(SignedDuration::from_secs(seconds)), expected);
    }
}
