//! One request to the API server, with a bound in time and its failure told in one line.

use std::fmt;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::{Client, core::GroupVersionKind};
use periscope_manifests::Object;
use tokio::time::timeout;

/// The bound of one request. Admission webhooks may take 30 s of it.
const ANSWER: Duration = Duration::from_secs(40);

/// A request that was refused or got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct ApiError {
    /// The HTTP status, where there was an answer.
    pub(super) code: Option<u16>,
    message: String,
}

impl ApiError {
    /// An answer that cannot be worked with.
    pub(super) fn new(message: String) -> Self {
        Self {
            code: Some(409),
            message,
        }
    }

    /// Whether what was asked for is not there.
    pub(super) fn is_absent(&self) -> bool {
        self.code == Some(404)
    }

    /// Whether trying it again later may help: the server is busy, or there was none.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.code, None | Some(429 | 500 | 502 | 503 | 504))
    }
}

/// Makes a request; `what` says it in words, such as `apply daemonset aks-periscope`.
pub(super) async fn ask<T>(
    what: impl fmt::Display,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match timeout(ANSWER, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(told(&what, &error)),
        Err(_) => Err(ApiError {
            code: None,
            message: format!("cannot {what}: no answer within {} s", ANSWER.as_secs()),
        }),
    }
}

fn told(what: &impl fmt::Display, error: &kube::Error) -> ApiError {
    let kube::Error::Api(status) = error else {
        let why = periscope_core::with_causes(error);
        return ApiError {
            code: None,
            message: format!("cannot {what}: {why}"),
        };
    };
    let message = match status.code {
        401 => format!("cannot {what}: the API server does not know the kubeconfig's user (HTTP 401)"),
        403 => format!(
            "not allowed to {what}: {} (expected the rights of a cluster administrator)",
            status.message
        ),
        code => format!("cannot {what}: {} (HTTP {code})", status.message),
    };
    ApiError {
        code: Some(status.code),
        message,
    }
}

/// The kind of an object, in lower case: how people and `kubectl` name it.
pub(super) fn named(object: &Object) -> String {
    format!("{} {}", object.kind.to_lowercase(), object.name)
}

/// Objects of the kind and in the place of this one.
pub(super) fn api_of(client: &Client, object: &Object) -> Api<DynamicObject> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", object.api_version));
    let kind = GroupVersionKind::gvk(group, version, object.kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, object.plural);
    match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;

    use super::told;

    #[rstest]
    #[case::denied(
        403,
        "not allowed to apply x: the text (expected the rights of a cluster administrator)",
        false
    )]
    #[case::gone(404, "cannot apply x: the text (HTTP 404)", false)]
    #[case::busy(503, "cannot apply x: the text (HTTP 503)", true)]
    fn a_refusal_is_one_line(#[case] code: u16, #[case] expected: &str, #[case] may_pass: bool) {
        let status = Status::failure("the text", "Reason").with_code(code).boxed();
        let error = told(&"apply x", &kube::Error::Api(status));
        assert_eq!((error.to_string().as_str(), error.may_pass()), (expected, may_pass));
    }
}
