//! The YAML file of `--config`: the same settings as the flags, under the same names.

use std::path::{Path, PathBuf};

use anyhow::Result;
use secrecy::SecretString;
use serde::Deserialize;

use crate::args::{CollectArgs, StorageArgs};
use crate::exit::Ended;
use crate::small_file;

/// Longest file that is taken for a configuration.
const MAX_BYTES: u64 = 1024 * 1024;

/// The file's content.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Config {
    output: Option<PathBuf>,
    run_id: Option<String>,
    node_name: Option<String>,
    host_root: Option<PathBuf>,
    kubeconfig: Option<PathBuf>,
    actions: Option<Vec<String>>,
    skip: Option<Vec<String>>,
    namespaces: Option<Vec<String>>,
    kube_objects: Option<Vec<String>>,
    node_logs: Option<Vec<String>>,
    journal_units: Option<Vec<String>>,
    internet_target: Option<String>,
    outbound_targets: Option<Vec<String>>,
    since: Option<String>,
    format: Option<String>,
    max_bytes: Option<String>,
    timeout: Option<String>,
    rules: Option<PathBuf>,
    upload: Option<bool>,
    storage_account: Option<String>,
    container: Option<String>,
    sas_token: Option<SecretString>,
    sas_file: Option<PathBuf>,
    identity: Option<String>,
    cloud: Option<String>,
    upload_format: Option<Vec<String>>,
    json: bool,
    quiet: bool,
}

/// Where settings may stand besides the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beside<'a> {
    /// In the file that the command line names, if it names one.
    File,
    /// In this text of a `ConfigMap`. Whoever may write that is not thereby trusted with the node's files.
    ConfigMap(&'a str),
}

/// Fills in what the command line leaves open.
pub(super) fn fill(args: CollectArgs, beside: Beside<'_>) -> Result<CollectArgs> {
    let config = match beside {
        Beside::File => match &args.config {
            Some(path) => read(path)?,
            None => return Ok(args),
        },
        Beside::ConfigMap(text) => of_config_map(text)?,
    };
    Ok(merge(args, config))
}

fn merge(args: CollectArgs, config: Config) -> CollectArgs {
    let no_upload_in_file = config.upload == Some(false);
    let upload_in_file = config.upload == Some(true);
    CollectArgs {
        output: args.output.or(config.output),
        run_id: args.run_id.or(config.run_id),
        node_name: args.node_name.or(config.node_name),
        host_root: args.host_root.or(config.host_root),
        kubeconfig: args.kubeconfig.or(config.kubeconfig),
        actions: args.actions.or(config.actions),
        skip: args.skip.or(config.skip),
        namespaces: args.namespaces.or(config.namespaces),
        kube_objects: args.kube_objects.or(config.kube_objects),
        node_logs: args.node_logs.or(config.node_logs),
        journal_units: args.journal_units.or(config.journal_units),
        internet_target: args.internet_target.or(config.internet_target),
        outbound_targets: args.outbound_targets.or(config.outbound_targets),
        since: args.since.or(config.since),
        format: args.format.or(config.format),
        max_bytes: args.max_bytes.or(config.max_bytes),
        timeout: args.timeout.or(config.timeout),
        rules: args.rules.or(config.rules),
        upload: args.upload || (upload_in_file && !args.no_upload),
        no_upload: args.no_upload || (no_upload_in_file && !args.upload),
        storage: StorageArgs {
            storage_account: args.storage.storage_account.or(config.storage_account),
            container: args.storage.container.or(config.container),
            // A signature on the command line replaces a file named in the configuration, and the other way round.
            sas_file: args
                .storage
                .sas_file
                .clone()
                .or(config.sas_file.filter(|_| args.storage.sas_token.is_none())),
            sas_token: args
                .storage
                .sas_token
                .or(config.sas_token.filter(|_| args.storage.sas_file.is_none())),
            identity: args.storage.identity.or(config.identity),
            cloud: args.storage.cloud.or(config.cloud),
            upload_format: args.storage.upload_format.or(config.upload_format),
        },
        config: args.config,
        plan: args.plan,
        json: args.json || config.json,
        quiet: args.quiet || config.quiet,
    }
}

