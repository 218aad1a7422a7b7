//! From what the SDK reports to one line that names the cause. No signature, token or URL with a query gets into it.

use std::error::Error as _;
use std::io;

use azure_core::error::ErrorKind;

/// Longest text of somebody else that is repeated: identity services explain themselves at length.
const LONGEST_FOREIGN: usize = 300;

/// What the error codes of the blob service mean for an upload
/// (<https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>, `common-rest-api-error-codes`).
pub(super) const CAUSES: &[(&str, &str)] = &[
    ("AccountBeingCreated", "the storage account is still being created"),
    ("AccountIsDisabled", "the storage account is disabled"),
    (
        "AuthenticationFailed",
        "the credential was refused: it is cut or altered, belongs to another account, or a clock is wrong",
    ),
    (
        "AuthorizationFailure",
        "the account's firewall refuses this node, or the credential does not permit this",
    ),
    (
        "AuthorizationPermissionMismatch",
        "the credential does not permit to write blobs there",
    ),
    ("AuthorizationProtocolMismatch", "the SAS is for https only (spr)"),
    (
        "AuthorizationResourceTypeMismatch",
        "the SAS does not cover this kind of resource (srt)",
    ),
    (
        "AuthorizationServiceMismatch",
        "the SAS is not for the blob service (ss)",
    ),
    (
        "AuthorizationSourceIPMismatch",
        "the SAS is not for this node's address (sip)",
    ),
    ("BlobArchived", "the blob that is to be replaced is in the archive tier"),
    (
        "BlobImmutableDueToPolicy",
        "a policy of the container keeps the blob that is there from being replaced",
    ),
    (
        "ContainerBeingDeleted",
        "the container is being deleted: wait a minute, or use another",
    ),
    ("ContainerDisabled", "the container is disabled"),
    (
        "ContainerNotFound",
        "the container is gone, or never was and this credential may not make it",
    ),
    (
        "InsufficientAccountPermissions",
        "the storage account takes no writes at present",
    ),
    ("InternalError", "the service failed"),
    (
        "InvalidAuthenticationInfo",
        "the credential cannot be read by the service",
    ),
    (
        "InvalidBlockList",
        "another upload of the same archive ended at the same time",
    ),
    (
        "KeyBasedAuthenticationNotPermitted",
        "the account takes no SAS that was signed with its key",
    ),
    (
        "LeaseIdMissing",
        "somebody holds a lease on the blob that is to be replaced",
    ),
    (
        "NoAuthenticationInformation",
        "the request reached the service without its credential",
    ),
    ("OperationTimedOut", "the service took too long"),
    (
        "PublicAccessNotPermitted",
        "the request reached the service without its credential",
    ),
    ("ResourceNotFound", "there is no such storage account or container"),
    ("ServerBusy", "the service is too busy"),
    (
        "UnauthorizedBlobOverwrite",
        "the credential does not permit to replace the blob that is there",
    ),
];

/// What the service adds to `AuthenticationFailed`, in the body of its answer.
const REFUSALS: &[(&str, &str)] = &[
    (
        "not valid in the specified time frame",
        "the SAS is expired or not yet valid by the service's clock",
    ),
    (
        "Signature did not match",
        "the signature does not match: it is cut or altered, or belongs to another account or an old key",
    ),
];

/// What the transport says where there is no other sign, and what that means.
const TRANSPORT: &[(&str, &str)] = &[
    (
        "dns error",
        "its name cannot be found: there is no such storage account, or no name service",
    ),
    ("certificate", "its certificate is not trusted"),
    ("operation timed out", "it does not answer"),
];

/// One line that names the cause. `host` is whom we spoke to.
pub(super) fn cause(error: &azure_core::Error, host: &str) -> String {
    match error.kind() {
        ErrorKind::HttpResponse {
            status,
            error_code,
            raw_response,
        } => {
            let code = error_code.as_deref().unwrap_or_default();
            let body = raw_response
                .as_ref()
                .map(|response| String::from_utf8_lossy(response.body()));
            let refusal = body.and_then(|body| meaning(REFUSALS, |sign| body.contains(sign)));
            let cause = refusal
                .filter(|_| code == "AuthenticationFailed")
                .or_else(|| meaning(CAUSES, |sign| sign == code));
            let status = u16::from(*status);
            match cause {
                Some(cause) => format!("{cause} ({status} {code})"),
                None => format!("{host} answered {status} {}", one_line(code)),
            }
        }
        ErrorKind::Connection | ErrorKind::Io => {
            let chain = chain(error);
            let refused = chain.io_kind.map(|kind| io::Error::from(kind).to_string());
            let says = |sign: &str| chain.texts.iter().any(|text| text.contains(sign));
            match (meaning(TRANSPORT, says), refused) {
                (Some(cause), _) => format!("no connection to {host}: {cause} ({})", chain.innermost()),
                (None, Some(refused)) => format!("no connection to {host}: {refused}"),
                (None, None) => format!("no connection to {host}: {}", chain.innermost()),
            }
        }
        ErrorKind::Credential => format!("no token from the identity: {}", chain(error).all()),
        _ => format!("no sense in the answer of {host}: {}", chain(error).all()),
    }
}

