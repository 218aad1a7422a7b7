//! What a run is to do, checked: every word of the command line and the configuration has its meaning here, or is
//! refused with one line that names it. Nothing is written before this has passed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use periscope_actions::{CATALOG, Entry, KubeObjectEntry, Namespaces, OutboundTarget, Settings as ActionSettings};
use periscope_bundle::BudgetLimits;
use periscope_core::{Format, NodeName, RunId};
use periscope_host::HostPath;
use periscope_scan::RuleSet;

use super::config::Beside;
use super::{config, quantity};
use crate::args::{CollectArgs, StorageArgs};
use crate::exit::Ended;
use crate::rules;
use crate::storage::{self, StorageSettings};

/// What a run may take if the user says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(20);
/// How large an archive may become if the user says nothing.
const DEFAULT_MAX_BYTES: u64 = 4 << 30;
/// Most targets that a user may name: all are tried at once, and a node is no port scanner.
const MAX_OUTBOUND_TARGETS: usize = 64;

/// Stands for every namespace.
const ALL_NAMESPACES: &str = "*";

/// A checked run.
pub(crate) struct Settings {
    pub(crate) output: Option<PathBuf>,
    pub(crate) run_id: Option<RunId>,
    pub(crate) node_name: Option<NodeName>,
    pub(crate) host_root: Option<PathBuf>,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) entries: Vec<&'static Entry>,
    pub(crate) actions: ActionSettings,
    pub(crate) since: Option<Timestamp>,
    pub(crate) format: Format,
    pub(crate) budget: BudgetLimits,
    pub(crate) timeout: Duration,
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) storage: Option<StorageSettings>,
    pub(crate) plan: bool,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Settings {
    /// Checks what the user asked for.
    pub(crate) fn check(args: CollectArgs, beside: Beside<'_>) -> Result<Self> {
        let CollectArgs {
            output,
            run_id,
            node_name,
            host_root,
            kubeconfig,
            actions,
            skip,
            namespaces,
            kube_objects,
            node_logs,
            journal_units,
            internet_target,
            outbound_targets,
            since,
            format,
            max_bytes,
            timeout,
            rules,
            upload,
            no_upload,
            storage,
            config: _,
            plan,
            json,
            quiet,
        } = config::fill(args, beside)?;

        let entries = choose(actions.as_deref(), skip.as_deref().unwrap_or_default())?;
        let format = parse_or(format.as_deref(), Format::TarGz)?;
        let by_user = max_bytes.is_some();
        let archive_bytes = max_bytes
            .as_deref()
            .map_or(Ok(DEFAULT_MAX_BYTES), quantity::size)
            .map_err(Ended::usage)?;
        let defaults = ActionSettings::default();
        let actions = ActionSettings {
            namespaces: namespaces.map_or(Ok(defaults.namespaces), parse_namespaces)?,
            kube_objects: checked::<KubeObjectEntry>(kube_objects.unwrap_or(defaults.kube_objects))?,
            node_logs: parse_node_logs(node_logs.unwrap_or(defaults.node_logs))?,
            journal_units: parse_units(journal_units.unwrap_or(defaults.journal_units))?,
            internet_target: checked_one::<OutboundTarget>(internet_target.unwrap_or(defaults.internet_target))?,
            outbound_targets: parse_targets(outbound_targets.unwrap_or(defaults.outbound_targets))?,
            ..ActionSettings::default()
        };
        Ok(Self {
            output,
            run_id: parse_named(run_id)?,
            node_name: parse_named(node_name)?,
            host_root,
            kubeconfig,
            entries,
            actions,
            since: since
                .map(|text| quantity::since(&text, Timestamp::now()))
                .transpose()
                .map_err(Ended::usage)?,
            format,
            budget: BudgetLimits {
                archive_bytes,
                by_user,
                unpacked: format == Format::Unpacked,
            },
            timeout: timeout
                .as_deref()
                .map_or(Ok(DEFAULT_TIMEOUT), quantity::span)
                .map_err(Ended::usage)?,
            rules: rules::load(rules.as_deref())?,
            storage: check_storage(storage, upload, no_upload, format)?,
            plan,
            json,
            quiet,
        })
    }
}

