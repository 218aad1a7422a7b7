//! Whether the node's clock is kept right: certificates, tokens and logs go by it.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use super::input::{self, Input, find_line};
use crate::artifact::Text;

static CLOCK_UNSYNCHRONISED: Fault = Fault {
    id: "clock-unsynchronised",
    summary: "The node's clock is wrong, or nothing keeps it right",
    severity: Severity::High,
    caused_by: &[],
    remedy: "Start the time service (`systemctl restart chrony` or `chronyd`), see in `chronyc sources` whether it reaches \
             the Hyper-V clock (`refclock PHC /dev/ptp_hyperv`), and run `chronyc makestep` if the clock is far off.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "clock",
    summary: "Whether the node's clock is kept right",
    faults: &[&CLOCK_UNSYNCHRONISED],
};

/// Seconds off: TLS and tokens tolerate some, logs of several nodes cannot be laid side by side any more.
const FAIL_SECONDS: f64 = 5.0;
const WARN_SECONDS: f64 = 0.5;

const OBJECT: &str = "the node's clock";

/// Judges the clock.
pub(crate) struct Clock;

impl Analyzer for Clock {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        // Where chrony keeps the clock, it knows best.
        let tracking = input::text(inputs, names::CHRONY_TRACKING)?;
        if let Input::Known(tracking) = &tracking
            && let Some(finding) = of_chrony(tracking)
        {
            return Ok(vec![finding]);
        }
        let why = match input::text(inputs, names::TIMEDATECTL)? {
            Input::Known(text) => match of_timedatectl(&text) {
                Some(finding) => return Ok(vec![finding]),
                None => format!("{} does not say whether the clock is synchronised.", text.path),
            },
            Input::Missing(why) => why,
            Input::NoSuchThing => match tracking {
                Input::Missing(why) => why,
                _ => "The node has neither chronyc nor timedatectl to ask about its clock.".to_owned(),
            },
        };
        Ok(vec![DESCRIPTOR.unknown(why)])
    }
}

/// `Leap status     : Normal`, `System time     : 0.000012345 seconds slow of NTP time` (`chronyc(1)`).
fn of_chrony(text: &Text) -> Option<Finding> {
    let (line, leap) = find_line(text, |line| value(line, "Leap status"))?;
    if leap == "Not synchronised" {
        let title = "The node's clock is not synchronised: chrony reaches no source of time.";
        return Some(CLOCK_UNSYNCHRONISED.fail(OBJECT, title).evidence(text.evidence(line)));
    }
    let (line, (seconds, direction)) = find_line(text, |line| {
        let mut words = value(line, "System time")?.split(' ');
        let seconds: f64 = words.next()?.parse().ok()?;
        Some((seconds, words.nth(1)?))
    })?;
    let title = format!("The node's clock is {seconds:.3} s {direction}");
    let evidence = text.evidence(line);
    Some(if seconds >= FAIL_SECONDS {
        CLOCK_UNSYNCHRONISED
            .fail(
                OBJECT,
                format!("{title}: certificates and tokens may not be valid yet or any more."),
            )
            .evidence(evidence)
    } else if seconds >= WARN_SECONDS {
        CLOCK_UNSYNCHRONISED
            .warn(OBJECT, format!("{title}, by what chrony measured."))
            .evidence(evidence)
    } else {
        DESCRIPTOR
            .pass("The node's clock is kept right by chrony.")
            .evidence(evidence)
    })
}

/// `System clock synchronized: yes`; until systemd 238 `NTP synchronized: yes`.
fn of_timedatectl(text: &Text) -> Option<Finding> {
    let (line, answer) = find_line(text, |line| {
        value(line, "System clock synchronized").or_else(|| value(line, "NTP synchronized"))
    })?;
    let evidence = text.evidence(line);
    if answer == "yes" {
        return Some(DESCRIPTOR.pass("The node's clock is synchronised.").evidence(evidence));
    }
    let service = find_line(text, |line| {
        value(line, "NTP service").or_else(|| value(line, "Network time on"))
    });
    let title = match service {
        Some((_, service)) => format!("The node's clock is not synchronised (time service: {service})."),
        None => "The node's clock is not synchronised.".to_owned(),
    };
    let finding = CLOCK_UNSYNCHRONISED.warn(OBJECT, title).evidence(evidence);
    Some(finding.evidences(service.map(|(line, _)| text.evidence(line))))
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = line.split_once(':')?;
    (name.trim() == key).then(|| value.trim())
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use rstest::rstest;

    use super::Clock;
    use crate::fixture::Artifacts;

    fn tracking(leap: &str, seconds: &str) -> String {
        format!(
            "Reference ID    : 50484330 (PHC0)\nStratum         : 3\n\
             System time     : {seconds} seconds slow of NTP time\nLeap status     : {leap}\n"
        )
    }

    fn finding(artifacts: &Artifacts) -> Finding {
        Clock.analyze(artifacts).unwrap().remove(0)
    }

    #[rstest]
    #[case::right("Normal", "0.000012345", Verdict::Pass, 3)]
    #[case::off("Normal", "0.900000000", Verdict::Warn, 3)]
    #[case::far_off("Normal", "300.000000000", Verdict::Fail, 3)]
    #[case::alone("Not synchronised", "0.000000000", Verdict::Fail, 4)]
    fn chrony_is_believed(#[case] leap: &str, #[case] seconds: &str, #[case] expected: Verdict, #[case] line: u64) {
        let artifacts = Artifacts::default()
            .with("system", "time/chrony-tracking.txt", tracking(leap, seconds))
            .with("system", "time/timedatectl.txt", "System clock synchronized: no\n");
        let found = finding(&artifacts);
        assert_eq!(
            (found.verdict, found.evidence[0].line),
            (expected, Some(line)),
            "{found:?}"
        );
    }

    #[rstest]
    #[case::new("               Local time: x\nSystem clock synchronized: yes\n", Verdict::Pass)]
    #[case::new_off(
        "System clock synchronized: no\n              NTP service: inactive\n",
        Verdict::Warn
    )]
    #[case::old(" Network time on: yes\nNTP synchronized: no\n", Verdict::Warn)]
    #[case::silent("hello\n", Verdict::Unknown)]
    fn timedatectl_is_asked_where_there_is_no_chrony(#[case] text: &str, #[case] expected: Verdict) {
        let artifacts = Artifacts::default()
            .without("system", "time/chrony-tracking.txt", State::NotPresent)
            .with("system", "time/timedatectl.txt", text);
        assert_eq!(finding(&artifacts).verdict, expected);
    }

    #[test]
    fn a_node_without_either_is_unknown() {
        let artifacts = Artifacts::default()
            .without("system", "time/chrony-tracking.txt", State::NotPresent)
            .without("system", "time/timedatectl.txt", State::NotPresent);
        assert!(finding(&artifacts).title.contains("neither chronyc nor timedatectl"));
        assert_eq!(finding(&Artifacts::default()).verdict, Verdict::Unknown);
    }
}
