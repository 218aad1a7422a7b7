//! Findings over the whole cluster: what many nodes say alike is said once, with the nodes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use periscope_core::{Finding, Verdict, group};

/// Most nodes that are named with one finding.
const MAX_NAMED: usize = 3;
/// The letters of which Kubernetes makes the ends of names (`k8s.io/apimachinery`, `util/rand`): no vowels, no 0, 1 and
/// 3.
const RANDOM: &str = "bcdfghjklmnpqrstvwxz2456789";
/// What stands for a node's own name in what several nodes say.
const OWN_NAME: &str = "<node>";

/// What one archive says.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The node, or `cluster`.
    pub(super) by: String,
    pub(super) findings: Vec<Finding>,
}

/// One thing that is said by these.
#[derive(Debug, Clone)]
pub(super) struct Across {
    /// As the first of them says it.
    pub(super) finding: Finding,
    pub(super) by: BTreeSet<String>,
}

/// Puts alike what is alike, in the order in which a person should read it: see [`group`].
pub(super) fn across(mut said: Vec<Said>) -> Vec<Across> {
    drop_what_others_know(&mut said);
    let mut alike: BTreeMap<Key, Across> = BTreeMap::new();
    for Said { by, findings } in said {
        for finding in findings {
            let place = alike.entry(key(&finding, &by));
            let of = place.or_insert_with(|| Across {
                finding: finding.clone(),
                by: BTreeSet::new(),
            });
            // Of several words for it, the gravest.
            if (finding.verdict, finding.severity) < (of.finding.verdict, of.finding.severity) {
                of.finding = finding;
            }
            of.by.insert(by.clone());
        }
    }
    // Each gets a place of its own in what `group` takes as the object, and the cause that its node found.
    let mut all: Vec<Across> = alike.into_values().collect();
    all.sort_by_key(|across| std::cmp::Reverse(across.by.len()));
    let marked = all.iter().enumerate().map(|(place, across)| Finding {
        object: place.to_string(),
        caused_by: across.finding.cause.clone().into_iter().collect(),
        ..across.finding.clone()
    });
    let ordered = group(marked.collect());
    let found = ordered.into_iter().filter_map(|ordered| {
        let across = all.get(ordered.object.parse::<usize>().ok()?)?;
        let finding = Finding {
            cause: ordered.cause,
            ..across.finding.clone()
        };
        Some(Across {
            finding,
            by: across.by.clone(),
        })
    });
    found.collect()
}

/// Each part of a run has some of what checks look at: what could not be judged by one of them says nothing where the
/// other kind judged it.
fn drop_what_others_know(said: &mut [Said]) {
    let judged = |of_cluster: bool| -> BTreeSet<String> {
        let by = said.iter().filter(|said| (said.by == CLUSTER) == of_cluster);
        let findings = by.flat_map(|said| &said.findings);
        let judged = findings.filter(|finding| finding.verdict != Verdict::Unknown);
        judged.map(|finding| finding.analyzer.clone()).collect()
    };
    let (by_cluster, by_nodes) = (judged(true), judged(false));
    let has_nodes = said.iter().any(|said| said.by != CLUSTER);
    for said in said {
        let is_cluster = said.by == CLUSTER;
        let known = if is_cluster { &by_nodes } else { &by_cluster };
        // What no part could judge, the nodes say.
        let told = |finding: &Finding| known.contains(&finding.analyzer) || (is_cluster && has_nodes);
        said.findings
            .retain(|finding| finding.verdict != Verdict::Unknown || !told(finding));
    }
}

/// What makes two findings the same: fault and object, else the sentence.
type Key = (bool, String, String);

fn key(finding: &Finding, by: &str) -> Key {
    let trouble = finding.is_trouble();
    if trouble && !finding.fault.is_empty() {
        return (trouble, finding.fault.clone(), general(&finding.object, by));
    }
    (trouble, finding.analyzer.clone(), general(&finding.title, by))
}

