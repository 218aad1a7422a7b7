//! What can go wrong with the API server, and the one place where its answers are classified.
//!
//! It does not decide what a failure means for a run: callers map a [`Failure`] to the state of their item.

use std::{error::Error, fmt, io, time::Duration};

use thiserror::Error;

/// Any failure of this crate.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No source gave an API server: an ordinary answer on a machine that is not part of a cluster.
    #[error("no API server known ({})", tried.join("; "))]
    NoApiServer {
        /// One line per source that was tried, with what it lacked.
        tried: Vec<String>,
    },
    /// A kubeconfig that the user named cannot be used.
    #[error("kubeconfig {path} cannot be used")]
    Kubeconfig {
        /// The file as it was named.
        path: String,
        /// Why not.
        source: Cause,
    },
    /// A request was refused or got no usable answer.
    #[error("{}", failure.sentence(call))]
    Api {
        /// The kind of failure.
        failure: Failure,
        /// What was asked.
        call: Call,
        /// What the API server or the transport said.
        source: Cause,
    },
}

impl ClusterError {
    /// The kind of failure of a request; `None` when no request was made.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Api { failure, .. } => Some(*failure),
            Self::NoApiServer { .. } | Self::Kubeconfig { .. } => None,
        }
    }
}

/// The kinds of failed requests that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 401 or 403: the identity is unknown, or may not do this.
    Denied,
    /// 404: the object, or the resource type, does not exist.
    NotFound,
    /// No answer within the bound, or a gateway gave up waiting (408, 504).
    TimedOut,
    /// No HTTP answer at all: name resolution, TCP or TLS failed.
    Unreachable,
    /// Anything else: server errors, answers that are not what the API promises, answers over the size bound.
    Failed,
}

impl Failure {
    fn sentence(self, call: &Call) -> String {
        match self {
            Self::Denied => format!("not allowed to {call}"),
            Self::NotFound => format!("cannot {call}: not found"),
            Self::TimedOut => format!("cannot {call}: no answer in time"),
            Self::Unreachable => format!("cannot {call}: the API server cannot be reached"),
            Self::Failed => format!("cannot {call}"),
        }
    }
}

/// A request in the words of the API: verb, resource, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The API verb: `list`, `get`, …
    pub verb: &'static str,
    /// The resource as RBAC names it: `pods`, `deployments.apps`, `pods/log`.
    pub resource: String,
    /// The namespace, for requests within one.
    pub namespace: Option<String>,
    /// The object, for requests about one.
    pub name: Option<String>,
}

impl Call {
    pub(crate) fn new(verb: &'static str, resource: impl Into<String>) -> Self {
        Self {
            verb,
            resource: resource.into(),
            namespace: None,
            name: None,
        }
    }

    pub(crate) fn within(mut self, namespace: Option<&str>) -> Self {
        self.namespace = namespace.map(str::to_owned);
        self
    }

    pub(crate) fn of(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in namespace {namespace}")?;
        }
        Ok(())
    }
}

/// The text of an underlying failure, each link of its chain said once.
///
/// A text and not the error itself, because the client's own errors repeat their sources and their debug form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Joins a chain, leaving out links whose text the previous one already carries. Of each link only the first line
    /// is taken: a parser of kubeconfigs puts the lines around the fault, credentials and all, below it.
    pub(crate) fn chain(error: &(dyn Error + 'static)) -> Self {
        let mut text = String::new();
        for link in links(error) {
            let link = link.to_string();
            let next = link.lines().next().unwrap_or_default();
            if !text.contains(next) {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(next);
            }
        }
        Self(text)
    }
}

/// Why a request gave nothing, before it is classified.
#[derive(Debug)]
pub(crate) enum Trouble {
    Client(kube::Error),
    Body(io::Error),
    Overdue(Duration),
    Answer(String),
}

/// The one place where failed requests get their kind.
pub(crate) fn classify(call: &Call, trouble: Trouble) -> ClusterError {
    let (failure, source) = match trouble {
        Trouble::Client(kube::Error::Api(status)) => (of_status(status.code), Cause(status_text(&status))),
        Trouble::Client(error) => (of_transport(&error), Cause::chain(&error)),
        Trouble::Body(error) => (of_transport(&error), Cause::chain(&error)),
        Trouble::Overdue(bound) => (
            Failure::TimedOut,
            Cause(format!("no answer within {} s", bound.as_secs())),
        ),
        Trouble::Answer(text) => (Failure::Failed, Cause(text)),
    };
    ClusterError::Api {
        failure,
        call: call.clone(),
        source,
    }
}

