//! Helm's releases with their history, in the shape of the original (Periscope contract, section 1.2). Unlike there, a
//! release of the same name in another namespace keeps its history to itself, and releases are told of in whatever
//! state they are.

use std::collections::BTreeMap;

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::to_lines;
use serde::Serialize;

use super::nodes::keep_bytes;
use super::release::{self, Release};
use crate::api_errors::state_of;
use crate::host_files::reason_of;

/// The artifact, in the folder of the original's collector.
pub(super) const RELEASES: &str = "helm/helm_list";

/// The type of the Secrets in which Helm keeps releases.
const SECRET_TYPE: &str = "type=helm.sh/release.v1";

/// Most revisions that are looked at; Helm keeps ten of a release.
const MAX_REVISIONS: usize = 10_000;

#[derive(Serialize)]
struct Entry {
    name: String,
    namespace: String,
    status: String,
    chart: String,
    history: Vec<Step>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    last_deployment: String,
    description: String,
    status: String,
    revision: u64,
    app_version: String,
}

/// Keeps the releases, where the role allows it.
pub(super) async fn gather(access: &ClusterAccess, sink: &Sink) {
    let resource = ResourceType::known("", "v1", "Secret", "secrets", true);
    let scope = ListScope {
        namespace: None,
        fields: Some(SECRET_TYPE.to_owned()),
    };
    let mut list = access.list(&resource, &scope);
    let mut revisions = Vec::new();
    let (mut unreadable, mut why) = (0_usize, String::new());
    let mut ending = loop {
        match list.next().await {
            Ok(Some(_)) if revisions.len() == MAX_REVISIONS => {
                break Some((
                    State::Truncated,
                    format!("only the first {MAX_REVISIONS} revisions are kept"),
                ));
            }
            Ok(Some(secret)) => match release::read(&secret) {
                Ok(release) => revisions.push(release),
                Err(error) => {
                    unreadable += 1;
                    why = error;
                }
            },
            Ok(None) => break None,
            // The role has this right only where the user asked for it: without it nothing is missing that was asked
            // for.
            Err(error) if state_of(&error) == State::Denied => {
                let reason = format!(
                    "{}, where Helm keeps its releases; the component helm of the deployment allows it",
                    reason_of(&error)
                );
                break Some((State::NotApplicable, reason));
            }
            Err(error) => break Some((state_of(&error), reason_of(&error))),
        }
    };
    if ending.is_none() && unreadable > 0 {
        ending = Some((State::Truncated, format!("{unreadable} revisions are left out: {why}")));
    }
    match &ending {
        Some((state, reason)) if revisions.is_empty() => sink.record(RELEASES, *state, reason),
        _ => {
            let spec = ArtifactSpec::new(RELEASES, Content::Json).source("secrets");
            let text = to_lines(&entries(revisions)).unwrap_or_default();
            keep_bytes(sink, spec, &text, ending).await;
        }
    }
}

/// The releases by name, each with its revisions from the first to the last.
fn entries(revisions: Vec<Release>) -> Vec<Entry> {
    let mut releases: BTreeMap<(String, String), Vec<Release>> = BTreeMap::new();
    for release in revisions {
        let key = (release.name.clone(), release.namespace.clone());
        releases.entry(key).or_default().push(release);
    }
    let entries = releases.into_iter().filter_map(|((name, namespace), mut revisions)| {
        revisions.sort_by_key(|release| release.version);
        let last = revisions.last()?;
        Some(Entry {
            name,
            namespace,
            status: last.info.status.clone(),
            chart: last.chart.metadata.name.clone(),
            history: revisions.into_iter().map(step).collect(),
        })
    });
    entries.collect()
}

fn step(release: Release) -> Step {
    Step {
        last_deployment: release.info.last_deployed,
        description: release.info.description,
        status: release.info.status,
        revision: release.version,
        app_version: release.chart.metadata.app_version,
    }
}
