//! Which artifacts are logs, and whose. One table: what is not in it is not scanned.

use periscope_core::ArtifactPath;
use serde::Deserialize;

use crate::glob::fits;

/// Whose lines a rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The kernel.
    Kernel,
    /// The kubelet, and systemd about it.
    Kubelet,
    /// containerd, and systemd about it.
    Containerd,
    /// dockerd, and systemd about it.
    Docker,
    /// Every systemd unit whose journal is gathered, those above among them.
    Services,
    /// Files of syslog, on nodes without a journal.
    Syslog,
    /// Containers.
    Containers,
    /// What set the machine up: cloud-init, the provisioning script, the VM's agent and its extensions.
    Provisioning,
    /// Network plugins.
    Cni,
    /// Other log files of the node.
    Logs,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 10] = [
        Self::Kernel,
        Self::Kubelet,
        Self::Containerd,
        Self::Docker,
        Self::Services,
        Self::Syslog,
        Self::Containers,
        Self::Provisioning,
        Self::Cni,
        Self::Logs,
    ];

    /// The word for it in rules and in the timeline.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Kubelet => "kubelet",
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Services => "services",
            Self::Syslog => "syslog",
            Self::Containers => "containers",
            Self::Provisioning => "provisioning",
            Self::Cni => "cni",
            Self::Logs => "logs",
        }
    }

    /// What it is called in a sentence.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Kernel => "the kernel's messages",
            Self::Kubelet => "the kubelet's journal",
            Self::Containerd => "containerd's journal",
            Self::Docker => "docker's journal",
            Self::Services => "the journals of services",
            Self::Syslog => "the files of syslog",
            Self::Containers => "the logs of containers",
            Self::Provisioning => "the logs of the node's provisioning",
            Self::Cni => "the logs of network plugins",
            Self::Logs => "log files of the node",
        }
    }
}

/// How lines begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As `journalctl --output short-iso-precise` writes them; further lines of a message are indented.
    Journal,
    /// Month, day and time, or RFC 3339; host; program: as syslog daemons write them.
    Syslog,
    /// The CRI's, docker's, or the API's with timestamps.
    Container,
    /// Anything else.
    Plain,
}

/// Which words make a line an error or a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The kernel's, whose priorities are not in the text.
    Kernel,
    /// Those that programs write.
    Programs,
}

/// A source that an artifact has lines of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serves {
    pub(crate) source: Source,
    /// The artifacts of a source that have the same lines are in tiers: only the lowest one that is there counts.
    pub(crate) tier: u8,
    /// Only lines with these words are of the source: the program's name in a log of many programs.
    pub(crate) tag: Option<&'static str>,
}

const fn of(source: Source, tier: u8) -> Serves {
    Serves {
        source,
        tier,
        tag: None,
    }
}

const fn tagged(source: Source, tier: u8, tag: &'static str) -> Serves {
    Serves {
        source,
        tier,
        tag: Some(tag),
    }
}

/// A kind of artifact that is scanned.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Where such artifacts stand in the archive.
    globs: &'static [&'static str],
    pub(crate) serves: &'static [Serves],
    /// Where its lines come from, for the timeline.
    pub(crate) shown_as: Source,
    pub(crate) form: Form,
    pub(crate) words: Words,
}

