//! Makes a kubeconfig of the node self-contained: the files it names are read through the host root and put in their
//! place.
//!
//! It never runs the credential program that a kubeconfig may name: that is a program of the host.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use secrecy::SecretString;

use crate::{access::ReadNodeFile, error::Cause};

/// Parses the kubeconfig found at `path` on the node; relative names in it are relative to its folder.
pub(crate) fn of_node(path: &str, text: &[u8], read: ReadNodeFile<'_>) -> Result<Kubeconfig, Cause> {
    let text = std::str::from_utf8(text).map_err(|_| Cause::text("not UTF-8"))?;
    let mut kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| Cause::chain(&error))?;
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    let named = |name: &str| {
        let full = folder.join(name).display().to_string();
        read(&full).ok_or_else(|| Cause::text(format!("{full}, which it names, cannot be read")))
    };
    for cluster in kubeconfig
        .clusters
        .iter_mut()
        .filter_map(|named| named.cluster.as_mut())
    {
        inline_cluster(cluster, &named)?;
    }
    for user in kubeconfig
        .auth_infos
        .iter_mut()
        .filter_map(|named| named.auth_info.as_mut())
    {
        inline_user(user, &named)?;
    }
    Ok(kubeconfig)
}

/// The cluster of the current context.
pub(crate) fn current_cluster(kubeconfig: &Kubeconfig) -> Option<&Cluster> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|context| &context.name == current)?;
    let name = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|cluster| &cluster.name == name)?;
    cluster.cluster.as_ref()
}

type ReadNamed<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, Cause>;

fn inline_cluster(cluster: &mut Cluster, read: ReadNamed<'_>) -> Result<(), Cause> {
    if let Some(name) = cluster.certificate_authority.take() {
        cluster.certificate_authority_data = Some(STANDARD.encode(read(&name)?));
    }
    Ok(())
}

fn inline_user(user: &mut AuthInfo, read: ReadNamed<'_>) -> Result<(), Cause> {
    if user.exec.is_some() {
        return Err(Cause::text("its credentials come from a program, which is not run"));
    }
    if let Some(name) = user.client_certificate.take() {
        user.client_certificate_data = Some(STANDARD.encode(read(&name)?));
    }
    if let Some(name) = user.client_key.take() {
        user.client_key_data = Some(SecretString::from(STANDARD.encode(read(&name)?)));
    }
    if let Some(name) = user.token_file.take() {
        let token = read(&name)?;
        user.token = Some(SecretString::from(String::from_utf8_lossy(&token).trim().to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const TEXT: &str = r"
clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: certs/ca.crt}}]
users: [{name: u, user: {client-certificate: /pki/current.pem, client-key: /pki/current.pem, tokenFile: ../token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
";

    fn read(path: &str) -> Option<Vec<u8>> {
        match path {
            "/var/lib/kubelet/certs/ca.crt" => Some(b"ca".to_vec()),
            "/pki/current.pem" => Some(b"pem".to_vec()),
            "/var/lib/kubelet/../token" => Some(b"secret\n".to_vec()),
            _ => None,
        }
    }

    #[test]
    fn named_files_are_put_in_place() {
        let kubeconfig = of_node("/var/lib/kubelet/kubeconfig", TEXT.as_bytes(), &read).unwrap();
        let cluster = current_cluster(&kubeconfig).unwrap();
        let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Y2E="));
        assert_eq!(user.client_certificate_data.as_deref(), Some("cGVt"));
        assert_eq!(user.client_key_data.as_ref().unwrap().expose_secret(), "cGVt");
        assert_eq!(user.token.as_ref().unwrap().expose_secret(), "secret");
        assert_eq!((&cluster.certificate_authority, &user.client_key), (&None, &None));
    }

    #[test]
    fn a_named_file_that_cannot_be_read_is_named() {
        let cause = of_node("/etc/kubernetes/kubelet.conf", TEXT.as_bytes(), &read).unwrap_err();
        assert_eq!(
            cause.to_string(),
            "/etc/kubernetes/certs/ca.crt, which it names, cannot be read"
        );
    }

    #[test]
    fn a_credential_program_is_not_run() {
        let text = "users: [{name: u, user: {exec: {command: aws}}}]";
        let cause = of_node("/k", text.as_bytes(), &read).unwrap_err();
        assert!(cause.to_string().contains("not run"));
    }
}
