//! The table of rules: what each finds, with an example that the tests run. How a rule finds it is in the other files.

/// What the redactor looks for, in one line, for people.
#[derive(Debug)]
pub struct Rule {
    /// The name in markers (`[REDACTED:<id>]`) and in the manifest.
    pub id: &'static str,
    /// What is replaced.
    pub finds: &'static str,
    /// A line that holds such a secret.
    pub example: &'static str,
    /// The same line, redacted.
    pub redacted: &'static str,
}

/// The place of a rule in [`RULES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleId {
    ApiKey,
    Authorization,
    AwsKey,
    AzureClientSecret,
    AzureSas,
    AzureStorageKey,
    BearerToken,
    BootstrapToken,
    ClientKey,
    CommandPassword,
    Cookie,
    DockerAuth,
    EnvValue,
    GithubToken,
    GitlabToken,
    GoogleKey,
    Jwt,
    NpmToken,
    Password,
    PrivateKey,
    Secret,
    SecretData,
    ServiceToken,
    SharedAccessKey,
    Signature,
    SlackToken,
    Token,
    UrlPassword,
}

impl RuleId {
    pub(crate) const COUNT: usize = 28;
}

const fn rule(id: &'static str, finds: &'static str, example: &'static str, redacted: &'static str) -> Rule {
    Rule {
        id,
        finds,
        example,
        redacted,
    }
}

