//! Rules as they are written in files: read, checked, and tried on their own examples. What is wrong is said in one
//! line that names the file, the rule and what was expected.

use std::fmt;

use periscope_core::{Severity, Verdict};
use regex::bytes::RegexBuilder;
use serde::Deserialize;
use serde_json::Value;

use crate::rule::{Form, MAX_LINE, Rule};
use crate::source::Source;
use crate::template::{span, unknown_place};

/// Shortest literal: shorter ones are in too many lines.
const MIN_LITERAL: usize = 4;
/// Longest literal and longest text of any other kind.
const MAX_TEXT: usize = 2048;
/// Most literals of one rule.
const MAX_LITERALS: usize = 32;
/// Most memory of one compiled expression, and of its cache for each thread.
const REGEX_BYTES: usize = 256 * 1024;
/// The window where the rule names none.
const WINDOW: &str = "24h";

/// A file of rules.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// What it is called in messages.
    pub name: String,
    /// YAML: a list of rules.
    pub text: String,
}

/// What is wrong with a rule, or with a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The rule, where it is one of them.
    pub rule: Option<String>,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule}: ")?;
        }
        f.write_str(&self.what)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    fault: Option<String>,
    summary: String,
    sources: Vec<Source>,
    literals: Vec<String>,
    regex: Option<String>,
    #[serde(default)]
    not: Vec<String>,
    #[serde(default)]
    signal: bool,
    verdict: Option<Verdict>,
    severity: Option<Severity>,
    title: Option<String>,
    object: Option<String>,
    remedy: Option<String>,
    #[serde(default)]
    caused_by: Vec<String>,
    min: Option<u64>,
    window: Option<String>,
    group_by: Option<String>,
    fixtures: Fixtures,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    positive: Vec<String>,
    negative: Vec<String>,
}

impl RuleFile {
    /// The rules of the file that are in order, and what is wrong with the others.
    pub(crate) fn read(&self) -> (Vec<Rule>, Vec<Problem>) {
        let problem = |rule: Option<String>, what: String| Problem {
            file: self.name.clone(),
            rule,
            what: in_one_line(&what),
        };
        let list: Vec<Value> = match serde_saphyr::from_str(&self.text) {
            Ok(list) => list,
            Err(error) => {
                return (
                    Vec::new(),
                    vec![problem(None, format!("expected a list of rules: {error}"))],
                );
            }
        };
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        for (index, value) in list.into_iter().enumerate() {
            let id = value.get("id").and_then(Value::as_str);
            let name = id.map_or_else(|| format!("number {}", index + 1), str::to_owned);
            let written = serde_json::from_value::<Written>(value).map_err(|error| error.to_string());
            match written.and_then(|written| written.check(&self.name)) {
                Ok(rule) => rules.push(rule),
                Err(what) => problems.push(problem(Some(name), what)),
            }
        }
        (rules, problems)
    }
}

