//! Asks the API server what we may do, without doing it (`SelfSubjectAccessReview`, which every identity may create).

use kube::core::Request;
use kube::core::params::PostParams;
use serde::Deserialize;
use serde_json::json;

use crate::access::ClusterAccess;
use crate::call::fetch;
use crate::error::{Call, ClusterError, Trouble, classify};

/// Longest answer: the question again, and a few words.
const MAX_ANSWER: usize = 64 * 1024;
const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What is to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission<'a> {
    /// The verb.
    pub verb: &'static str,
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural resource name, with its subresource as `pods/log`.
    pub resource: &'a str,
    /// The namespace; all of them when none is named.
    pub namespace: Option<&'a str>,
    /// Which objects; all of them when nothing is said.
    pub objects: Objects<'a>,
}

/// The objects that a permission is for. The API server lets a kubelet see its own node's only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects<'a> {
    /// All.
    All,
    /// The one of this name.
    Named(&'a str),
    /// Those in which a field has a value.
    Where(&'a str, &'a str),
}

#[derive(Deserialize)]
struct Review {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    allowed: bool,
}

impl ClusterAccess {
    /// Whether the API server would allow it.
    ///
    /// # Errors
    /// [`ClusterError::Api`] when it does not say.
    pub async fn may(&self, permission: &Permission<'_>) -> Result<bool, ClusterError> {
        let Permission {
            verb,
            group,
            resource,
            namespace,
            objects,
        } = permission;
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let call = Call::new("create", "selfsubjectaccessreviews.authorization.k8s.io");
        let mut attributes = json!({
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace.unwrap_or_default(),
        });
        match (objects, attributes.as_object_mut()) {
            (Objects::Named(name), Some(attributes)) => {
                attributes.insert("name".to_owned(), json!(name));
            }
            (Objects::Where(key, value), Some(attributes)) => {
                let requirement = json!({"key": key, "operator": "In", "values": [value]});
                attributes.insert("fieldSelector".to_owned(), json!({"requirements": [requirement]}));
            }
            _ => {}
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let request = Request::new(PATH)
            .create(&PostParams::default(), review.to_string().into_bytes())
            .map_err(|error| classify(&call, Trouble::Client(kube::Error::BuildRequest(error))))?;
        let review: Review = fetch(self.client(), &call, &request, MAX_ANSWER).await?;
        Ok(review.status.allowed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Objects, PATH, Permission};
    use crate::access::mock_access;

    const LIST_PODS: Permission<'_> = Permission {
        verb: "list",
        group: "",
        resource: "pods",
        namespace: None,
        objects: Objects::All,
    };

    #[tokio::test]
    async fn the_servers_word_is_taken() {
        let answer = |allowed: bool| {
            (
                201,
                json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}),
            )
        };
        let refused = (403, json!({"kind": "Status", "code": 403}));
        let (access, asked) = mock_access(vec![answer(true), answer(false), refused]);
        assert!(access.may(&LIST_PODS).await.unwrap());
        assert!(!access.may(&LIST_PODS).await.unwrap());
        assert!(access.may(&LIST_PODS).await.is_err());
        assert!(asked.await.unwrap().iter().all(|path| path.starts_with(PATH)));
    }
}
