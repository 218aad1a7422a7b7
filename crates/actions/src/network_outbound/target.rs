//! What is to be reached, and how far reaching it must go to count.

use std::str::FromStr;

use url::{Host, Url};

/// The port of a target that names none.
const DEFAULT_PORT: u16 = 443;

/// Something to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundTarget {
    pub(super) kind: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// A node can do its work without it.
    pub(super) optional: bool,
    /// Who must vouch for its certificate; `None` when it does not speak TLS.
    pub(super) tls: Option<Trust>,
    /// The protocol named in the TLS handshake.
    pub(super) alpn: &'static str,
    /// The path asked for over HTTP; `None` when it does not speak HTTP.
    pub(super) path: Option<String>,
    /// The target counts as reached when TCP is through: what comes after is only noted.
    pub(super) tcp_is_enough: bool,
}

/// Who must vouch for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The authorities that the node trusts.
    Node,
    /// The cluster's own authority.
    Cluster,
    /// Nobody: the certificate is noted and not judged.
    Nobody,
}

/// The ALPN name of the protocol that probes speak (RFC 7301).
pub(super) const HTTP_1_1: &str = "http/1.1";

/// A text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid target {0:?}: expected host, host:port or an http(s):// URL")]
pub struct InvalidTarget(String);

impl OutboundTarget {
    /// A target that must answer over HTTPS.
    pub(super) fn https(kind: &str, host: &str, port: u16) -> Self {
        Self {
            kind: kind.to_owned(),
            host: host.to_owned(),
            port,
            optional: false,
            tls: Some(Trust::Node),
            alpn: HTTP_1_1,
            path: Some("/".to_owned()),
            tcp_is_enough: false,
        }
    }

    /// The host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for OutboundTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        // A user and a password in the text must not come back in the error.
        let invalid = || InvalidTarget(text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned());
        let is_url = text.contains("://");
        let url = if is_url {
            Url::parse(text)
        } else {
            Url::parse(&format!("tcp://{text}"))
        };
        let url = url.map_err(|_| invalid())?;
        let host = match url.host().ok_or_else(invalid)? {
            Host::Domain(name) if !name.is_empty() => name.to_ascii_lowercase(),
            Host::Domain(_) => return Err(invalid()),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        if host.contains(|c: char| c.is_whitespace() || c == '%')
            || (!is_url && (url.path() != "" || text.contains('@')))
        {
            return Err(invalid());
        }
        let port = url.port_or_known_default().unwrap_or(DEFAULT_PORT);
        if port == 0 {
            return Err(invalid());
        }
        let (tls, http) = match url.scheme() {
            "https" => (true, true),
            "http" => (false, true),
            "tcp" if !is_url => (port == DEFAULT_PORT, port == DEFAULT_PORT),
            _ => return Err(invalid()),
        };
        let shown_host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        Ok(Self {
            kind: format!("{shown_host}:{port}"),
            tls: tls.then_some(Trust::Node),
            // A query may hold a token, and would only be noted by others' logs.
            path: http.then(|| {
                if url.path().is_empty() {
                    "/".to_owned()
                } else {
                    url.path().to_owned()
                }
            }),
            ..Self::https("", &host, port)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::OutboundTarget;

    #[rstest]
    #[case::host("Example.com", "example.com", 443, true, Some("/"))]
    #[case::host_and_port("example.com:5000", "example.com", 5000, false, None)]
    #[case::address("10.0.0.1:443", "10.0.0.1", 443, true, Some("/"))]
    #[case::v6("[fd00::1]:8443", "fd00::1", 8443, false, None)]
    #[case::https("https://example.com/a/b?sig=x", "example.com", 443, true, Some("/a/b"))]
    #[case::https_port("https://example.com:5001", "example.com", 5001, true, Some("/"))]
    #[case::http("http://example.com", "example.com", 80, false, Some("/"))]
    #[case::with_a_user("https://user:secret@example.com/", "example.com", 443, true, Some("/"))]
    fn targets(
        #[case] text: &str,
        #[case] host: &str,
        #[case] port: u16,
        #[case] tls: bool,
        #[case] path: Option<&str>,
    ) {
        let target: OutboundTarget = text.parse().unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.tls.is_some()),
            (host, port, tls)
        );
        assert_eq!(target.path.as_deref(), path);
        assert!(!target.kind.contains("secret"));
    }

    #[rstest]
    #[case::empty("")]
    #[case::port_only(":443")]
    #[case::no_number("example.com:https")]
    #[case::too_large("example.com:70000")]
    #[case::zero("example.com:0")]
    #[case::space("example com")]
    #[case::other_scheme("ftp://example.com")]
    #[case::path_without_scheme("example.com/x")]
    #[case::user_without_scheme("user:secret@example.com")]
    fn what_names_no_target(#[case] text: &str) {
        let error = text.parse::<OutboundTarget>().unwrap_err().to_string();
        assert!(
            error.ends_with("expected host, host:port or an http(s):// URL"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_target_or_an_error(text in ".{0,40}") {
            if let Ok(target) = text.parse::<OutboundTarget>() {
                prop_assert!(!target.host.is_empty() && target.port > 0);
            }
        }
    }
}
