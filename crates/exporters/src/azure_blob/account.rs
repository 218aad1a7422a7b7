//! From what somebody calls a storage account to the URL of its blob endpoint; it does not ask whether it exists.

use std::convert::Infallible;
use std::str::FromStr;

use url::Url;

use super::ConfigError;

/// Which Azure an account lives in. It decides the account's host name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cloud {
    /// The public cloud, `core.windows.net`.
    #[default]
    Public,
    /// The cloud in China, `core.chinacloudapi.cn`.
    China,
    /// The cloud of the US government, `core.usgovcloudapi.net`.
    UsGovernment,
    /// A cloud of one's own, such as Azure Stack, by its `storageEndpointSuffix`.
    Custom(String),
}

impl Cloud {
    /// What follows `<account>.blob.`.
    pub fn suffix(&self) -> &str {
        match self {
            Self::Public => "core.windows.net",
            Self::China => "core.chinacloudapi.cn",
            Self::UsGovernment => "core.usgovcloudapi.net",
            Self::Custom(suffix) => suffix,
        }
    }
}

impl FromStr for Cloud {
    type Err = Infallible;

    /// Takes our words, the names that stand under `cloud` in a node's `azure.json`, and DNS suffixes. What is none of
    /// these is refused when an account's endpoint is made from it.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        let word = word.trim();
        let known = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
        Ok(if known(&["public", "AzurePublicCloud", "AzureCloud"]) {
            Self::Public
        } else if known(&["china", "AzureChinaCloud"]) {
            Self::China
        } else if known(&["us-government", "usgov", "AzureUSGovernmentCloud", "AzureUSGovernment"]) {
            Self::UsGovernment
        } else {
            Self::Custom(word.to_owned())
        })
    }
}

/// The blob endpoint of an account: an http(s) URL without user, query and fragment, and without a slash at its end.
pub(super) fn endpoint(account: &str, cloud: &Cloud) -> Result<Url, ConfigError> {
    let account = account.trim();
    let invalid = || ConfigError::Account(account.to_owned());
    if account.contains("://") {
        let url = Url::parse(account.trim_end_matches('/')).map_err(|_| invalid())?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && matches!(url.scheme(), "https" | "http")
            && url.has_host();
        return if plain { Ok(url) } else { Err(invalid()) };
    }
    let name = name(account).ok_or_else(invalid)?;
    let suffix = domain(cloud.suffix())?;
    Url::parse(&format!("https://{name}.blob.{suffix}")).map_err(|_| ConfigError::Cloud(suffix.to_owned()))
}

/// A DNS suffix without dots at its ends.
fn domain(suffix: &str) -> Result<&str, ConfigError> {
    let domain = suffix.trim_matches('.');
    let well_formed = domain.contains('.')
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if well_formed {
        Ok(domain)
    } else {
        Err(ConfigError::Cloud(suffix.to_owned()))
    }
}

/// The name in a name or a resource id. Resource ids may be written in any case.
fn name(account: &str) -> Option<String> {
    let account = account.to_ascii_lowercase();
    let name = if account.starts_with('/') {
        let (above, name) = account.rsplit_once('/')?;
        above
            .ends_with("/providers/microsoft.storage/storageaccounts")
            .then(|| name.to_owned())?
    } else {
        account
    };
    let well_formed =
        (3..=24).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    well_formed.then_some(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Cloud, endpoint};

    const RESOURCE: &str = "/subscriptions/5f3c2b1a-0000-4000-8000-000000000000/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/Diag01";

    #[rstest]
    #[case::name("diag01", "public", "https://diag01.blob.core.windows.net/")]
    #[case::name_with_a_line_break("diag01\n", "AzurePublicCloud", "https://diag01.blob.core.windows.net/")]
    #[case::name_in_capitals("Diag01", "public", "https://diag01.blob.core.windows.net/")]
    #[case::resource_id(RESOURCE, "public", "https://diag01.blob.core.windows.net/")]
    #[case::china("diag01", "AzureChinaCloud", "https://diag01.blob.core.chinacloudapi.cn/")]
    #[case::us_government("diag01", "us-government", "https://diag01.blob.core.usgovcloudapi.net/")]
    #[case::azure_stack(
        "diag01",
        "local.azurestack.external",
        "https://diag01.blob.local.azurestack.external/"
    )]
    #[case::suffix_with_a_dot_before("diag01", ".local.example", "https://diag01.blob.local.example/")]
    #[case::azurite(
        "https://127.0.0.1:10000/devstoreaccount1/",
        "public",
        "https://127.0.0.1:10000/devstoreaccount1"
    )]
    #[case::private_endpoint(
        "https://diag01.privatelink.blob.core.windows.net",
        "china",
        "https://diag01.privatelink.blob.core.windows.net/"
    )]
    #[case::word_that_is_no_cloud("diag01", "moon", "")]
    #[case::suffix_with_a_path("diag01", "a.b/c", "")]
    #[case::empty("", "public", "")]
    #[case::too_short("ab", "public", "")]
    #[case::too_long("abcdefghijklmnopqrstuvwxy", "public", "")]
    #[case::dash("diag-01", "public", "")]
    #[case::other_resource(
        "/subscriptions/x/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/diag01",
        "public",
        ""
    )]
    #[case::another_scheme("ftp://diag01.example", "public", "")]
    #[case::user("https://user@diag01.example", "public", "")]
    #[case::query("https://diag01.example/?sv=1", "public", "")]
    fn an_account_is_found_by_name_resource_id_or_url(
        #[case] account: &str,
        #[case] cloud: &str,
        #[case] expected: &str,
    ) {
        let Ok(cloud) = cloud.parse::<Cloud>();
        let found = endpoint(account, &cloud);
        let found = found.map_or_else(|_| String::new(), |url| url.to_string());
        assert_eq!(found, expected);
    }
}
