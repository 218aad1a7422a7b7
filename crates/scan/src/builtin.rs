//! The files of rules that are part of the program. Each is one line here.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// The files by name.
        pub(crate) const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../rules/", $name)))),*];
    };
}

files![
    "cluster.yaml",
    "containerd.yaml",
    "docker.yaml",
    "kernel.yaml",
    "kubelet.yaml",
    "network.yaml",
    "provisioning.yaml",
    "runtime.yaml",
    "system.yaml",
    "systemd.yaml",
];

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a folder of this repository")]
    fn no_file_is_missing_and_the_list_is_sorted() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let mut present: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        present.sort();
        let listed: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, present);
    }
}
