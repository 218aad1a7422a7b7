//! Shell patterns for one file name: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`, and `\` before a literal character.
//!
//! It matches text; walking folders is the job of [`HostRoot::glob`](crate::HostRoot::glob).

/// A compiled pattern for one component of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePattern {
    tokens: Vec<Token>,
    /// As in a shell, a leading dot is only matched by a dot.
    matches_hidden: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    AnyMany,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Whether `text` contains an unescaped character that makes it a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    NamePattern::new(text)
        .tokens
        .iter()
        .any(|token| !matches!(token, Token::Literal(_)))
}

impl NamePattern {
    pub(crate) fn new(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = pattern.chars();
        while let Some(character) = rest.next() {
            tokens.push(match character {
                '*' => Token::AnyMany,
                '?' => Token::AnyOne,
                '\\' => Token::Literal(rest.next().unwrap_or('\\')),
                '[' => match class(rest.as_str()) {
                    Some((token, after)) => {
                        rest = after.chars();
                        token
                    }
                    // An unclosed bracket is itself, as in a shell.
                    None => Token::Literal('['),
                },
                other => Token::Literal(other),
            });
        }
        let matches_hidden = tokens.first() == Some(&Token::Literal('.'));
        Self { tokens, matches_hidden }
    }

    /// The name that a pattern without wildcards stands for.
    pub(crate) fn literal(&self) -> Option<String> {
        let characters = self.tokens.iter().map(|token| match token {
            Token::Literal(character) => Some(*character),
            _ => None,
        });
        characters.collect()
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        if name.starts_with('.') && !self.matches_hidden {
            return false;
        }
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        // The last `*` seen and where the name stood then: enough to go back to, and never exponential.
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.tokens.get(token) {
                Some(Token::AnyMany) => {
                    star = Some((token, at));
                    token += 1;
                }
                Some(one) if one.takes(name[at]) => {
                    token += 1;
                    at += 1;
                }
                _ => match star {
                    Some((star_token, star_at)) => {
                        star = Some((star_token, star_at + 1));
                        token = star_token + 1;
                        at = star_at + 1;
                    }
                    None => return false,
                },
            }
        }
        self.tokens.iter().skip(token).all(|token| *token == Token::AnyMany)
    }
}

impl Token {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::AnyOne => true,
            Self::AnyMany => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        }
    }
}

/// The class that begins after a `[`, and the text after its `]`.
fn class(text: &str) -> Option<(Token, &str)> {
    let mut rest = text.chars();
    let negated = text.starts_with(['!', '^']);
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next()? {
            // A bracket in the first place belongs to the class.
            ']' if !ranges.is_empty() => return Some((Token::Class { negated, ranges }, rest.as_str())),
            '\\' => rest.next()?,
            other => other,
        };
        let mut ahead = rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                ranges.push((low, high));
                rest = ahead;
            }
            _ => ranges.push((low, low)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::literal("syslog", "syslog", true)]
    #[case::literal_longer("syslog", "syslog.1", false)]
    #[case::star("*.log", "a.log", true)]
    #[case::star_empty("*.log", ".log", false)]
    #[case::star_middle("kern*log*", "kern.log.1.gz", true)]
    #[case::star_backtracks("*a*b", "aXbaYb", true)]
    #[case::star_fails("*a*b", "aXbaYbc", false)]
    #[case::question("?.log", "é.log", true)]
    #[case::question_needs_one("?.log", ".log", false)]
    #[case::class("syslog.[0-9]", "syslog.7", true)]
    #[case::class_miss("syslog.[0-9]", "syslog.x", false)]
    #[case::negated("[!a]b", "cb", true)]
    #[case::negated_caret("[^a]b", "ab", false)]
    #[case::bracket_first("[]a]", "]", true)]
    #[case::dash_last("[a-]", "-", true)]
    #[case::unclosed("[a", "[a", true)]
    #[case::escaped("\\*", "*", true)]
    #[case::escaped_miss("\\*", "x", false)]
    #[case::hidden("*", ".secret", false)]
    #[case::hidden_asked(".*", ".secret", true)]
    #[case::hidden_class("[.]x", ".x", false)]
    #[case::empty("", "", true)]
    fn table(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(NamePattern::new(pattern).matches(name), expected);
    }

    #[rstest]
    #[case::plain("cloud-init.log", false)]
    #[case::star("*", true)]
    #[case::escaped("a\\*b", false)]
    #[case::unclosed("a[b", false)]
    #[case::class("a[b]", true)]
    fn patterns_are_told_from_names(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_pattern(text), expected);
    }

    proptest! {
        #[test]
        fn an_escaped_name_matches_itself_alone(name in "\\PC{1,12}", other in "\\PC{0,12}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            let pattern = NamePattern::new(&escaped);
            prop_assert_eq!(pattern.literal(), Some(name.clone()));
            prop_assert!(pattern.matches(&name));
            prop_assert_eq!(pattern.matches(&other), name == other);
        }

        #[test]
        fn any_pattern_ends(pattern in "[ab*?\\[\\]!^\\\\-]{0,24}", name in "[ab]{0,40}") {
            NamePattern::new(&pattern).matches(&name);
        }
    }
}
