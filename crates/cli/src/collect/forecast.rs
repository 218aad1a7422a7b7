//! `collect --plan`: everything that a run would take and what it would be denied, told without taking or writing anything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use periscope_cluster::{ClusterAccess, Objects, Permission};
use periscope_core::{NodeInfo, PlanContext, Planned, PlannedItem, Rbac, State, Support};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::run::show_size;
use crate::screen::{Ink, push};

/// How long one action may look around.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the API server may take for all questions about permissions.
const API_TIMEOUT: Duration = Duration::from_secs(30);
/// Where a permission is asked for when there is none for all namespaces: its pods are those of the cluster itself.
const SYSTEM: &str = "kube-system";
/// Where the leases of nodes are.
const LEASES: &str = "kube-node-lease";

/// What one action would take.
struct Part {
    id: &'static str,
    summary: &'static str,
    items: Vec<PlannedItem>,
    rights: Vec<Right>,
}

/// A permission that an action needs of the Kubernetes API.
struct Right {
    /// In words, such as `list pods`.
    what: String,
    state: State,
    reason: Option<String>,
}

/// What a run would take.
pub(super) struct Forecast {
    node: NodeInfo,
    parts: Vec<Part>,
}

/// Sums over some items.
#[derive(Default)]
struct Sums {
    items: usize,
    bytes: u64,
    packed: u64,
    unknown: usize,
    missing: usize,
}

impl Forecast {
    /// Looks at what each action would take.
    pub(super) async fn make(
        plan: Vec<Planned>,
        node: &NodeInfo,
        since: Option<Timestamp>,
        cluster: &Result<ClusterAccess, String>,
    ) -> Self {
        let cx = PlanContext {
            node: Arc::new(node.clone()),
            since,
        };
        let mut asked = BTreeMap::new();
        if let Ok(cluster) = cluster {
            let rules = plan.iter().flat_map(|planned| planned.descriptor.rbac);
            // What got no answer in time is not known.
            timeout(API_TIMEOUT, ask(cluster, node.name.as_str(), rules, &mut asked))
                .await
                .ok();
        }
        let mut parts = Vec::new();
        for planned in plan {
            let rights = rights(planned.descriptor.rbac, cluster, &asked);
            parts.push(Part {
                id: planned.descriptor.id,
                summary: planned.descriptor.summary,
                items: items(&planned, &cx).await,
                rights,
            });
        }
        Self {
            node: node.clone(),
            parts,
        }
    }

    /// For people.
    pub(super) fn as_text(&self) -> String {
        let ink = Ink::of_stdout();
        let mut text = String::new();
        push(
            &mut text,
            format_args!(
                "Plan for node {}: nothing is taken and nothing is written",
                self.node.name
            ),
        );
        for part in &self.parts {
            push(&mut text, format_args!("\n{}  {}", ink.bold(part.id), part.summary));
            for item in &part.items {
                push_item(&mut text, item, ink);
            }
            for right in &part.rights {
                let reason = right
                    .reason
                    .as_deref()
                    .map(|reason| format!("  ({reason})"))
                    .unwrap_or_default();
                let what = format!("the right to {}", right.what);
                push(
                    &mut text,
                    format_args!("  {:<14} {:>10}  {what}{reason}", word(right.state), ""),
                );
            }
        }
        let sums = self.sums();
        push(
            &mut text,
            format_args!(
                "\n{}  {} items of known size with {}, about {} in the archive; {} of unknown size; {} missing or denied",
                ink.bold("Sum"),
                sums.items,
                show_size(sums.bytes),
                show_size(sums.packed),
                sums.unknown,
                sums.missing
            ),
        );
        text
    }

    /// For machines.
    pub(super) fn as_json(&self) -> Result<String> {
        let sums = self.sums();
        let document = json!({
            "node": self.node.name,
            "actions": self.parts.iter().map(part_json).collect::<Vec<_>>(),
            "bytes": sums.bytes,
            "packedBytes": sums.packed,
            "itemsOfUnknownSize": sums.unknown,
            "itemsMissing": sums.missing,
        });
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for item in self.parts.iter().flat_map(|part| &part.items) {
            match (item.state, item.bytes) {
                (State::Collected, Some(bytes)) => {
                    sums.items += 1;
                    sums.bytes += bytes;
                    sums.packed += item.packed_bytes.unwrap_or(bytes);
                }
                (State::Collected, None) => sums.unknown += 1,
                _ => sums.missing += 1,
            }
        }
        sums
    }
}

/// The items of an action, within its limit.
async fn items(planned: &Planned, cx: &PlanContext) -> Vec<PlannedItem> {
    let look = async {
        match planned.action.supported(&cx.node).await {
            Support::No(reason) => Err(reason),
            Support::Yes => Ok(planned.action.plan(cx).await),
        }
    };
    let promised = planned.descriptor.items.iter();
    match timeout(LOOK_TIMEOUT, look).await {
        Ok(Ok(Some(mut items))) => {
            for item in &mut items {
                hold(item, planned.limit.bytes);
            }
            items
        }
        Ok(Err(reason)) => promised
            .map(|item| PlannedItem::missing(item.path, State::NotApplicable, &reason).source(item.summary))
            .collect(),
        Ok(Ok(None)) => promised.map(|item| PlannedItem::new(item.path, item.summary)).collect(),
        Err(_) => {
            let reason = format!("not known: looking took more than {} s", LOOK_TIMEOUT.as_secs());
            promised
                .map(|item| PlannedItem {
                    reason: Some(reason.clone()),
                    ..PlannedItem::new(item.path, item.summary)
                })
                .collect()
        }
    }
}