/// Parsers show the place in further lines.
fn in_one_line(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.unwrap_or_default().to_owned()
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Written {
    fn check(self, file: &str) -> Result<Rule, String> {
        ensure(is_kebab_case(&self.id), || {
            "expected an id of lower-case letters, digits and single hyphens".to_owned()
        })?;
        ensure(!self.sources.is_empty(), || "expected at least one source".to_owned())?;
        ensure((1..=MAX_LITERALS).contains(&self.literals.len()), || {
            format!("expected 1 to {MAX_LITERALS} literals, found {}", self.literals.len())
        })?;
        for (texts, min) in [(&self.literals, MIN_LITERAL), (&self.not, 1)] {
            for text in texts {
                ensure(!text.contains('\n') && (min..=MAX_TEXT).contains(&text.len()), || {
                    format!("expected literals of at least {min} bytes in one line, found {text:?}")
                })?;
            }
        }
        let regex = self.regex.as_deref().map(|regex| {
            RegexBuilder::new(regex)
                .unicode(false)
                .size_limit(REGEX_BYTES)
                .dfa_size_limit(REGEX_BYTES)
                .build()
                .map_err(|error| format!("expected a regular expression of bounded size: {}", last_line(&error)))
        });
        let window = self.window.as_deref().unwrap_or(WINDOW);
        let window =
            span(window).ok_or_else(|| format!("expected a window such as 30m, 24h or 7d, found {window:?}"))?;
        let finding = self.finding()?;
        let rule = Rule {
            id: self.id,
            file: file.to_owned(),
            summary: self.summary,
            sources: self.sources,
            literals: self.literals,
            window,
            group_by: self.group_by,
            finding,
            regex: regex.transpose()?,
            not: self.not,
        };
        check_places(&rule)?;
        try_on(&rule, &self.fixtures)?;
        Ok(rule)
    }

    fn finding(&self) -> Result<Option<Form>, String> {
        if self.signal {
            let says = self.fault.is_some()
                || self.verdict.is_some()
                || self.severity.is_some()
                || self.title.is_some()
                || self.object.is_some()
                || self.remedy.is_some()
                || self.min.is_some()
                || !self.caused_by.is_empty();
            ensure(!says, || {
                "a signal says nothing: expected no fault, verdict, severity, title, object, remedy, caused_by or min"
                    .to_owned()
            })?;
            return Ok(None);
        }
        let missing = |key: &str| format!("expected {key}, or signal: true");
        let verdict = self.verdict.ok_or_else(|| missing("a verdict"))?;
        ensure(matches!(verdict, Verdict::Fail | Verdict::Warn), || {
            format!("expected the verdict fail or warn, found {verdict}")
        })?;
        let fault = self.fault.as_ref().unwrap_or(&self.id);
        ensure(is_kebab_case(fault), || {
            format!("expected a fault of lower-case letters, digits and single hyphens, found {fault:?}")
        })?;
        let object = self.object.clone();
        let object = object.or_else(|| self.group_by.as_ref().map(|group| format!("{{{group}}}")));
        Ok(Some(Form {
            fault: fault.clone(),
            verdict,
            severity: self.severity.ok_or_else(|| missing("a severity"))?,
            title: self.title.clone().ok_or_else(|| missing("a title"))?,
            object: object.unwrap_or_default(),
            remedy: self.remedy.clone().ok_or_else(|| missing("a remedy"))?,
            caused_by: self.caused_by.clone(),
            min: self.min.unwrap_or(1).max(1),
        }))
    }
}

/// Every place in a sentence, and what lines are grouped by, is a group of the expression.
fn check_places(rule: &Rule) -> Result<(), String> {
    let groups = rule.groups();
    if let Some(group) = &rule.group_by {
        ensure(groups.contains(&group.as_str()), || {
            format!("expected group_by to name a group of the expression, found {group:?}")
        })?;
    }
    let templates = rule.finding.iter().flat_map(|form| [&form.title, &form.object]);
    for template in templates {
        if let Some(place) = unknown_place(template, &groups) {
            return Err(format!("expected {{{place}}} to be a group of the expression"));
        }
    }
    Ok(())
}

/// A rule that nobody showed to work, and to hold its tongue, is none.
fn try_on(rule: &Rule, fixtures: &Fixtures) -> Result<(), String> {
    ensure(!fixtures.positive.is_empty() && !fixtures.negative.is_empty(), || {
        "expected at least one positive and one negative fixture".to_owned()
    })?;
    for line in fixtures.positive.iter().chain(&fixtures.negative) {
        ensure(!line.contains('\n') && line.len() <= MAX_LINE, || {
            format!("expected fixtures of one line of at most {MAX_LINE} bytes, found {line:?}")
        })?;
    }
    for line in &fixtures.positive {
        ensure(rule.finds(line), || {
            format!("expected a hit in its positive fixture {line:?}")
        })?;
    }
    for line in &fixtures.negative {
        ensure(!rule.finds(line), || {
            format!("expected no hit in its negative fixture {line:?}")
        })?;
    }
    Ok(())
}

fn is_kebab_case(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 64 && text.split('-').all(is_word)
}

/// What is wrong with an expression stands in the last line, behind a drawing of it.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::RuleFile;

    const RULE: &str = r#"
- id: disk-broken
  summary: a disk is broken
  sources: [kernel]
  literals: ["I/O error"]
  regex: 'dev (?P<device>\w+)'
  not: ["dev fd0"]
  verdict: fail
  severity: high
  title: "disk {device} failed {times} in the last {window}"
  remedy: replace it
  fixtures:
    positive: ["kernel: I/O error, dev sda"]
    negative: ["kernel: I/O error, dev fd0"]
"#;

    fn problem(text: &str) -> String {
        let file = RuleFile {
            name: "x.yaml".to_owned(),
            text: text.to_owned(),
        };
        let (rules, problems) = file.read();
        assert_eq!(rules.len() + problems.len(), 1);
        problems.first().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn a_whole_rule_loads() {
        assert_eq!(problem(RULE), "");
    }

    #[rstest]
    #[case::unknown_key("  remedy:", "  colour: red\n  remedy:", "unknown field `colour`")]
    #[case::no_positive(
        "positive: [\"kernel: I/O error, dev sda\"]",
        "positive: []",
        "at least one positive and one negative"
    )]
    #[case::no_negative(
        "negative: [\"kernel: I/O error, dev fd0\"]",
        "negative: []",
        "at least one positive and one negative"
    )]
    #[case::no_fixtures("    negative: [\"kernel: I/O error, dev fd0\"]", "", "missing field `negative`")]
    #[case::positive_that_misses(
        "dev sda",
        "on sda",
        "expected a hit in its positive fixture \"kernel: I/O error, on sda\""
    )]
    #[case::negative_that_hits(
        "dev fd0\"]\n  verdict",
        "dev fd1\"]\n  verdict",
        "expected no hit in its negative fixture"
    )]
    #[case::bad_regex("dev (?P", "dev ((?P", "unclosed group")]
    #[case::huge_regex("dev (?P<device>\\w+)", "(a{500}){500}", "bounded size")]
    #[case::short_literal("\"I/O error\"", "\"I/O\"", "at least 4 bytes")]
    #[case::unknown_source("[kernel]", "[colonel]", "unknown variant `colonel`")]
    #[case::unknown_place("{device}", "{disk}", "expected {disk} to be a group")]
    #[case::no_verdict("  verdict: fail\n", "", "expected a verdict, or signal: true")]
    #[case::pass("verdict: fail", "verdict: pass", "expected the verdict fail or warn")]
    #[case::talking_signal("  verdict:", "  signal: true\n  verdict:", "a signal says nothing")]
    #[case::bad_window("  remedy:", "  window: soon\n  remedy:", "expected a window such as")]
    #[case::bad_group("  remedy:", "  group_by: disk\n  remedy:", "expected group_by to name a group")]
    #[case::bad_id("id: disk-broken", "id: Disk_Broken", "expected an id of lower-case")]
    #[case::no_list("- id:", "id:", "expected a list of rules")]
    fn what_is_wrong_is_said_in_one_line(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
        assert!(RULE.contains(from), "{from}");
        let said = problem(&RULE.replace(from, to));
        assert!(said.starts_with("x.yaml: ") && said.contains(expected), "{said}");
        assert!(!said.contains('\n'), "{said}");
        assert!(said.contains("rule ") || expected.contains("list"), "{said}");
    }
}
