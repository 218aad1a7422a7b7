//! What the samples say to whoever scrapes the agent.

use periscope_agent::{Kind, Metric};
use periscope_sampling::Tally;

/// The counts of every target, by its kind.
pub(super) fn of(tally: &Tally) -> Vec<Metric> {
    let targets = tally.targets();
    let labelled = |number: fn(&periscope_sampling::TargetTally) -> Option<f64>| {
        let values = targets
            .iter()
            .filter_map(|target| Some((Some(("target", target.kind.clone())), number(target)?)));
        values.collect()
    };
    vec![
        Metric {
            name: "aks_periscope_connection_samples_total",
            help: "Tries of a connection.",
            kind: Kind::Counter,
            values: labelled(|target| Some(as_number(target.samples))),
        },
        Metric {
            name: "aks_periscope_connection_failures_total",
            help: "Tries of a connection that failed.",
            kind: Kind::Counter,
            values: labelled(|target| Some(as_number(target.failures))),
        },
        Metric {
            name: "aks_periscope_connection_up",
            help: "Whether the last try of a connection succeeded.",
            kind: Kind::Gauge,
            values: labelled(|target| target.connected.map(|connected| f64::from(u8::from(connected)))),
        },
    ]
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn as_number(count: u64) -> f64 {
    count as f64
}