fn meaning(table: &'static [(&str, &str)], found: impl Fn(&str) -> bool) -> Option<&'static str> {
    table.iter().find(|(sign, _)| found(sign)).map(|(_, meaning)| *meaning)
}

/// What the errors below an error say.
struct Chain {
    texts: Vec<String>,
    io_kind: Option<io::ErrorKind>,
}

impl Chain {
    /// The cause of all. The transport's own error is never the innermost; it would show the URL.
    fn innermost(&self) -> String {
        self.texts.last().map(|text| one_line(text)).unwrap_or_default()
    }

    fn all(&self) -> String {
        one_line(&self.texts.join(": "))
    }
}

fn chain(error: &azure_core::Error) -> Chain {
    let mut chain = Chain {
        texts: vec![error.to_string()],
        io_kind: None,
    };
    let mut next = error.source();
    while let Some(error) = next {
        if !error.is::<reqwest::Error>() {
            chain.texts.push(error.to_string());
        }
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        chain.io_kind = kind.filter(|kind| *kind != io::ErrorKind::Other).or(chain.io_kind);
        next = error.source();
    }
    chain
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_FOREIGN).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use azure_core::Error;
    use azure_core::error::ErrorKind;
    use azure_core::http::headers::Headers;
    use azure_core::http::{RawResponse, StatusCode};
    use rstest::rstest;

    use super::{CAUSES, cause};

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(CAUSES.is_sorted_by(|(one, _), (next, _)| one < next));
    }

    #[rstest]
    #[case::expired(
        "Signature not valid in the specified time frame: Start [..] - Expiry [..]",
        "the SAS is expired or not yet valid by the service's clock (403 AuthenticationFailed)"
    )]
    #[case::mismatch(
        "Signature did not match. String to sign used was rwl",
        "the signature does not match: it is cut or altered, or belongs to another account or an old key (403 AuthenticationFailed)"
    )]
    #[case::unexplained(
        "",
        "the credential was refused: it is cut or altered, belongs to another account, or a clock is wrong (403 AuthenticationFailed)"
    )]
    fn a_refusal_is_explained_as_the_service_explains_it(#[case] detail: &str, #[case] expected: &str) {
        let body = format!(
            "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
        );
        let response = RawResponse::from_bytes(StatusCode::Forbidden, Headers::new(), body.into_bytes());
        let error = ErrorKind::HttpResponse {
            status: StatusCode::Forbidden,
            error_code: Some("AuthenticationFailed".to_owned()),
            raw_response: Some(Box::new(response)),
        };
        assert_eq!(cause(&error.into_error(), "h"), expected);
    }

    #[rstest]
    #[case::dns(
        io::Error::other("dns error: failed to lookup address information"),
        "no connection to h: its name cannot be found: there is no such storage account, or no name service (dns error: failed to lookup address information)"
    )]
    #[case::tls(
        io::Error::other("invalid peer certificate: UnknownIssuer"),
        "no connection to h: its certificate is not trusted (invalid peer certificate: UnknownIssuer)"
    )]
    #[case::no_route(io::ErrorKind::HostUnreachable.into(), "no connection to h: host unreachable")]
    #[case::reset(io::ErrorKind::ConnectionReset.into(), "no connection to h: connection reset")]
    #[case::timeout(io::ErrorKind::TimedOut.into(), "no connection to h: timed out")]
    #[case::lines(io::Error::other("one\n two"), "no connection to h: one two")]
    fn a_network_error_is_explained(#[case] source: io::Error, #[case] expected: &str) {
        let error = Error::with_error(ErrorKind::Connection, source, "failed to execute `reqwest` request");
        let error = error.with_context("retry policy expired and the request will no longer be retried");
        assert_eq!(cause(&error, "h"), expected);
    }
}
