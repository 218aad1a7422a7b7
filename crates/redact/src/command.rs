//! Passwords behind the short flags of programs that are known to take them there: `curl -u`, `mysql -p`, `sshpass -p`.
//! Flags whose name says that they are secret, as `--password`, are found by [`crate::plain`].

use std::ops::Range;

use crate::class::{self, NAME, QUOTE, SPACE};
use crate::found::{Found, Stop, View};
use crate::marker;
use crate::plain::is_placeholder;
use crate::rules::RuleId;
use crate::value::{self, Tie};

/// How far behind its program a flag is looked for, in bytes: few command lines in logs are longer.
const MAX_COMMAND: usize = 4 << 10;

/// Flags of curl that take no value, so that `u` may stand behind them in one word (`curl --help all`).
const CURL_SWITCHES: &[u8] = b"#0123456789afgGiIjklLnNpqsSvZ";

/// The clients that take a password behind `-p`.
const CLIENTS: &[&str] = &[
    "mysql",
    "mysqladmin",
    "mysqlcheck",
    "mysqldump",
    "mysqlimport",
    "mysqlshow",
    "mariadb",
    "mariadb-admin",
    "mariadb-check",
    "mariadb-dump",
    "mariadb-import",
    "mariadb-show",
];

/// How these names begin, for the search.
pub(crate) const LITERALS: [&str; 4] = ["curl", "mysql", "mariadb", "sshpass"];

/// A program that takes a password behind a short flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Curl,
    Client,
    Sshpass,
}

/// Where the password of a flag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the same word, from this byte on.
    Attached(usize),
    /// In the next word.
    Next,
}

impl Program {
    /// The program that a word of a command line names, with or without its folder.
    pub(crate) fn of(word: &[u8]) -> Option<Self> {
        let name = word.rsplit(|&b| b == b'/').next().unwrap_or(word);
        match name {
            b"curl" => Some(Self::Curl),
            b"sshpass" => Some(Self::Sshpass),
            _ => CLIENTS
                .iter()
                .any(|known| name == known.as_bytes())
                .then_some(Self::Client),
        }
    }

    /// Where the password of a flag is, if the flag has one.
    pub(crate) fn password(self, flag: &[u8]) -> Option<Place> {
        let letters = flag.strip_prefix(b"-")?;
        match self {
            Self::Curl if matches!(letters, b"-user" | b"-proxy-user") => Some(Place::Next),
            Self::Curl => {
                let at = letters.iter().position(|b| !CURL_SWITCHES.contains(b))?;
                matches!(letters[at], b'u' | b'U').then(|| attached(flag, at + 2))
            }
            // Without a password in the same word the clients ask for it.
            Self::Client => (letters.first() == Some(&b'p') && letters.len() > 1).then_some(Place::Attached(2)),
            Self::Sshpass => (letters.first() == Some(&b'p')).then(|| attached(flag, 2)),
        }
    }

    /// The password in the value of a flag; the user before it stays.
    pub(crate) fn secret_in(self, value: &[u8]) -> Option<Range<usize>> {
        let start = match self {
            Self::Curl => value.iter().position(|&b| b == b':')? + 1,
            Self::Client | Self::Sshpass => 0,
        };
        let secret = value.get(start..)?;
        let hidden = secret.is_empty() || value.starts_with(b"<") || is_placeholder(value) || is_placeholder(secret);
        (!hidden && !marker::begins(value, start)).then_some(start..value.len())
    }
}

fn attached(flag: &[u8], from: usize) -> Place {
    if from < flag.len() {
        Place::Attached(from)
    } else {
        Place::Next
    }
}

