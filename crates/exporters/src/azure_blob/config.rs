//! What can be set about the upload, and what is said when it is set wrong. Nothing here asks the network.

use std::path::PathBuf;
use std::time::Duration;

use periscope_core::Format;
use secrecy::SecretString;

use super::account::Cloud;

/// Enough for 20 GiB at 12 MiB/s; a node whose upload takes longer keeps its archive on its disk.
pub const DEFAULT_UPLOAD_TIMEOUT: Duration = Duration::from_mins(30);

/// Longest value that is repeated in a message. Shorter than any signature, so that none can be shown whole.
const LONGEST_SHOWN: usize = 40;

/// Where archives go and who may put them there.
#[derive(Debug, Clone)]
pub struct AzureBlobConfig {
    /// The storage account: its name, its resource id (`/subscriptions/…/storageAccounts/<name>`), or the URL of its
    /// blob endpoint for what is not `https://<name>.blob.<suffix>`, such as
    /// `https://127.0.0.1:10000/devstoreaccount1`.
    pub account: String,
    /// The cloud of an account that is given by name or resource id.
    pub cloud: Cloud,
    /// The container, such as [`container_name_from_fqdn`](super::container_name_from_fqdn) gives.
    pub container: String,
    /// Whether a missing container is made, as far as the credential allows it.
    pub create_container: bool,
    /// Who may put archives there.
    pub credential: BlobCredential,
    /// A PEM file of authorities that are trusted besides the machine's own, such as Azure Stack's.
    pub ca_file: Option<PathBuf>,
    /// The packed formats, in the order in which they are put there; what somebody waits for comes last.
    pub formats: Vec<Format>,
    /// The longest time for all blobs of one archive together.
    pub timeout: Duration,
}

/// Who may put archives into the container.
#[derive(Debug, Clone)]
pub enum BlobCredential {
    /// A shared access signature of the account or the container: the query string with or without `?`, or a whole URL.
    Sas(SecretString),
    /// A pod's service account that an Entra identity trusts.
    WorkloadIdentity(WorkloadIdentity),
    /// The identity of the virtual machine, from its metadata service.
    ManagedIdentity {
        /// The client id of a user-assigned identity; without it the system-assigned one is used.
        client_id: Option<String>,
    },
}

/// The facts of a workload identity. What is `None` comes from the environment variables that the webhook of AKS sets
/// (<https://learn.microsoft.com/azure/aks/workload-identity-overview>).
#[derive(Debug, Clone, Default)]
pub struct WorkloadIdentity {
    /// The identity's client id (`AZURE_CLIENT_ID`).
    pub client_id: Option<String>,
    /// Its tenant (`AZURE_TENANT_ID`).
    pub tenant_id: Option<String>,
    /// The file that holds the service account's token (`AZURE_FEDERATED_TOKEN_FILE`).
    pub token_file: Option<PathBuf>,
    /// Where tokens are exchanged (`AZURE_AUTHORITY_HOST`), such as `https://login.microsoftonline.com`.
    pub authority_host: Option<String>,
}

/// A setting of the upload that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither a name, nor a resource id, nor a URL.
    #[error(
        "invalid storage account {}: expected a name of 3 to 24 of a-z 0-9, a resource id ending in \
         /storageAccounts/<name>, or the http(s) URL of a blob endpoint",
        shown(.0)
    )]
    Account(String),
    /// A cloud that is unknown.
    #[error(
        "invalid cloud {}: expected public, china, us-government or the account's DNS suffix such as core.windows.net",
        shown(.0)
    )]
    Cloud(String),
    /// A name that no container can have.
    #[error(
        "invalid container name {}: expected 3 to 63 of a-z 0-9 and single - beginning and ending with a letter or a digit",
        shown(.0)
    )]
    Container(String),
    /// A format that is no single file.
    #[error("cannot upload as {0}: expected tar.gz or zip")]
    Format(Format),
    /// Nothing to upload.
    #[error("no upload format: expected tar.gz, zip or both")]
    NoFormat,
    /// No shared access signature at all.
    #[error("invalid SAS: it has no {0}, expected a query string such as sv=…&sp=…&se=…&sig=…")]
    SasWithout(&'static str),
    /// A field of the shared access signature cannot be read.
    #[error("invalid SAS: {field} is {}, expected {expected}", shown(.value))]
    SasField {
        /// The field's name in the query string.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A token would go over the network readably.
    #[error("cannot use an identity with {}: expected an https endpoint, or a SAS", shown(.0))]
    IdentityOverHttp(String),
}

/// A value as it may stand in a message. People paste a whole SAS URL into the wrong field.
fn shown(value: &str) -> String {
    let visible = value.split(['?', '&']).next().unwrap_or_default();
    if visible.contains("sig") || visible.contains('%') {
        return "(a value that seems to hold a signature)".to_owned();
    }
    match visible.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{:?}…", visible.get(..end).unwrap_or_default()),
        None if visible.len() < value.len() => format!("{visible:?}…"),
        None => format!("{visible:?}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::SecretString;

    use super::{BlobCredential, ConfigError, shown};

    #[rstest]
    #[case::short("UPPER", r#""UPPER""#)]
    #[case::a_line_break("a\nb", r#""a\nb""#)]
    #[case::long(&"x".repeat(41), r#""xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…"#)]
    #[case::a_url_with_a_sas("https://a.example/c?sv=1&sig=abc", r#""https://a.example/c"…"#)]
    #[case::a_sas("sv=1&sig=abc", r#""sv=1"…"#)]
    #[case::a_lone_signature("sig=abc", "(a value that seems to hold a signature)")]
    #[case::an_encoded_sas("sv%3D1%26sig%3Dabc", "(a value that seems to hold a signature)")]
    fn a_message_shows_a_value_but_no_signature(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(shown(value), expected);
        assert!(ConfigError::Container(value.to_owned()).to_string().contains(expected));
    }

    #[test]
    fn debug_output_holds_no_signature() {
        let credential = BlobCredential::Sas(SecretString::from("sv=1&sig=abc"));
        assert!(!format!("{credential:?}").contains("abc"));
    }
}