/// Every rule, sorted by id.
pub const RULES: &[Rule] = &[
    rule(
        "api-key",
        "values of names like apiKey, access_key or encryption-key",
        "x-api-key: 9f8e7d6c5b4a39281706",
        "x-api-key: [REDACTED:api-key]",
    ),
    rule(
        "authorization",
        "credentials of Authorization and Proxy-Authorization headers; the scheme stays",
        "> Authorization: Basic dXNlcjpodW50ZXIy",
        "> Authorization: Basic [REDACTED:authorization]",
    ),
    rule(
        "aws-key",
        "AWS access key ids, and the secret keys named after them",
        "using AKIAIOSFODNN7EXAMPLE for s3",
        "using [REDACTED:aws-key] for s3",
    ),
    rule(
        "azure-client-secret",
        "Entra client secrets, by name (clientSecret, aadClientSecret, AZURE_CLIENT_SECRET) and by their form",
        r#""aadClientSecret": "Abc~1234567890","#,
        r#""aadClientSecret": "[REDACTED:azure-client-secret]","#,
    ),
    rule(
        "azure-sas",
        "signatures of shared access signatures, in URLs and alone, also percent-encoded; the other parameters stay",
        "https://acct.blob.core.windows.net/c?sv=2024-11-04&sig=c2lnbmF0dXJlLW9mLWEtc2FzLXVybA%3D%3D&se=2026-01-01",
        "https://acct.blob.core.windows.net/c?sv=2024-11-04&sig=[REDACTED:azure-sas]&se=2026-01-01",
    ),
    rule(
        "azure-storage-key",
        "keys of storage and Cosmos accounts: AccountKey=, 88 characters of base64 after a name with key, and the form of new keys",
        "AccountName=acct;AccountKey=bm90IGEgcmVhbCBrZXk=;EndpointSuffix=core.windows.net",
        "AccountName=acct;AccountKey=[REDACTED:azure-storage-key];EndpointSuffix=core.windows.net",
    ),
    rule(
        "bearer-token",
        "what follows the word Bearer, outside headers too",
        "sending Bearer 0123456789abcdefABCDEF to the server",
        "sending Bearer [REDACTED:bearer-token] to the server",
    ),
    rule(
        "bootstrap-token",
        "bootstrap tokens of kubeadm after a name with token",
        "kubeadm join 10.0.0.4:6443 --token abcdef.0123456789abcdef",
        "kubeadm join 10.0.0.4:6443 --token [REDACTED:bootstrap-token]",
    ),
    rule(
        "client-key",
        "client-key-data of kubeconfig files",
        "    client-key-data: bm90IGEgcmVhbCBrZXk=",
        "    client-key-data: [REDACTED:client-key]",
    ),
    rule(
        "command-password",
        "passwords behind -u of curl (the user stays), -p of MySQL clients and -p of sshpass",
        "curl -s -u admin:hunter2 https://registry/v2/",
        "curl -s -u admin:[REDACTED:command-password] https://registry/v2/",
    ),
    rule(
        "cookie",
        "values of Cookie and Set-Cookie headers",
        "< Set-Cookie: sid=31d4d96e407aad42; Path=/",
        "< Set-Cookie: [REDACTED:cookie]",
    ),
    rule(
        "docker-auth",
        "auth entries of docker configurations, also as the base64 of a whole .dockerconfigjson",
        r#"{"auths":{"reg.azurecr.io":{"auth":"dXNlcjpodW50ZXIy"}}}"#,
        r#"{"auths":{"reg.azurecr.io":{"auth":"[REDACTED:docker-auth]"}}}"#,
    ),
    rule(
        "env-value",
        "values of environment variables and objects whose name says that they are secret",
        r#"{"name":"DB_PASSWORD","value":"hunter2"}"#,
        r#"{"name":"DB_PASSWORD","value":"[REDACTED:env-value]"}"#,
    ),
    rule(
        "github-token",
        "tokens of GitHub (ghp_, gho_, ghu_, ghs_, ghr_, github_pat_)",
        "cloning with ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "cloning with [REDACTED:github-token]",
    ),
    rule(
        "gitlab-token",
        "tokens of GitLab (glpat-)",
        "remote said glpat-0123456789abcdefghij is unknown",
        "remote said [REDACTED:gitlab-token] is unknown",
    ),
    rule(
        "google-key",
        "Google API keys, OAuth tokens and client secrets (AIza, ya29., GOCSPX-)",
        "maps?id=1&k=AIza0123456789abcdefghijklmnopqrstuvwxy",
        "maps?id=1&k=[REDACTED:google-key]",
    ),
    rule(
        "jwt",
        "JSON web tokens, whole",
        "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl from the issuer",
        "got [REDACTED:jwt] from the issuer",
    ),
    rule(
        "npm-token",
        "tokens of npm (npm_)",
        "publish with npm_0123456789abcdefghijABCDEFGHIJ012345",
        "publish with [REDACTED:npm-token]",
    ),
    rule(
        "password",
        "values of names like password, passwd, pwd and passphrase",
        "DB_PASSWORD=hunter2",
        "DB_PASSWORD=[REDACTED:password]",
    ),
    rule(
        "private-key",
        "bodies of PEM private keys: on lines of their own, escaped on one line, and inside base64",
        r"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----[REDACTED:private-key]-----END PRIVATE KEY-----",
    ),
    rule(
        "secret",
        "values of names with secret",
        "webhookSecret: 5up3r53cr3t",
        "webhookSecret: [REDACTED:secret]",
    ),
    rule(
        "secret-data",
        "data and stringData of Kubernetes Secrets, in objects",
        r#"{"kind":"Secret","data":{"a":"aHVudGVyMg=="}}"#,
        r#"{"kind":"Secret","data":{"a":"[REDACTED:secret-data]"}}"#,
    ),
    rule(
        "service-token",
        "tokens of other services that are known by their form (Docker Hub, Vault, Stripe, Grafana, Hugging Face, PyPI, Databricks)",
        "login with dckr_pat_0123456789abcdefghijABCDEFG",
        "login with [REDACTED:service-token]",
    ),
    rule(
        "shared-access-key",
        "keys in connection strings of Service Bus, Event Hubs and IoT Hub",
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=bm90IGEgcmVhbCBrZXk=",
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=[REDACTED:shared-access-key]",
    ),
    rule(
        "signature",
        "signatures of presigned URLs of other clouds",
        "https://b.s3.amazonaws.com/o?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe&x=1",
        "https://b.s3.amazonaws.com/o?X-Amz-Signature=[REDACTED:signature]&x=1",
    ),
    rule(
        "slack-token",
        "tokens and webhooks of Slack",
        "posting with xoxb-123456789012-abcdefABCDEF",
        "posting with [REDACTED:slack-token]",
    ),
    rule(
        "token",
        "values of names with token",
        "registration_token=3f9a8b7c",
        "registration_token=[REDACTED:token]",
    ),
    rule(
        "url-password",
        "passwords in URLs; the user stays",
        "amqp://guest:hunter2@mq:5672/vhost",
        "amqp://guest:[REDACTED:url-password]@mq:5672/vhost",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_the_places_fit() {
        assert!(RULES.is_sorted_by_key(|rule| rule.id));
        assert_eq!(RULES.len(), RuleId::COUNT);
        for (id, name) in [
            (RuleId::ApiKey, "api-key"),
            (RuleId::Cookie, "cookie"),
            (RuleId::Jwt, "jwt"),
            (RuleId::Secret, "secret"),
            (RuleId::UrlPassword, "url-password"),
        ] {
            assert_eq!(RULES[id as usize].id, name);
        }
    }
}