fn of_status(code: u16) -> Failure {
    match code {
        401 | 403 => Failure::Denied,
        404 => Failure::NotFound,
        408 | 504 => Failure::TimedOut,
        _ => Failure::Failed,
    }
}

fn of_transport(error: &(dyn Error + 'static)) -> Failure {
    let mut transport = false;
    for io in links(error).filter_map(|link| link.downcast_ref::<io::Error>()) {
        if io.kind() == io::ErrorKind::TimedOut {
            return Failure::TimedOut;
        }
        transport = true;
    }
    if transport
        || matches!(
            error.downcast_ref(),
            Some(kube::Error::Service(_) | kube::Error::HyperError(_))
        )
    {
        Failure::Unreachable
    } else {
        Failure::Failed
    }
}

fn status_text(status: &kube::core::Status) -> String {
    let said = if status.message.is_empty() {
        &status.reason
    } else {
        &status.message
    };
    format!("HTTP {}: {said}", status.code)
}

/// The links of an error chain, the error itself first. An `io::Error` hides the error it wraps from `source()`, so it
/// is opened here.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    /// Longer than any chain seen; guards against a `source()` that leads back to itself.
    const MAX_LINKS: usize = 16;
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| {
        let link: &'a (dyn Error + 'static) = *link;
        let wrapped = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => link.source(),
        }
    })
    .take(MAX_LINKS)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;

    use super::*;

    fn call() -> Call {
        Call::new("list", "deployments.apps").within(Some("kube-system"))
    }

    fn api(code: u16) -> Trouble {
        Trouble::Client(kube::Error::Api(
            Status::failure("the text", "Reason").with_code(code).boxed(),
        ))
    }

    fn service(error: impl Into<Box<dyn Error + Send + Sync>>) -> Trouble {
        Trouble::Client(kube::Error::Service(error.into()))
    }

    #[rstest]
    #[case::unauthorized(api(401), Failure::Denied)]
    #[case::forbidden(api(403), Failure::Denied)]
    #[case::missing(api(404), Failure::NotFound)]
    #[case::request_timeout(api(408), Failure::TimedOut)]
    #[case::gateway_timeout(api(504), Failure::TimedOut)]
    #[case::throttled(api(429), Failure::Failed)]
    #[case::internal(api(500), Failure::Failed)]
    #[case::refused(service(io::Error::from(io::ErrorKind::ConnectionRefused)), Failure::Unreachable)]
    #[case::tls(
        service(io::Error::other("invalid peer certificate: UnknownIssuer")),
        Failure::Unreachable
    )]
    #[case::no_io_in_the_chain(service("buffer closed"), Failure::Unreachable)]
    #[case::connect_timeout(service(io::Error::from(io::ErrorKind::TimedOut)), Failure::TimedOut)]
    #[case::timeout_inside_a_wrapper(
        Trouble::Body(io::Error::other(io::Error::from(io::ErrorKind::TimedOut))),
        Failure::TimedOut
    )]
    #[case::body_reset(Trouble::Body(io::Error::from(io::ErrorKind::ConnectionReset)), Failure::Unreachable)]
    #[case::our_own_bound(Trouble::Overdue(Duration::from_mins(1)), Failure::TimedOut)]
    #[case::not_json(Trouble::Answer("not a list".into()), Failure::Failed)]
    fn every_trouble_has_its_kind(#[case] trouble: Trouble, #[case] expected: Failure) {
        assert_eq!(classify(&call(), trouble).failure(), Some(expected));
    }

    #[test]
    fn denied_names_verb_resource_and_namespace_and_keeps_the_server_text_in_the_source() {
        let error = classify(&call(), api(403));
        assert_eq!(
            error.to_string(),
            "not allowed to list deployments.apps in namespace kube-system"
        );
        assert_eq!(error.source().unwrap().to_string(), "HTTP 403: the text");
    }

    #[test]
    fn a_chain_says_each_link_once() {
        let cause = Cause::chain(&kube::Error::Service(
            io::Error::other("certificate has expired").into(),
        ));
        assert_eq!(cause.to_string(), "ServiceError: certificate has expired");
    }
}