/// Settings that name files of ours or decide who we are are for the pod itself to say, and where archives go is for
/// the `Secret`: who may write the `ConfigMap` could else have them, and an identity's token, sent to a place of his
/// own.
fn of_config_map(text: &str) -> Result<Config> {
    let invalid = |what: String| Ended::usage(format!("invalid settings in the ConfigMap: {what}"));
    let config = parse(text).map_err(invalid)?;
    let reserved = [
        ("output", config.output.is_some()),
        ("run-id", config.run_id.is_some()),
        ("node-name", config.node_name.is_some()),
        ("host-root", config.host_root.is_some()),
        ("kubeconfig", config.kubeconfig.is_some()),
        ("rules", config.rules.is_some()),
        ("sas-file", config.sas_file.is_some()),
        ("sas-token", config.sas_token.is_some()),
        ("storage-account", config.storage_account.is_some()),
        ("container", config.container.is_some()),
        ("cloud", config.cloud.is_some()),
    ];
    match reserved.iter().find(|(_, is_set)| *is_set) {
        Some((key, _)) => Err(invalid(format!(
            "{key} cannot be set there: expected only what is to be collected, and whether it is uploaded"
        ))),
        None => Ok(config),
    }
}

fn read(path: &Path) -> Result<Config> {
    small_file::read(path, MAX_BYTES)
        .and_then(|text| parse(&text))
        .map_err(|what| Ended::usage(format!("invalid configuration {}: {what}", path.display())))
}

fn parse(text: &str) -> Result<Config, String> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error
            .location()
            .map(|at| format!("line {}: ", at.line()))
            .unwrap_or_default();
        let text = error.to_string();
        let words: Vec<_> = text.lines().next().unwrap_or_default().split_whitespace().collect();
        place + &words.join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::{Beside, fill, of_config_map, parse};
    use crate::args::CollectArgs;
    use rstest::rstest;

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = parse("since: 24h\nnamespace: [kube-system]\n").unwrap_err();
        assert!(error.contains("line 2") && error.contains("namespace"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_line() {
        let error = parse("since: 24h\n\nactions: {dns: true}\n").unwrap_err();
        assert!(error.contains("line 3"), "{error}");
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "since: 24h\ntimeout: 5m\nupload: false\nsas-token: in-file\n").unwrap();
        let mut args = CollectArgs {
            config: Some(path),
            since: Some("1h".into()),
            ..CollectArgs::default()
        };
        args.storage.sas_file = Some("given".into());
        let args = fill(args, Beside::File).unwrap();
        assert_eq!(args.since.as_deref(), Some("1h"));
        assert_eq!(args.timeout.as_deref(), Some("5m"));
        assert!(args.no_upload && !args.upload);
        assert!(args.storage.sas_token.is_none());
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert!(parse("# nothing\n").is_ok());
        assert!(parse("").is_ok());
    }

    #[rstest]
    #[case("rules: /host/etc/shadow")]
    #[case("sas-file: /host/etc/shadow")]
    #[case("kubeconfig: /host/var/lib/kubelet/kubeconfig")]
    #[case("host-root: /proc/1/root")]
    #[case("storage-account: https://elsewhere.example\nidentity: managed-identity")]
    #[case("cloud: elsewhere.example")]
    #[case("container: elsewhere")]
    fn a_config_map_names_no_file_of_ours_and_no_storage(#[case] text: &str) {
        let error = of_config_map(text).unwrap_err().to_string();
        assert!(error.contains("cannot be set there"), "{error}");
        assert!(!error.contains("shadow") && !error.contains("elsewhere"), "{error}");
    }

    #[test]
    fn a_config_map_says_what_to_collect() {
        let args = fill(
            CollectArgs::default(),
            Beside::ConfigMap("since: 24h\nskip: [iptables]\n"),
        )
        .unwrap();
        assert_eq!(
            (args.since.as_deref(), args.skip.map(|ids| ids.len())),
            (Some("24h"), Some(1))
        );
    }
}
