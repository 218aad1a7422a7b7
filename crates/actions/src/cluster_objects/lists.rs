//! Lists of raw objects, kept one by one as they come.

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{Sink, State};
use periscope_redact::object::redact;
use serde_json::Value;

use crate::api_errors::state_of;
use crate::cluster_health::text;
use crate::host_files::reason_of;
use crate::kube_objects::{Ending, ObjectFile, objects_path};

/// Keeps all objects of a type that have no namespace, and shows each to `look`. Says how the list ended, when not
/// well.
pub(super) async fn keep(
    access: &ClusterAccess,
    sink: &Sink,
    resource: &ResourceType,
    mut look: impl FnMut(&Value),
) -> Ending {
    let mut file = ObjectFile::new(sink, resource, objects_path(resource, None));
    let mut list = access.list(resource, &ListScope::default());
    let ending = loop {
        match list.next().await {
            Ok(Some(mut object)) => {
                look(&object);
                let removed = redact(&mut object);
                file.add(&object, &removed).await;
            }
            Ok(None) => break None,
            Err(error) => break Some((state_of(&error), reason_of(&error))),
        }
        if file.is_full() {
            let reason = "the list was read no further, as the raw objects reached their limit".to_owned();
            break Some((State::Truncated, reason));
        }
    };
    file.finish(&ending).await;
    ending
}

/// An object's name.
pub(super) fn name(object: &Value) -> String {
    text(object, "/metadata/name")
}