/// The text without what differs from node to node: the node's own name, and the random ends of pods' names.
fn general(text: &str, node: &str) -> String {
    let text = if node.is_empty() {
        text.to_owned()
    } else {
        text.replace(node, OWN_NAME)
    };
    let words = text.split(' ').map(|word| {
        let (name, end) = word.split_at(word.trim_end_matches(['.', ',', ':', ')']).len());
        let stem = match without_random(name, 5..=5) {
            Some(name) if name.contains('/') => without_random(name, 6..=10).unwrap_or(name),
            _ => name,
        };
        format!("{stem}{end}")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The name without a random end of such a length.
fn without_random(name: &str, length: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let (stem, end) = name.rsplit_once('-')?;
    (length.contains(&end.len()) && end.chars().all(|c| RANDOM.contains(c))).then_some(stem)
}

impl Across {
    /// The finding as one line tells it, with the nodes behind its sentence where not all of `of` have it.
    pub(super) fn told(&self, of: usize) -> Finding {
        let on = on_nodes(&self.by, of);
        let title = self.finding.title.trim_end();
        Finding {
            title: if on.is_empty() {
                title.to_owned()
            } else {
                format!("{title} ({on})")
            },
            ..self.finding.clone()
        }
    }
}

/// `on 37 nodes: a, b, c and 34 more`; nothing where there is one node only.
pub(super) fn on_nodes(names: &BTreeSet<String>, of: usize) -> String {
    let first: Vec<_> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
    let first = first.join(", ");
    match names.len() {
        0 => String::new(),
        _ if names.len() == 1 && (of <= 1 || first == CLUSTER) => String::new(),
        1 => format!("on {first}"),
        count if count > MAX_NAMED => format!("on {count} nodes: {first} and {} more", count - MAX_NAMED),
        count => format!("on {count} nodes: {first}"),
    }
}

/// Whose archive the cluster's part is.
pub(super) const CLUSTER: &str = "cluster";

#[cfg(test)]
mod tests {
    use periscope_core::{AnalyzerDescriptor, Fault, Finding, Severity};
    use rstest::rstest;

    use super::*;

    static DISK: Fault = Fault {
        id: "disk-full",
        summary: "s",
        severity: Severity::High,
        caused_by: &[],
        remedy: "Make room.",
    };
    static EVICTION: Fault = Fault {
        id: "eviction",
        summary: "s",
        severity: Severity::Critical,
        caused_by: &["disk-full"],
        remedy: "Wait.",
    };
    static CHECK: AnalyzerDescriptor = AnalyzerDescriptor {
        id: "disks",
        summary: "s",
        faults: &[&DISK],
    };

    fn said(by: &str, findings: Vec<Finding>) -> Said {
        Said {
            by: by.to_owned(),
            findings: group(findings),
        }
    }

    #[test]
    fn what_many_nodes_say_is_one_line_with_their_names() {
        let each = |n: usize| {
            let name = format!("vmss{n:06}");
            let finding = DISK.fail("disk /", format!("The disk / of {name} is full: {n} % free."));
            said(&name, vec![finding, CHECK.pass("Fine.")])
        };
        let found = across((0..37).map(each).collect());
        let titles: Vec<_> = found.iter().map(|across| across.told(40).title).collect();
        assert_eq!(
            titles,
            [
                "The disk / of vmss000000 is full: 0 % free. (on 37 nodes: vmss000000, vmss000001, vmss000002 and 34 more)",
                "Fine. (on 37 nodes: vmss000000, vmss000001, vmss000002 and 34 more)",
            ]
        );
    }

    #[test]
    fn the_gravest_come_first_and_effects_below_their_causes() {
        let found = across(vec![
            said(
                "a",
                vec![EVICTION.fail("pod x/y", "evicted"), DISK.warn("disk /", "nearly full")],
            ),
            said("b", vec![DISK.fail("disk /", "full")]),
        ]);
        let told: Vec<_> = found
            .iter()
            .map(|across| (across.told(2).title, across.finding.cause.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("full (on 2 nodes: a, b)".to_owned(), None),
                ("evicted (on a)".to_owned(), Some("disk-full".to_owned())),
            ]
        );
    }

    #[test]
    fn what_one_part_cannot_judge_and_the_other_can_is_not_told() {
        // As analysis has it, `analyze_all` names who says it.
        let by_check = |finding: Finding| Finding {
            analyzer: "disks".to_owned(),
            ..finding
        };
        let unknown = || by_check(CHECK.unknown("The file is not there."));
        let pass = || by_check(CHECK.pass("Fine."));
        let told = |cluster: Finding, node: Finding| {
            let found = across(vec![said(CLUSTER, vec![cluster]), said("n", vec![node])]);
            found
                .iter()
                .map(|across| (across.finding.title.clone(), across.by.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(unknown(), pass()), [("Fine.".to_owned(), 1)]);
        assert_eq!(told(pass(), unknown()), [("Fine.".to_owned(), 1)]);
        assert_eq!(told(unknown(), unknown()), [("The file is not there.".to_owned(), 1)]);
    }

    #[rstest]
    #[case::daemon_set("pod kube-system/kube-proxy-x7x2k", "pod kube-system/kube-proxy")]
    #[case::deployment("pod kube-system/coredns-6d4b75cb6d-hk8sl, twice", "pod kube-system/coredns, twice")]
    #[case::stateful_set("pod shop/db-0", "pod shop/db-0")]
    #[case::own_name("node n1", "node <node>")]
    #[case::a_word("disk /var-lib", "disk /var-lib")]
    fn what_differs_from_node_to_node_is_left_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(general(text, "n1"), expected);
    }

    #[rstest]
    #[case::the_only_node(&["n1"], 1, "")]
    #[case::the_cluster(&["cluster"], 9, "")]
    #[case::one(&["n1"], 9, "on n1")]
    #[case::three(&["n1", "n2", "n3"], 9, "on 3 nodes: n1, n2, n3")]
    fn nodes_are_named_where_it_says_something(#[case] names: &[&str], #[case] of: usize, #[case] expected: &str) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(on_nodes(&names, of), expected);
    }
}
