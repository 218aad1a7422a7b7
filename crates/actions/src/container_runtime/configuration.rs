//! The files that set the runtime up, without the credentials of registries that may stand in them.

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_host::{HostPath, HostRoot};

use crate::host_files::{collect, glob, off_thread, record, record_none};

/// Largest file that is read; the usual ones have some kilobytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Files of containerd and CRI-O, all of them TOML. `certs.d` is where AKS has the registries' `hosts.toml`.
pub(super) const TOML_FILES: [&str; 6] = [
    "/etc/containerd/config.toml",
    "/etc/containerd/conf*.d/*.toml",
    "/etc/containerd/certs.d/*/hosts.toml",
    "/etc/crio/crio.conf",
    "/etc/crio/crio.conf.d/*",
    "/etc/containers/registries.conf",
];
/// Files of docker and of `crictl`, which the redactor reads as what they are.
pub(super) const OTHER_FILES: [(&str, Content); 2] = [
    ("/etc/docker/daemon.json", Content::Json),
    ("/etc/crictl.yaml", Content::Yaml),
];

/// What stands in place of a credential.
const REMOVED: &str = "\"[redacted: registry credential]\"";
/// The name under which removed credentials are counted.
const RULE: &str = "registry-credential";
/// Settings that are credentials, of containerd's `registry.configs.<host>.auth` and of `hosts.toml`.
const CREDENTIALS: [&str; 6] = [
    "username",
    "password",
    "auth",
    "identitytoken",
    "identity_token",
    "registrytoken",
];

/// Keeps all of them as `files/<path>`.
pub(super) async fn gather(root: &HostRoot, sink: &Sink) {
    let mut found = 0;
    for pattern in TOML_FILES {
        for path in glob(root, sink, pattern).await {
            found += 1;
            without_credentials(root, sink, path).await;
        }
    }
    for (path, content) in OTHER_FILES {
        for path in glob(root, sink, path).await {
            found += 1;
            collect(root, sink, &path, &format!("files{path}"), content).await;
        }
    }
    if found == 0 {
        let reason = "there is no configuration file of containerd, CRI-O or docker";
        let patterns: Vec<_> = TOML_FILES
            .into_iter()
            .chain(OTHER_FILES.map(|(path, _)| path))
            .collect();
        record_none(root, sink, "files", &patterns, (State::NotPresent, reason)).await;
    }
}

async fn without_credentials(root: &HostRoot, sink: &Sink, path: HostPath) {
    let name = format!("files{path}");
    let (root, asked) = (root.clone(), path.clone());
    let text = match off_thread(move || root.read_text(&asked, MAX_FILE_BYTES)).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            record(sink, &name, &error);
            return;
        }
        Err(error) => return sink.record(&name, State::Failed, error.to_string()),
    };
    let (text, removed) = strip(&text);
    let mut writer = sink.writer(ArtifactSpec::new(name, Content::Text).source(path.as_str()));
    if removed > 0 {
        writer.add_redactions([(RULE, removed)]);
    }
    match writer.copy_from(text.as_bytes()).await {
        Ok(_) => writer.finish().await,
        Err(error) => writer.finish_as(State::Failed, Some(error.to_string())).await,
    };
}

/// The text with the values of credentials replaced, and how many there were. Goes by lines: what a table of HTTP
/// headers holds, down to the next table, is replaced whole.
fn strip(text: &str) -> (String, u64) {
    let mut stripped = String::with_capacity(text.len());
    let mut removed = 0;
    let mut in_headers = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.get(..line.len() - trimmed.len()).unwrap_or_default();
        if let Some(table) = table_name(trimmed) {
            in_headers = table.ends_with("header") || table.ends_with("headers");
        } else if in_headers && !trimmed.is_empty() && !trimmed.starts_with('#') {
            removed += 1;
            stripped.push_str(indent);
            stripped.push_str(REMOVED);
            stripped.push('\n');
            continue;
        } else if let Some(name) = trimmed
            .split_once('=')
            .map(|(name, _)| name.trim_end())
            .filter(|name| is_credential(name))
        {
            removed += 1;
            stripped.push_str(indent);
            stripped.push_str(name);
            stripped.push_str(" = ");
            stripped.push_str(REMOVED);
            stripped.push('\n');
            continue;
        }
        stripped.push_str(line);
        stripped.push('\n');
    }
    (stripped, removed)
}

/// The name of the table that begins with this line. One that begins with a quote is taken for a piece of a list, which
/// lines of headers may be.
fn table_name(line: &str) -> Option<&str> {
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let name = name.trim_matches(['[', ']', ' ']);
    (!name.is_empty() && !name.starts_with(['"', '\''])).then_some(name)
}

/// Whether a setting's value is a credential, or an inline table of headers; a dotted name counts by its last part.
fn is_credential(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let last = last.trim_matches(['"', '\'', '#', ' ']).to_ascii_lowercase();
    CREDENTIALS.contains(&last.as_str()) || last == "header"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::strip;

    #[test]
    fn credentials_of_registries_are_removed() {
        let text = "version = 2\n\
                    [plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"r.example\".auth]\n  \
                    username = \"u\"\n  password = 'p1'\n  auth = \"dTpwMQ==\"\n\
                    [host.\"https://r.example\"]\n  capabilities = [\"pull\"]\n  header = {authorization = [\"Basic x\"]}\n\
                    [host.\"https://r.example\".header]\n  x-custom = [\n    \"secret word\"\n  ]\n\
                    # a comment\n[host.\"https://m.example\"]\n  ca = \"/etc/ca.crt\"\n";
        let (stripped, removed) = strip(text);
        let marker = "\"[redacted: registry credential]\"";
        assert_eq!(
            stripped,
            format!(
                "version = 2\n\
                 [plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"r.example\".auth]\n  \
                 username = {marker}\n  password = {marker}\n  auth = {marker}\n\
                 [host.\"https://r.example\"]\n  capabilities = [\"pull\"]\n  header = {marker}\n\
                 [host.\"https://r.example\".header]\n  {marker}\n    {marker}\n  {marker}\n\
                 # a comment\n[host.\"https://m.example\"]\n  ca = \"/etc/ca.crt\"\n"
            )
        );
        assert_eq!(removed, 7);
    }

    #[rstest]
    #[case::of_a_host("[host.\"https://r\".header] # for the proxy\n  x = \"hidden\"\n")]
    #[case::of_all("[plugins.cri.registry.headers]\n  Authorization = [\n    [\"hidden\"]\n    \"hidden\"\n  ]\n")]
    #[case::with_spaces("[ host.x.header ]\nx=\"hidden\"\n")]
    #[case::dotted("registry.configs.x.auth.password=\"hidden\"\n")]
    fn headers_and_dotted_names_are_known(#[case] text: &str) {
        assert!(!strip(text).0.contains("hidden"), "{}", strip(text).0);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_keeps_its_lines(text in "[\\[\\]=\"'# a-z\n]{0,80}") {
            prop_assert_eq!(strip(&text).0.lines().count(), text.lines().count());
        }
    }

    #[test]
    fn nothing_else_is_changed() {
        let text =
            "[grpc] # of clients\n  address = \"/run/containerd/containerd.sock\"\n  tables = [\n    [1],\n  ]\n";
        assert_eq!(strip(text), (text.to_owned(), 0));
    }
}
