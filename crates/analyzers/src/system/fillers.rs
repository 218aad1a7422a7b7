//! Who fills a disk: of the folders that were measured, the most particular ones that explain most of what is used.

use periscope_core::Evidence;
use periscope_documents::{Consumer, Fill};

use super::input::Rows;
use super::words::bytes;

/// Most folders that are named.
const MAX_NAMED: usize = 3;

/// A part that has so much of the whole, in percent, explains it better.
const PARTICULAR_PERCENT: u64 = 60;

/// A folder with less than this share of what is used, in percent, explains nothing.
const WORTH_PERCENT: u64 = 5;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Bytes,
    Inodes,
}

impl Amount {
    fn of(self, row: &Consumer) -> u64 {
        match self {
            Self::Bytes => row.bytes,
            Self::Inodes => row.inodes,
        }
    }

    fn used(self, fill: &Fill) -> u64 {
        match self {
            Self::Bytes => fill.total_bytes.saturating_sub(fill.available_bytes),
            Self::Inodes => fill.inodes.saturating_sub(fill.inodes_available),
        }
    }

    fn words(self, row: &Consumer) -> String {
        let more = if row.incomplete.is_some() { " or more" } else { "" };
        match self {
            Self::Bytes => format!("{}{more}", bytes(row.bytes)),
            Self::Inodes => format!("{} files{more}", row.inodes),
        }
    }
}

/// Who fills the disk at `mount_point`: words for each, and the lines that show it.
pub(super) fn of_disk(
    rows: &Rows<Consumer>,
    mount_point: &str,
    fill: &Fill,
    amount: Amount,
) -> (Vec<String>, Vec<Evidence>) {
    let mut on_disk: Vec<_> = rows
        .rows
        .iter()
        .filter(|(_, row)| row.mount_point == mount_point)
        .collect();
    on_disk.sort_by_key(|(_, row)| std::cmp::Reverse(amount.of(row)));
    let worth = amount.used(fill) / 100 * WORTH_PERCENT;
    let mut named: Vec<&(u64, Consumer)> = Vec::new();
    for candidate in &on_disk {
        let (_, row) = candidate;
        if amount.of(row) < worth || named.len() == MAX_NAMED {
            break;
        }
        let is_explained = on_disk.iter().any(|(_, part)| {
            is_below(&part.path, &row.path) && amount.of(part) >= amount.of(row) / 100 * PARTICULAR_PERCENT
        });
        let is_counted = named.iter().any(|(_, other)| is_below(&row.path, &other.path));
        if !is_explained && !is_counted {
            named.push(candidate);
        }
    }
    let words = named
        .iter()
        .map(|(_, row)| format!("{} ({})", what(row), amount.words(row)));
    (
        words.collect(),
        named.iter().map(|(line, _)| rows.evidence(*line)).collect(),
    )
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// What a folder is, as an operator knows it.
fn what(row: &Consumer) -> String {
    let Some(pod) = &row.pod else {
        return row.path.clone();
    };
    let container = row.container.as_deref();
    if row.path.starts_with("/var/log/pods/") || row.path.starts_with("/var/lib/docker/containers/") {
        return match container {
            Some(container) => format!("the logs of container {container} in pod {pod}"),
            None => format!("the logs of pod {pod}"),
        };
    }
    if let Some((_, volume)) = row.path.split_once("/volumes/") {
        let name = volume.split('/').nth(1).unwrap_or(volume);
        return format!("volume {name} of pod {pod}");
    }
    match container {
        Some(container) => format!("files that container {container} of pod {pod} wrote into its own layer"),
        None => format!("pod {pod}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::what;
    use periscope_documents::Consumer;

    #[rstest]
    #[case("/var/log/pods/a_b_c/d", Some("d"), "the logs of container d in pod a/b")]
    #[case(
        "/var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/scratch",
        None,
        "volume scratch of pod a/b"
    )]
    #[case(
        "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7",
        Some("d"),
        "files that container d of pod a/b wrote into its own layer"
    )]
    #[case("/var/lib/kubelet/pods/u", None, "pod a/b")]
    fn folders_are_named_as_people_know_them(
        #[case] path: &str,
        #[case] container: Option<&str>,
        #[case] expected: &str,
    ) {
        let row = Consumer {
            path: path.to_owned(),
            pod: Some("a/b".to_owned()),
            container: container.map(str::to_owned),
            ..Consumer::default()
        };
        assert_eq!(what(&row), expected);
    }
}