/// Of what is larger than the limit, so much is taken.
fn hold(item: &mut PlannedItem, limit: u64) {
    if let Some(bytes) = item.bytes.filter(|bytes| *bytes > limit) {
        item.packed_bytes = item.packed_bytes.map(|packed| {
            let part = u128::from(packed) * u128::from(limit) / u128::from(bytes);
            u64::try_from(part).unwrap_or(packed)
        });
        item.bytes = Some(limit);
        item.reason = Some(format!("{} would be cut to that", show_size(bytes)));
    }
}

/// A right, as the API server is asked for it.
type Asked = (&'static str, &'static str, &'static str);

/// What the API server said, and where.
type Answers = BTreeMap<Asked, Result<Option<&'static str>, String>>;

async fn ask(cluster: &ClusterAccess, node: &str, rules: impl Iterator<Item = &'static Rbac>, answers: &mut Answers) {
    for asked in rules.flat_map(each) {
        if let Entry::Vacant(place) = answers.entry(asked) {
            place.insert(ask_one(cluster, node, asked).await);
        }
    }
}

/// Where the right is given: everywhere, among the cluster's own pods, or at least for what is this node's.
async fn ask_one(
    cluster: &ClusterAccess,
    node: &str,
    (verb, group, resource): Asked,
) -> Result<Option<&'static str>, String> {
    let own = match resource {
        "nodes" => (None, Objects::Named(node)),
        "pods" => (None, Objects::Where("spec.nodeName", node)),
        _ => (Some(LEASES), Objects::Named(node)),
    };
    let tries = [
        (None, Objects::All, "in all namespaces"),
        (Some(SYSTEM), Objects::All, "only in kube-system"),
        (own.0, own.1, "only for this node"),
    ];
    for (namespace, objects, place) in tries {
        let permission = Permission {
            verb,
            group,
            resource,
            namespace,
            objects,
        };
        match cluster.may(&permission).await {
            Ok(true) => return Ok(Some(place)),
            Ok(false) => {}
            Err(error) => return Err(format!("{:#}", anyhow::Error::from(error))),
        }
    }
    Ok(None)
}

fn each(rule: &'static Rbac) -> impl Iterator<Item = Asked> {
    let resources = rule.resources.iter();
    resources.flat_map(move |resource| rule.verbs.iter().map(move |verb| (*verb, rule.group, *resource)))
}

fn rights(rules: &'static [Rbac], cluster: &Result<ClusterAccess, String>, answers: &Answers) -> Vec<Right> {
    let right = |(verb, group, resource): Asked| {
        let dot = if group.is_empty() { "" } else { "." };
        let (state, reason) = match (cluster, answers.get(&(verb, group, resource))) {
            (Err(reason), _) => (State::NotApplicable, Some(reason.clone())),
            (Ok(_), Some(Ok(Some(place)))) => (State::Collected, Some((*place).to_owned())),
            (Ok(_), Some(Ok(None))) => (State::Denied, None),
            (Ok(_), Some(Err(error))) => (State::Failed, Some(error.clone())),
            (Ok(_), None) => (State::TimedOut, Some("the API server did not say in time".to_owned())),
        };
        Right {
            what: format!("{verb} {resource}{dot}{group}"),
            state,
            reason,
        }
    };
    rules.iter().flat_map(each).map(right).collect()
}

/// What a state means in a plan.
fn word(state: State) -> &'static str {
    if state == State::Collected {
        "yes"
    } else {
        state.as_str()
    }
}

fn push_item(text: &mut String, item: &PlannedItem, ink: Ink) {
    let size = match (item.state, item.bytes) {
        (_, Some(bytes)) => show_size(bytes),
        (State::Collected, None) => "?".to_owned(),
        _ => String::new(),
    };
    // Writing into a string does not fail.
    write!(
        text,
        "  {:<14} {size:>10}  {}",
        word(item.state),
        in_one_line(&item.name)
    )
    .ok();
    if let Some(source) = &item.source {
        write!(text, "  {}", ink.dim(&in_one_line(source))).ok();
    }
    if let Some(reason) = &item.reason {
        write!(text, "  ({})", in_one_line(reason)).ok();
    }
    text.push('\n');
}

/// Names of files come from the node: a terminal must not obey them.
fn in_one_line(text: &str) -> String {
    let text = periscope_redact::redact_str(text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn part_json(part: &Part) -> Value {
    let item = |item: &PlannedItem| {
        json!({
            "path": format!("{}/{}", part.id, periscope_redact::redact_str(&item.name)),
            "source": item.source.as_deref().map(periscope_redact::redact_str),
            "state": word(item.state),
            "reason": item.reason,
            "bytes": item.bytes,
            "packedBytes": item.packed_bytes,
        })
    };
    let right = |right: &Right| json!({"right": right.what, "state": word(right.state), "reason": right.reason});
    json!({
        "action": part.id,
        "summary": part.summary,
        "items": part.items.iter().map(item).collect::<Vec<_>>(),
        "rights": part.rights.iter().map(right).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use periscope_core::PlannedItem;

    use super::{hold, in_one_line};

    #[test]
    fn what_is_larger_than_the_limit_counts_as_far_as_it_is_taken() {
        let mut item = PlannedItem::new("a", "/a").of_text(1000);
        hold(&mut item, 100);
        assert_eq!((item.bytes, item.packed_bytes), (Some(100), Some(20)));
        assert_eq!(item.reason.as_deref(), Some("1000 B would be cut to that"));
        let mut small = PlannedItem::new("a", "/a").of_text(100);
        hold(&mut small, 100);
        assert_eq!((small.bytes, small.reason), (Some(100), None));
    }

    #[test]
    fn a_name_is_one_harmless_line() {
        assert_eq!(in_one_line("a\n\x1b[2Jb"), "a \u{fffd}[2Jb");
    }
}