fn check_storage(args: StorageArgs, upload: bool, no_upload: bool, format: Format) -> Result<Option<StorageSettings>> {
    if no_upload || (!upload && args.storage_account.as_deref().is_none_or(str::is_empty)) {
        return Ok(None);
    }
    let packed = if format == Format::Unpacked {
        Format::TarGz
    } else {
        format
    };
    storage::check(args, packed).map(Some)
}

/// A name that may be absent; an empty one is (an unset `ConfigMap` key arrives so).
fn parse_named<T: std::str::FromStr<Err: std::fmt::Display>>(text: Option<String>) -> Result<Option<T>> {
    text.filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(Ended::usage))
        .transpose()
}

fn parse_or<T: std::str::FromStr<Err: std::fmt::Display>>(text: Option<&str>, default: T) -> Result<T> {
    text.map_or(Ok(default), |text| text.parse().map_err(Ended::usage))
}

/// The words, each found to be what it should be.
fn checked<T: std::str::FromStr<Err: std::fmt::Display>>(words: Vec<String>) -> Result<Vec<String>> {
    words.into_iter().map(checked_one::<T>).collect()
}

fn checked_one<T: std::str::FromStr<Err: std::fmt::Display>>(word: String) -> Result<String> {
    match word.parse::<T>() {
        Ok(_) => Ok(word),
        Err(error) => Err(Ended::usage(error)),
    }
}

/// The catalogue's entries that are wanted, in its order.
fn choose(only: Option<&[String]>, skip: &[String]) -> Result<Vec<&'static Entry>> {
    let known = |id: &String| CATALOG.iter().any(|entry| entry.descriptor.id == id);
    if let Some(unknown) = only.unwrap_or_default().iter().chain(skip).find(|id| !known(id)) {
        let ids: Vec<_> = CATALOG.iter().map(|entry| entry.descriptor.id).collect();
        return Err(Ended::usage(format!(
            "unknown action {unknown:?}: expected some of {}",
            ids.join(", ")
        )));
    }
    let wanted = |id: &str| only.is_none_or(|only| only.iter().any(|o| o == id)) && !skip.iter().any(|s| s == id);
    let entries: Vec<_> = CATALOG.iter().filter(|entry| wanted(entry.descriptor.id)).collect();
    if entries.is_empty() {
        return Err(Ended::usage(
            "no action is left: expected --actions and --skip to leave at least one",
        ));
    }
    Ok(entries)
}

fn parse_targets(targets: Vec<String>) -> Result<Vec<String>> {
    match targets.len() {
        0..=MAX_OUTBOUND_TARGETS => checked::<OutboundTarget>(targets),
        many => Err(Ended::usage(format!(
            "too many outbound targets: {many}, expected at most {MAX_OUTBOUND_TARGETS}"
        ))),
    }
}

fn parse_node_logs(paths: Vec<String>) -> Result<Vec<String>> {
    paths.iter().try_for_each(|path| check_node_log(path))?;
    Ok(paths)
}

/// Whether it is a path or a glob of the node.
pub(crate) fn check_node_log(path: &str) -> Result<()> {
    path.parse::<HostPath>().map(drop).map_err(|error| {
        Ended::usage(format!(
            "invalid node log: {error}, expected an absolute path or glob as /var/log/syslog*"
        ))
    })
}

/// Whether it is an entry of the list of objects.
pub(crate) fn check_kube_object(entry: &str) -> Result<()> {
    entry.parse::<KubeObjectEntry>().map(drop).map_err(Ended::usage)
}

