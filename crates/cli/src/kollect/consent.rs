//! What is asked before anything is done: whoever runs this must know what is taken from the cluster and who will see
//! it (<https://azure.microsoft.com/support/legal/support-diagnostic-information-collection/>).

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Result;

use crate::exit::{Ended, tell};

/// Longest answer that is read.
const MAX_ANSWER: u64 = 64;

#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
/// What will be done, in words.
pub(super) struct Plan<'a> {
    pub(super) server: &'a str,
    pub(super) identity: &'a str,
    pub(super) namespace: &'a str,
    pub(super) image: &'a str,
    /// Nodes, and those of them that can report.
    pub(super) nodes: (usize, usize),
    /// Whether agents are installed already.
    pub(super) found: bool,
    pub(super) restricted: bool,
    pub(super) helm: bool,
    pub(super) keep: bool,
    pub(super) container_logs: &'a [String],
    pub(super) kube_objects: &'a [String],
    pub(super) node_logs: &'a [String],
    pub(super) storage: Option<&'a str>,
    pub(super) folder: Option<&'a str>,
}

impl Plan<'_> {
    /// What is to be consented to.
    pub(super) fn text(&self) -> String {
        let list = |words: &[String], default: &str| match words {
            [] => default.to_owned(),
            words => words.join(", "),
        };
        let (nodes, able) = self.nodes;
        let mut lines = vec![
            format!("Cluster   {}, as {}", self.server, self.identity),
            format!("Nodes     {able} of {nodes} are ready and run Linux: from these is collected"),
            "Data      system and kubelet logs, processes, disks, network and container runtime of each node,".to_owned(),
            "          events and health of the cluster; secrets are taken out on the nodes, before anything is written".to_owned(),
            format!("          container logs of the namespaces {}", list(self.container_logs, "kube-system")),
            format!(
                "          descriptions of {}",
                list(self.kube_objects, "pods, services and deployments of kube-system")
            ),
        ];
        if !self.node_logs.is_empty() {
            lines.push(format!("          node logs {}", self.node_logs.join(", ")));
        }
        if self.helm {
            lines.push("          the list of Helm releases".to_owned());
        }
        lines.push(match (self.found, self.restricted) {
            (true, _) => format!(
                "How       the agents that are installed in namespace {} make the run, and stay",
                self.namespace
            ),
            (false, restricted) => format!(
                "How       {} pod of {} on each node, in namespace {}{}",
                if restricted { "an unprivileged" } else { "a privileged" },
                self.image,
                self.namespace,
                if self.keep {
                    "; it stays"
                } else {
                    ", removed in the end"
                },
            ),
        });
        let mut before = "Who sees  ";
        if let Some(storage) = self.storage {
            lines.push(format!("{before}whoever may read {storage}"));
            before = "          ";
        }
        if let Some(folder) = self.folder {
            lines.push(format!("{before}whoever may read the folder {folder} of this machine"));
            before = "          ";
        }
        lines.push(format!(
            "{before}whoever may read /var/log/aks-periscope on a node, where a copy stays"
        ));
        lines.join("\n")
    }
}

/// Asks on the terminal, unless whoever runs this has consented.
///
/// # Errors
/// When nobody can be asked, or the answer is not yes.
pub(super) fn ask(yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Ended::usage(
            "nobody to ask for consent: expected a terminal, or --yes of somebody who has consented",
        ));
    }
    let mut error = std::io::stderr();
    // When that is closed there is nobody to read the question, nor to answer it.
    write!(error, "\nCollect this? [y/N] ")
        .and_then(|()| error.flush())
        .ok();
    if is_yes(input.lock()) {
        tell("");
        Ok(())
    } else {
        Err(Ended::usage("no consent: nothing was done"))
    }
}

/// Whether the answer is yes; everything else is no.
fn is_yes(input: impl BufRead) -> bool {
    let mut answer = String::new();
    match input.take(MAX_ANSWER).read_line(&mut answer) {
        Ok(_) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Plan, is_yes};

    fn plan() -> Plan<'static> {
        Plan {
            server: "https://a:443",
            identity: "kubeconfig of the caller",
            namespace: "aks-periscope",
            image: "image:1",
            nodes: (5, 3),
            found: false,
            restricted: false,
            helm: false,
            keep: false,
            container_logs: &[],
            kube_objects: &[],
            node_logs: &[],
            storage: None,
            folder: Some("/tmp/out"),
        }
    }

    #[rstest]
    #[case("y\n", true)]
    #[case(" YES \n", true)]
    #[case("\n", false)]
    #[case("", false)]
    #[case("yeah", false)]
    #[case("n\ny\n", false)]
    fn only_yes_is_yes(#[case] answer: &str, #[case] expected: bool) {
        assert_eq!(is_yes(answer.as_bytes()), expected);
    }

    #[test]
    fn the_plan_says_what_from_where_and_who_sees_it() {
        let text = plan().text();
        for words in [
            "https://a:443",
            "3 of 5",
            "kube-system",
            "a privileged pod of image:1",
            "removed in the end",
            "/tmp/out",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
        let text = Plan {
            found: true,
            storage: Some("https://acc.blob.core.windows.net/c"),
            folder: None,
            ..plan()
        }
        .text();
        assert!(
            text.contains("and stay") && text.contains("Who sees  whoever may read https://acc"),
            "{text}"
        );
    }
}
