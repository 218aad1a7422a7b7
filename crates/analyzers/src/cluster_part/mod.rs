//! The part of a run that is the same for all nodes, as the archive `cluster.zip` of the agent has it: what the cluster
//! says of its nodes and of the pods of all namespaces. What one node says of itself is judged elsewhere.

mod health;
mod images;
mod node_events;
mod nodes;

use periscope_core::{Inputs, Place, Scope};
use periscope_documents::names;

pub(crate) use health::{NODE_EVENT, judge as judge_health};
pub(crate) use images::judge as judge_images;

use crate::artifact;

/// The actions of the part.
const ACTIONS: [&str; 2] = [names::CLUSTER_OBJECTS, names::KUBE_OBJECTS];

/// Most objects that a sentence names.
const MAX_NAMED: usize = 4;

/// Whose artifacts these are. Of a run that gathered both it is the node's: what the cluster says is then beside it.
pub fn scope_of(inputs: &dyn Inputs) -> Scope {
    let folder = format!("{}/", Place::Node.path(inputs.node(), "", ""));
    let mut actions: Vec<_> = inputs
        .list(&folder)
        .iter()
        .filter_map(|path| Some(path.as_str().strip_prefix(&folder)?.split('/').next()?.to_owned()))
        .collect();
    actions.dedup();
    let is_asked_for = || artifact::is_planned(inputs, names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS);
    if actions.iter().all(|action| ACTIONS.contains(&action.as_str())) && (!actions.is_empty() || is_asked_for()) {
        Scope::Cluster
    } else {
        Scope::Node
    }
}

/// `a`, `a, b` or `a, b, c, d and 5 more`.
pub(crate) fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let (shown, more) = names.split_at(names.len().min(MAX_NAMED));
    let shown = shown.join(", ");
    if more.is_empty() {
        shown
    } else {
        format!("{shown} and {} more", more.len())
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Inputs, Scope, State};
    use periscope_documents::names;
    use rstest::rstest;

    use super::{named, scope_of};
    use crate::fixture::Artifacts;

    #[rstest]
    #[case::cluster(Artifacts::default().with(names::CLUSTER_OBJECTS, "nodes.txt", "t").with(names::KUBE_OBJECTS, "a.txt", "t"), Scope::Cluster)]
    #[case::refused(Artifacts::default().without(names::CLUSTER_OBJECTS, names::CLUSTER_EVENTS, State::Denied), Scope::Cluster)]
    #[case::both(Artifacts::default().with(names::CLUSTER_OBJECTS, "nodes.txt", "t").with(names::DNS, "lookups.json", "t"), Scope::Node)]
    #[case::node(Artifacts::default().with(names::DNS, "lookups.json", "t"), Scope::Node)]
    #[case::nothing(Artifacts::default(), Scope::Node)]
    fn whose_they_are_is_known_by_what_there_is(#[case] artifacts: impl Inputs, #[case] scope: Scope) {
        assert_eq!(scope_of(&artifacts), scope);
    }

    #[test]
    fn few_are_named() {
        assert_eq!(named(["a", "b"]), "a, b");
        assert_eq!(named(["a", "b", "c", "d", "e"]), "a, b, c, d and 1 more");
    }
}