/// Unit names (systemd.unit(5)), in which `*`, `?` and sets in brackets stand for others.
fn parse_units(units: Vec<String>) -> Result<Vec<String>> {
    let is_unit = |unit: &str| {
        let (opened, closed) = (unit.matches('[').count(), unit.matches(']').count());
        (1..=255).contains(&unit.len())
            && opened == closed
            && unit
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b":_.\\@-*?[]!".contains(&b))
    };
    match units.iter().find(|unit| !is_unit(unit)) {
        Some(bad) => Err(Ended::usage(format!(
            "invalid unit {bad:?}: expected the name of a systemd unit or a glob as azure-*"
        ))),
        None => Ok(units),
    }
}

fn parse_namespaces(names: Vec<String>) -> Result<Namespaces> {
    if names.iter().any(|name| name == ALL_NAMESPACES) {
        return Ok(Namespaces::All);
    }
    if names.is_empty() {
        return Err(Ended::usage("no namespace: expected at least one name, or *"));
    }
    names.iter().try_for_each(|name| check_namespace(name))?;
    Ok(Namespaces::Only(names))
}

/// Whether it can be the name of a namespace, which is a DNS label (RFC 1123).
pub(crate) fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Refuses what neither is the name of a namespace nor stands for all.
pub(crate) fn check_namespace(name: &str) -> Result<()> {
    if is_label(name) || name == ALL_NAMESPACES {
        return Ok(());
    }
    Err(Ended::usage(format!(
        "invalid namespace {name:?}: expected a name as kube-system, or *"
    )))
}

#[cfg(test)]
mod tests {
    use super::{Beside, Settings};
    use crate::args::CollectArgs;
    use rstest::rstest;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[rstest]
    #[case(CollectArgs { run_id: Some("a/b".into()), ..CollectArgs::default() }, "invalid run id \"a/b\"")]
    #[case(CollectArgs { node_name: Some("..".into()), ..CollectArgs::default() }, "invalid node name \"..\"")]
    #[case(CollectArgs { actions: Some(words(&["dsn"])), ..CollectArgs::default() }, "unknown action \"dsn\"")]
    #[case(CollectArgs { namespaces: Some(words(&["Kube_System"])), ..CollectArgs::default() }, "invalid namespace \"Kube_System\"")]
    #[case(CollectArgs { format: Some("rar".into()), ..CollectArgs::default() }, "unknown format \"rar\"")]
    #[case(CollectArgs { max_bytes: Some("many".into()), ..CollectArgs::default() }, "invalid size \"many\"")]
    #[case(CollectArgs { timeout: Some("5".into()), ..CollectArgs::default() }, "invalid span \"5\"")]
    #[case(CollectArgs { since: Some("x".into()), ..CollectArgs::default() }, "invalid time \"x\"")]
    #[case(CollectArgs { node_logs: Some(words(&["a/b"])), ..CollectArgs::default() }, "invalid node log: \"a/b\"")]
    #[case(CollectArgs { journal_units: Some(words(&[""])), ..CollectArgs::default() }, "invalid unit \"\"")]
    #[case(CollectArgs { journal_units: Some(words(&["[x"])), ..CollectArgs::default() }, "invalid unit \"[x\"")]
    #[case(CollectArgs { outbound_targets: Some(vec!["a".into(); 65]), ..CollectArgs::default() }, "too many outbound targets: 65")]
    #[case(CollectArgs { upload: true, ..CollectArgs::default() }, "no storage account")]
    fn a_bad_value_is_named_with_what_was_expected(#[case] args: CollectArgs, #[case] start: &str) {
        let error = Settings::check(args, Beside::File).err().expect("refused").to_string();
        assert!(error.starts_with(start) && error.contains("expected"), "{error}");
    }

    #[test]
    fn an_empty_run_id_is_none() {
        let args = CollectArgs {
            run_id: Some(String::new()),
            ..CollectArgs::default()
        };
        assert!(Settings::check(args, Beside::File).unwrap().run_id.is_none());
    }
}