/// The kinds of artifacts. The first that fits counts.
pub(crate) static KINDS: [Kind; 12] = [
    Kind {
        globs: &["nodes/*/system-logs/journal/kernel.log"],
        serves: &[of(Source::Kernel, 0)],
        shown_as: Source::Kernel,
        form: Form::Journal,
        words: Words::Kernel,
    },
    Kind {
        globs: &["nodes/*/system-logs/journal/kubelet.log"],
        serves: &[of(Source::Kubelet, 0), of(Source::Services, 0)],
        shown_as: Source::Kubelet,
        form: Form::Journal,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/system-logs/journal/containerd.log"],
        serves: &[of(Source::Containerd, 0), of(Source::Services, 0)],
        shown_as: Source::Containerd,
        form: Form::Journal,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/system-logs/journal/docker.log"],
        serves: &[of(Source::Docker, 0), of(Source::Services, 0)],
        shown_as: Source::Docker,
        form: Form::Journal,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/system-logs/journal/*.log"],
        serves: &[of(Source::Services, 0)],
        shown_as: Source::Services,
        form: Form::Journal,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/system-logs/syslog/kern.log*"],
        serves: &[of(Source::Kernel, 1)],
        shown_as: Source::Kernel,
        form: Form::Syslog,
        words: Words::Kernel,
    },
    Kind {
        globs: &["nodes/*/system-logs/syslog/*"],
        serves: &[
            tagged(Source::Kernel, 2, " kernel: "),
            tagged(Source::Kubelet, 1, " kubelet["),
            tagged(Source::Containerd, 1, " containerd["),
            tagged(Source::Docker, 1, " dockerd["),
            of(Source::Services, 1),
            of(Source::Syslog, 0),
        ],
        shown_as: Source::Syslog,
        form: Form::Syslog,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/system/dmesg*", "nodes/*/system/kernel-messages*"],
        serves: &[of(Source::Kernel, 3)],
        shown_as: Source::Kernel,
        form: Form::Plain,
        words: Words::Kernel,
    },
    Kind {
        globs: &["nodes/*/container-logs/**"],
        serves: &[of(Source::Containers, 0)],
        shown_as: Source::Containers,
        form: Form::Container,
        words: Words::Programs,
    },
    Kind {
        globs: &[
            "nodes/*/node-logs/var/log/azure-*",
            "nodes/*/node-logs/var/log/cilium-cni*",
            "nodes/*/cni/**/*.log*",
        ],
        serves: &[of(Source::Cni, 0)],
        shown_as: Source::Cni,
        form: Form::Plain,
        words: Words::Programs,
    },
    Kind {
        globs: &[
            "nodes/*/node-logs/var/log/cloud-init*",
            "nodes/*/node-logs/var/log/azure/**",
            "nodes/*/node-logs/var/log/waagent*",
        ],
        serves: &[of(Source::Provisioning, 0)],
        shown_as: Source::Provisioning,
        form: Form::Plain,
        words: Words::Programs,
    },
    Kind {
        globs: &["nodes/*/node-logs/var/log/**"],
        serves: &[of(Source::Logs, 0)],
        shown_as: Source::Logs,
        form: Form::Plain,
        words: Words::Programs,
    },
];

/// The index in [`KINDS`] of the artifact at `path`; `None` when it is not scanned.
pub(crate) fn kind_of(path: &ArtifactPath) -> Option<usize> {
    let fits_one = |kind: &Kind| kind.globs.iter().any(|glob| fits(glob, path.as_str()));
    KINDS.iter().position(fits_one)
}

/// The patterns of the artifacts that have lines of a source, those of the lowest tier first.
pub fn patterns(source: Source) -> Vec<&'static str> {
    let serving = |kind: &'static Kind| {
        let serves = kind.serves.iter().find(|serves| serves.source == source)?;
        Some((serves.tier, kind.globs))
    };
    let mut kinds: Vec<_> = KINDS.iter().filter_map(serving).collect();
    kinds.sort_by_key(|(tier, _)| *tier);
    kinds.into_iter().flat_map(|(_, globs)| globs).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Source, kind_of, patterns};

    #[test]
    fn artifacts_are_of_the_first_kind_that_fits() {
        for (path, expected) in [
            ("nodes/n/system-logs/journal/kernel.log", Some(Source::Kernel)),
            ("nodes/n/system-logs/journal/kubelet.log", Some(Source::Kubelet)),
            ("nodes/n/system-logs/journal/localdns.log", Some(Source::Services)),
            ("nodes/n/system-logs/journal/files.json", None),
            ("nodes/n/system-logs/syslog/kern.log.1", Some(Source::Kernel)),
            ("nodes/n/system-logs/syslog/messages", Some(Source::Syslog)),
            ("nodes/n/container-logs/pods/a_b_c/d/0.log", Some(Source::Containers)),
            ("nodes/n/node-logs/var/log/azure-vnet.log", Some(Source::Cni)),
            (
                "nodes/n/node-logs/var/log/azure/cluster-provision.log",
                Some(Source::Provisioning),
            ),
            ("nodes/n/node-logs/var/log/nvidia-installer.log", Some(Source::Logs)),
            ("nodes/n/node-logs/etc/cni/net.d/10-azure.conflist", None),
            ("manifest.json", None),
        ] {
            let found = kind_of(&path.parse().unwrap()).map(|kind| KINDS[kind].shown_as);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn every_source_has_artifacts_and_its_word() {
        for source in Source::ALL {
            assert!(!patterns(source).is_empty(), "{source:?}");
            let word = serde_json::Value::from(source.as_str());
            assert_eq!(serde_json::from_value::<Source>(word).unwrap(), source);
        }
        assert_eq!(patterns(Source::Kernel)[0], "nodes/*/system-logs/journal/kernel.log");
    }
}
