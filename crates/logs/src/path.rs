//! What the path of a log file below `/var/log/pods` says; does not look whether the file exists.
//!
//! The kubelet lays the files out as `<namespace>_<pod>_<uid>/<container>/<restart>.log`. Rotated files get the local
//! time at which they were rotated, `0.log.20261120-201033`, and later `.gz`.

/// A path below `/var/log/pods`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LogPath<'a> {
    /// The log of a container.
    Container(ContainerLog<'a>),
    /// Anything else, as it is: such files are somebody's, and worth keeping too.
    Other(&'a str),
}

/// The log file of one instance of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContainerLog<'a> {
    /// The namespace of the pod.
    pub namespace: &'a str,
    /// The name of the pod.
    pub pod: &'a str,
    /// The UID of the pod. A static pod has the hash of its manifest here, 32 hexadecimal digits, which is the
    /// annotation `kubernetes.io/config.hash` and not the UID that the API shows.
    pub uid: &'a str,
    /// The name of the container.
    pub container: &'a str,
    /// How often the container had been restarted before.
    pub restart: u32,
    /// When the file was rotated, as `20261120-201033` in the node's time zone; none for the file in use.
    pub rotated: Option<&'a str>,
    /// Whether the file is compressed.
    pub gzip: bool,
}

impl<'a> LogPath<'a> {
    /// Reads a path relative to `/var/log/pods`.
    pub fn parse(path: &'a str) -> Self {
        ContainerLog::parse(path).map_or(Self::Other(path), Self::Container)
    }
}

impl<'a> ContainerLog<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let (pod_dir, rest) = path.split_once('/')?;
        let (container, file) = rest.split_once('/')?;
        // None of the three can contain an underscore.
        let (namespace, rest) = pod_dir.split_once('_')?;
        let (pod, uid) = rest.split_once('_')?;
        let names = [namespace, pod, uid, container];
        if names.iter().any(|name| name.is_empty() || name.contains('_')) {
            return None;
        }
        let (restart, suffix) = file.split_once(".log")?;
        let (suffix, gzip) = suffix
            .strip_suffix(".gz")
            .map_or((suffix, false), |suffix| (suffix, true));
        let rotated = match suffix.strip_prefix('.') {
            Some(stamp) if is_stamp(stamp) => Some(stamp),
            None if suffix.is_empty() => None,
            _ => return None,
        };
        Some(Self {
            namespace,
            pod,
            uid,
            container,
            restart: number(restart)?,
            rotated,
            gzip,
        })
    }

    /// Whether the pod was defined by a file on the node: see [`Self::uid`].
    pub fn is_static_pod(&self) -> bool {
        self.uid.len() == 32 && self.uid.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Sorts the files of one container from the oldest to the youngest: by instance, and the file in use last.
    pub fn age(&self) -> (u32, bool, Option<&'a str>) {
        (self.restart, self.rotated.is_none(), self.rotated)
    }
}

/// A number as the kubelet writes it: no sign, no leading zero.
fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain)
}

fn is_stamp(text: &str) -> bool {
    text.len() == 15
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 8 { byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const DIR: &str = "kube-system_coredns-5d78c9869d-abcde_3f1c9a52-0d5b-4c64-9f5e-0123456789ab/coredns";

    #[rstest]
    #[case::in_use("0.log", 0, None, false)]
    #[case::restarted("17.log", 17, None, false)]
    #[case::rotated("3.log.20261120-201033", 3, Some("20261120-201033"), false)]
    #[case::compressed("3.log.20261120-201033.gz", 3, Some("20261120-201033"), true)]
    #[case::only_compressed("3.log.gz", 3, None, true)]
    fn container_logs(#[case] file: &str, #[case] restart: u32, #[case] rotated: Option<&str>, #[case] gzip: bool) {
        let path = format!("{DIR}/{file}");
        let LogPath::Container(log) = LogPath::parse(&path) else {
            panic!("{path} is other")
        };
        assert_eq!((log.namespace, log.pod), ("kube-system", "coredns-5d78c9869d-abcde"));
        assert_eq!(
            (log.uid, log.container),
            ("3f1c9a52-0d5b-4c64-9f5e-0123456789ab", "coredns")
        );
        assert_eq!((log.restart, log.rotated, log.gzip), (restart, rotated, gzip));
        assert!(!log.is_static_pod());
    }

    #[test]
    fn static_pods_are_told_apart() {
        let path = "kube-system_etcd-node-1_0123456789abcdef0123456789abcdef/etcd/0.log";
        assert!(matches!(LogPath::parse(path), LogPath::Container(log) if log.is_static_pod()));
    }

    #[rstest]
    #[case::being_compressed("a_b_c/d/0.log.20261120-201033.tmp")]
    #[case::no_number("a_b_c/d/current.log")]
    #[case::signed("a_b_c/d/+1.log")]
    #[case::leading_zero("a_b_c/d/01.log")]
    #[case::too_large("a_b_c/d/4294967296.log")]
    #[case::deeper("a_b_c/d/e/0.log")]
    #[case::shallower("a_b_c/0.log")]
    #[case::two_parts("a_b/d/0.log")]
    #[case::four_parts("a_b_c_d/d/0.log")]
    #[case::empty_name("a__c/d/0.log")]
    #[case::empty("")]
    fn anything_else_is_kept_as_it_is(#[case] path: &str) {
        assert_eq!(LogPath::parse(path), LogPath::Other(path));
    }

    #[test]
    fn files_sort_by_age() {
        let ordered = [
            "0.log.20261119-000000.gz",
            "0.log.20261120-000000",
            "0.log",
            "2.log",
            "10.log.20261101-000000",
            "10.log",
        ];
        let paths = ordered.map(|file| format!("a_b_c/d/{file}"));
        assert!(
            paths
                .iter()
                .filter_map(|path| ContainerLog::parse(path))
                .is_sorted_by_key(|log| log.age())
        );
        assert!(paths.iter().all(|path| ContainerLog::parse(path).is_some()));
    }

    proptest! {
        #[test]
        fn any_path_is_taken(path in "[a-z0-9_./-]{0,60}|.*") {
            match LogPath::parse(&path) {
                LogPath::Other(other) => prop_assert_eq!(other, path.as_str()),
                LogPath::Container(log) => {
                    let stamp = log.rotated.map(|stamp| format!(".{stamp}")).unwrap_or_default();
                    let gz = if log.gzip { ".gz" } else { "" };
                    let again = format!(
                        "{}_{}_{}/{}/{}.log{stamp}{gz}",
                        log.namespace, log.pod, log.uid, log.container, log.restart
                    );
                    prop_assert_eq!(again, path);
                }
            }
        }
    }
}