/// All passwords in the command line of the program whose name begins at `at`. Each flag is judged by itself, so that a
/// second pass, which sees markers in the place of some, comes to the same.
pub(crate) fn passwords(view: View<'_>, at: &Range<usize>) -> Vec<Found> {
    let text = view.text;
    let end = class::run(text, at.start, NAME);
    let joined = at.start > 0 && class::is(text[at.start - 1], NAME);
    let ends = text.get(end).is_some_and(|&b| ends_word(b));
    let Some(program) = Program::of(&text[at.start..end]).filter(|_| !joined && ends) else {
        return Vec::new();
    };
    let limit = text.len().min(end + MAX_COMMAND);
    memchr::memchr_iter(b'-', &text[end..limit])
        .map(|dash| end + dash)
        .filter(|&dash| class::is(text[dash - 1], SPACE | QUOTE))
        // What sshpass runs has flags of its own.
        .take_while(|&dash| program != Program::Sshpass || only_flags(&text[end..dash]))
        .filter_map(|dash| password(text, program, dash))
        .collect()
}

/// White space, a quote, or the backslash of one.
fn ends_word(byte: u8) -> bool {
    class::is(byte, SPACE | QUOTE) || byte == b'\\'
}

fn only_flags(words: &[u8]) -> bool {
    words
        .split(|&b| ends_word(b) || b == b',')
        .all(|word| word.is_empty() || word.starts_with(b"-"))
}

/// The password of the flag at `dash`.
fn password(text: &[u8], program: Program, dash: usize) -> Option<Found> {
    let flag = dash..class::run(text, dash, NAME);
    let (range, stop) = match program.password(&text[flag.clone()]) {
        Some(Place::Attached(from)) => bare(text, dash + from),
        Some(Place::Next) => {
            let in_word = text.get(flag.end).is_some_and(|&b| !ends_word(b));
            match value::after(text, &flag) {
                Some(value) if matches!(value.tie, Tie::Argument | Tie::Equals) => (value.range, value.stop),
                None if in_word && program == Program::Sshpass => bare(text, flag.end),
                _ => return None,
            }
        }
        // A password that begins with a symbol or in quotes.
        None if program == Program::Client && &text[flag.clone()] == b"-p" => symbols(text, flag.end)?,
        None => return None,
    };
    let secret = program.secret_in(text.get(range.clone())?)?;
    let range = range.start + secret.start..range.start + secret.end;
    Some(Found::new(RuleId::CommandPassword, range, stop))
}

fn bare(text: &[u8], start: usize) -> (Range<usize>, Stop) {
    (start..value::bare_end(text, start), Stop::Word)
}

/// The rest of a word that goes on with a symbol or a string in single quotes.
fn symbols(text: &[u8], at: usize) -> Option<(Range<usize>, Stop)> {
    match value::quote_at(text, at) {
        Some((b'\'', 0, start)) if text.get(at.wrapping_sub(3)) != Some(&b'\'') => {
            let end = value::closing_quote(text, start, b'\'', 0);
            Some((start..end, Stop::Quote(b'\'', 0)))
        }
        Some(_) => None,
        None => Some(bare(text, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("curl", "-u", Some(Place::Next))]
    #[case("/usr/bin/curl", "-sSu", Some(Place::Next))]
    #[case("curl", "-uuser:pw", Some(Place::Attached(2)))]
    #[case("curl", "--proxy-user", Some(Place::Next))]
    #[case("curl", "-o", None)]
    #[case("curl", "-oub", None)]
    #[case("mysql", "-p", None)]
    #[case("mysqldump", "-phunter2", Some(Place::Attached(2)))]
    #[case("mysql", "-P3306", None)]
    #[case("sshpass", "-p", Some(Place::Next))]
    #[case("sshpass", "-e", None)]
    fn flags_are_known(#[case] program: &str, #[case] flag: &str, #[case] place: Option<Place>) {
        let program = Program::of(program.as_bytes()).unwrap();
        assert_eq!(program.password(flag.as_bytes()), place);
    }

    #[rstest]
    #[case("curly")]
    #[case("mysqld")]
    #[case("mysql-0")]
    fn other_programs_are_not(#[case] program: &str) {
        assert_eq!(Program::of(program.as_bytes()), None);
    }
}
