//! The lists of the `ConfigMap`, entry by entry: one that means nothing is left out and said, and the others are
//! collected. The original did so too, and whoever types a list for `az aks kollect` sees no answer from here before
//! the run is over.

use anyhow::Result;
use periscope_agent::Configuration;

use crate::run::{check_kube_object, check_namespace, check_node_log};

/// Most entries that are said to be left out; a list may have half a million.
const MAX_SAID: usize = 8;
/// Longest line about one, in characters.
const MAX_LINE: usize = 240;

/// The configuration with what can be used of its lists, and a line about each of the first entries that cannot. A list
/// of which nothing is left is as good as not set.
pub(super) fn usable(configuration: &Configuration) -> (Configuration, Vec<String>) {
    let mut usable = configuration.clone();
    let mut said = Said::default();
    usable.namespaces = usable.namespaces.map(|entries| namespaces(entries, &mut said));
    keep(&mut usable.namespaces, check_namespace, &mut said);
    keep(&mut usable.kube_objects, check_kube_object, &mut said);
    keep(&mut usable.node_logs, check_node_log, &mut said);
    (usable, said.0)
}

#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn say(&mut self, line: &str) {
        if self.0.len() < MAX_SAID {
            self.0.push(line.chars().take(MAX_LINE).collect());
        }
    }
}

/// `az aks kollect` documents `namespace/container` beside `namespace`. Nothing ever took it; here the namespace counts.
fn namespaces(entries: Vec<String>, said: &mut Said) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = match entry.split_once('/') {
            Some((namespace, _)) => {
                said.say(&format!(
                    "{entry:?} names one container: the logs of all of its namespace are taken"
                ));
                namespace.to_owned()
            }
            None => entry,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn keep(list: &mut Option<Vec<String>>, check: fn(&str) -> Result<()>, said: &mut Said) {
    if let Some(entries) = list {
        entries.retain(|entry| match check(entry) {
            Ok(()) => true,
            Err(error) => {
                said.say(&format!("left out: {error:#}"));
                false
            }
        });
    }
    list.take_if(|entries| entries.is_empty());
}

#[cfg(test)]
mod tests {
    use periscope_agent::Configuration;
    use rstest::rstest;

    use super::{MAX_LINE, MAX_SAID, usable};

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[rstest]
    #[case::in_order("kube-system default", "kube-system default", 0)]
    #[case::of_a_container("kube-system/coredns kube-system", "kube-system", 1)]
    #[case::with_a_bad_one("Kube_System default", "default", 1)]
    #[case::all("*", "*", 0)]
    fn namespaces_that_mean_something_are_kept(#[case] text: &str, #[case] kept: &str, #[case] lines: usize) {
        let (usable, said) = usable(&Configuration {
            namespaces: Some(list(text)),
            ..Configuration::default()
        });
        assert_eq!((usable.namespaces, said.len()), (Some(list(kept)), lines));
    }

    #[test]
    fn one_bad_entry_takes_no_other_with_it() {
        let (usable, said) = usable(&Configuration {
            kube_objects: Some(list("kube-system/pod a/b/c/d")),
            node_logs: Some(list("var/log/syslog")),
            ..Configuration::default()
        });
        assert_eq!(
            (usable.kube_objects, usable.node_logs),
            (Some(list("kube-system/pod")), None)
        );
        let [object, log] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert!(
            object.contains("a/b/c/d") && log.contains("var/log/syslog"),
            "{object} {log}"
        );
    }

    #[test]
    fn a_list_of_nonsense_is_not_repeated() {
        let (_, said) = usable(&Configuration {
            kube_objects: Some(vec!["X".repeat(1000); 100]),
            ..Configuration::default()
        });
        assert_eq!(said.len(), MAX_SAID);
        assert!(said.iter().all(|line| line.chars().count() <= MAX_LINE));
    }
}
