//! The files of `deployment` and what `aks-periscope manifests` prints, with the real kubectl, API server and kubelet.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

mod home;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use home::Home;
use periscope_tests::{Cluster, Services, Turn};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of the folder `deployment`, with the files that users put into the overlays, and a folder `mine` for a
/// kustomization.
struct Deployment {
    folder: TempDir,
    cluster: Cluster,
}

impl Deployment {
    fn copied() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(source)
            .arg(folder.path())
            .status()
            .expect("the program is there");
        assert!(copied.success());
        let cluster = Services::running().cluster;
        let deployment = Self { folder, cluster };
        for overlay in ["dev", "dynamic-image"] {
            deployment.write(
                &format!("overlays/{overlay}/.env.config"),
                "DIAGNOSTIC_CONTAINERLOGS_LIST=mine",
            );
            deployment.write(
                &format!("overlays/{overlay}/.env.secret"),
                "AZURE_BLOB_ACCOUNT_NAME=a\nAZURE_BLOB_SAS_KEY=?sv=1&sig=b\nAZURE_BLOB_CONTAINER_NAME=c\n",
            );
        }
        deployment
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join("deployment").join(path);
        fs::create_dir_all(path.parent().expect("a folder of the test")).expect("a folder of the test");
        fs::write(path, text).expect("a test's own file");
    }

    /// As `envsubst` does.
    fn substitute(&self, path: &str, values: &[(&str, &str)]) {
        let path = self.folder.path().join("deployment").join(path);
        let mut text = fs::read_to_string(&path).expect("a test's own file");
        for (name, value) in values {
            assert!(text.contains(&format!("${{{name}}}")), "{name}");
            text = text.replace(&format!("${{{name}}}"), value);
        }
        assert!(!text.contains("${"), "{text}");
        fs::write(path.with_file_name("kustomization.yaml"), text).expect("a test's own file");
    }

    fn render(&self, folder: &str) -> Objects {
        let folder = self.folder.path().join("deployment").join(folder);
        Objects::parse(
            &self.cluster,
            &self
                .cluster
                .kubectl(&["kustomize", folder.to_str().expect("a path in UTF-8")]),
        )
    }
}

/// Objects by kind and name.
struct Objects(BTreeMap<String, Value>);

impl Objects {
    /// Read by the real parser, which knows all fields.
    fn parse(cluster: &Cluster, yaml: &str) -> Self {
        let arguments = ["create", "--dry-run=client", "--validate=strict", "-o", "json", "-f"];
        let file = tempfile::NamedTempFile::new().expect("as it was made");
        fs::write(file.path(), yaml).expect("a test's own file");
        let printed = cluster.kubectl(&[&arguments[..], &[file.path().to_str().expect("a path in UTF-8")]].concat());
        let objects = serde_json::Deserializer::from_str(&printed)
            .into_iter::<Value>()
            .map(|object| {
                let object = object.expect("as it was made");
                let text = |value: &Value| value.as_str().expect("as it was made").to_owned();
                let name = format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
                (name, object)
            });
        Self(objects.collect())
    }

    fn get(&self, name: &str) -> &Value {
        self.0.get(name).expect("the object is among them")
    }

    fn container(&self) -> &Value {
        &self.get("DaemonSet/aks-periscope")["spec"]["template"]["spec"]["containers"][0]
    }

    fn secret(&self, key: &str) -> String {
        let encoded = self.get("Secret/azureblob-secret")["data"][key]
            .as_str()
            .expect("as it was made");
        String::from_utf8(STANDARD.decode(encoded).expect("as it was made")).expect("as it was made")
    }
}

fn manifests(arguments: &[&str]) -> String {
    let output = Command::new(Services::running().binary)
        .arg("manifests")
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("as it was made")
}

/// The kustomization that `az aks kollect` writes (Periscope contract, section 3, step 8), but for the base's address.
#[test]
fn the_azure_clis_kustomization_finds_what_it_changes() {
    let deployment = Deployment::copied();
    deployment.write(
        "mine/kustomization.yaml",
        r#"
resources:
- ../base
components:
- ../components/win-hpc
namespace: aks-periscope
images:
- name: periscope-linux
  newName: mcr.microsoft.com/aks/periscope
  newTag: 0.0.10
- name: periscope-windows
  newName: mcr.microsoft.com/aks/periscope-win
  newTag: 0.0.10
configMapGenerator:
- name: diagnostic-config
  behavior: merge
  literals:
  - DIAGNOSTIC_RUN_ID=2026-11-20T20-10-33Z
  - DIAGNOSTIC_CONTAINERLOGS_LIST="default other"
secretGenerator:
- name: azureblob-secret
  behavior: replace
  literals:
  - AZURE_BLOB_ACCOUNT_NAME=account
  - AZURE_BLOB_SAS_KEY="?sv=2024-11-04&sig=a%2Bb%3D"
  - AZURE_BLOB_CONTAINER_NAME=container
"#,
    );
    let objects = deployment.render("mine");
    assert_eq!(objects.container()["image"], "mcr.microsoft.com/aks/periscope:0.0.10");
    assert_eq!(objects.container()["name"], "aks-periscope");
    assert_eq!(
        objects.get("ConfigMap/diagnostic-config")["data"],
        json!({
            "DIAGNOSTIC_RUN_ID": "2026-11-20T20-10-33Z",
            "DIAGNOSTIC_CONTAINERLOGS_LIST": "default other",
            "DIAGNOSTIC_KUBEOBJECTS_LIST": "kube-system/pod kube-system/service kube-system/deployment",
            "DIAGNOSTIC_NODELOGS_LIST_LINUX": "",
        })
    );
    assert_eq!(objects.secret("AZURE_BLOB_ACCOUNT_NAME"), "account");
    assert_eq!(objects.secret("AZURE_BLOB_SAS_KEY"), "?sv=2024-11-04&sig=a%2Bb%3D");
    assert_eq!(objects.secret("AZURE_BLOB_CONTAINER_NAME"), "container");
    // What it deletes by name afterwards.
    for name in [
        "Namespace/aks-periscope",
        "ServiceAccount/aks-periscope-service-account",
        "ClusterRole/aks-periscope-role",
        "ClusterRoleBinding/aks-periscope-role-binding",
        "CustomResourceDefinition/diagnostics.aks-periscope.azure.github.com",
    ] {
        objects.get(name);
    }
}

#[test]
fn overlays_render_with_their_settings() {
    let deployment = Deployment::copied();
    let dev = deployment.render("overlays/dev");
    assert_eq!(dev.container()["image"], "periscope-local:latest");
    assert_eq!(dev.container()["imagePullPolicy"], "Never");
    dev.get("Namespace/aks-periscope-dev");
    for binding in [
        "ClusterRoleBinding/aks-periscope-role-binding",
        "RoleBinding/aks-periscope-role-binding",
    ] {
        assert_eq!(
            dev.get(binding)["subjects"][0]["namespace"],
            "aks-periscope-dev",
            "{binding}"
        );
    }

    deployment.substitute(
        "overlays/dynamic-image/kustomization.template.yaml",
        &[("IMAGE_NAME_LINUX", "registry.example/periscope"), ("IMAGE_TAG", "7")],
    );
    let dynamic = deployment.render("overlays/dynamic-image");
    assert_eq!(dynamic.container()["image"], "registry.example/periscope:7");
    assert_eq!(
        dynamic.get("ConfigMap/diagnostic-config")["data"]["DIAGNOSTIC_CONTAINERLOGS_LIST"],
        "mine"
    );
    assert_eq!(dynamic.secret("AZURE_BLOB_SAS_KEY"), "?sv=1&sig=b");

    deployment.substitute(
        "overlays/external/kustomization.yaml",
        &[
            ("IMAGE_TAG", "0.0.14"),
            ("ACCOUNT_NAME_PLACEHOLDER", "account"),
            ("SAS_KEY_PLACEHOLDER", "?sig=x"),
            ("CONTAINER_NAME_PLACEHOLDER", "container"),
        ],
    );
    let external = deployment.render("overlays/external");
    assert_eq!(external.container()["image"], "mcr.microsoft.com/aks/periscope:0.0.14");
    assert_eq!(external.secret("AZURE_BLOB_SAS_KEY"), "?sig=x");
}

#[rstest]
#[case::restricted("restricted", &["--restricted"])]
#[case::helm("helm", &["--helm"])]
#[case::view("view", &["--view"])]
#[case::windows("win-hpc", &[])]
fn a_component_is_what_the_option_prints(#[case] component: &str, #[case] option: &[&str]) {
    let deployment = Deployment::copied();
    deployment.write(
        "mine/kustomization.yaml",
        &format!(
            "resources: [../base]\ncomponents: [../components/{component}]\n\
             images: [{{ name: periscope-linux, newName: an.example/image, newTag: '1' }}]\n"
        ),
    );
    let rendered = deployment.render("mine");
    let printed = manifests(&[&["--image", "an.example/image:1"], option].concat());
    let mut printed = Objects::parse(&deployment.cluster, &printed);
    // Kustomize encodes what we print as text.
    for (name, object) in &mut printed.0 {
        if name == "Secret/azureblob-secret" {
            *object = rendered.get(name).clone();
        }
    }
    assert_eq!(
        rendered.0.keys().collect::<Vec<_>>(),
        printed.0.keys().collect::<Vec<_>>()
    );
    for (name, object) in &printed.0 {
        assert_eq!(rendered.get(name), object, "{name}");
    }
}

#[test]
fn the_api_server_takes_the_single_file_as_it_is() {
    let cluster = Services::running().cluster;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/aks-periscope.yaml");
    let text = fs::read_to_string(&file).expect("a test's own file");
    let printed = Objects::parse(&cluster, &manifests(&[]));
    let objects = Objects::parse(&cluster, &text);
    for (name, object) in &printed.0 {
        if name != "Secret/azureblob-secret" {
            assert_eq!(objects.get(name), object, "{name}");
        }
    }
    let home = Home::new(&cluster, "manifests-single-file", "privileged");
    let here = text.replace("namespace: aks-periscope\n", &format!("namespace: {}\n", home.name));
    // The Namespace itself stays out: it is the one of everybody.
    for document in here
        .split("\n---\n")
        .filter(|document| !document.contains("kind: Namespace\n"))
    {
        let file = tempfile::NamedTempFile::new().expect("as it was made");
        fs::write(file.path(), document).expect("a test's own file");
        for mode in ["--server-side=false", "--server-side=true"] {
            cluster.kubectl(&[
                "apply",
                "--dry-run=server",
                mode,
                "-f",
                file.path().to_str().expect("a path in UTF-8"),
            ]);
        }
    }
}

/// The state of each item, but for what differs from one second to the next.
fn states(listed: &Value) -> BTreeMap<String, String> {
    let items = listed.as_array().expect("as it was made").iter().filter_map(|item| {
        let (path, state) = (item["path"].as_str()?, item["state"].as_str()?);
        let is_steady = !path.contains("container-logs/") && !path.contains("network-state/namespaces/");
        is_steady.then(|| (path.to_owned(), state.to_owned()))
    });
    items.collect()
}

fn differences<'a>(
    ones: &'a BTreeMap<String, String>,
    others: &'a BTreeMap<String, String>,
) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let paths: BTreeSet<&String> = ones.keys().chain(others.keys()).collect();
    let states = paths.into_iter().map(|path| {
        let state = |of: &'a BTreeMap<String, String>| of.get(path).map(String::as_str);
        (path.as_str(), state(ones), state(others))
    });
    states.filter(|(_, one, other)| one != other).collect()
}

/// The capabilities are enough: a privileged pod gets nothing more out of the node.
#[test]
fn a_privileged_pod_collects_no_more() {
    let turn = Turn::take();
    let home = Home::new(&turn.services.cluster, "manifests-privileges", "privileged");
    let privileged = home.collect("privileged", &[], |container| {
        container["securityContext"] = json!({ "privileged": true });
    });
    let ours = home.collect("ours", &[], |_| ());
    assert!(
        ours.values().filter(|state| *state == "collected").count() > 100,
        "{ours:?}"
    );
    assert_eq!(differences(&privileged, &ours), []);
}

/// Each capability is needed: without it something is denied that is there with it.
#[rstest]
#[case::any_file("DAC_READ_SEARCH", "node-logs/var/log/azure/only-for-adm.log")]
#[case::rules("NET_ADMIN", "iptables/iptables-save.txt")]
#[case::namespaces("SYS_ADMIN", "network-state/ip-routes-ipv4.txt")]
#[case::commands("SYS_CHROOT", "iptables/iptables-version.txt")]
#[case::processes("SYS_PTRACE", "network-state/ip-links.txt")]
fn without_a_capability_something_is_denied(#[case] capability: &str, #[case] item: &str) {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let log = cluster.root().join("var/log/azure/only-for-adm.log");
    fs::write(&log, "of a user of its own\n").expect("a test's own file");
    chown(&log, Some(104), Some(4)).expect("a test's own file");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o640)).expect("a test's own file");
    let name = format!("manifests-no-{}", capability.to_lowercase().replace('_', "-"));
    let home = Home::new(cluster, &name, "privileged");
    let state = |name: &str, change: &dyn Fn(&mut Value)| {
        let states = home.collect(name, &[], change);
        let found = states.into_iter().find(|(path, _)| path.ends_with(item));
        found.map(|(_, state)| state)
    };
    let with = state("with", &|_| ());
    let without = state("without", &|container| {
        let added = container["securityContext"]["capabilities"]["add"]
            .as_array_mut()
            .expect("as it was made");
        let before = added.len();
        added.retain(|name| name != capability);
        assert_eq!(added.len(), before - 1, "{capability} is among them");
    });
    fs::remove_file(log).expect("a test's own file");
    assert_eq!(
        (with.as_deref(), without.as_deref()),
        (Some("collected"), Some("denied"))
    );
}

/// Where Pod Security admission enforces `restricted` the pod is let in, and takes what the API server and the network
/// tell it. What it is not shown of the node it calls denied, and makes no fault of it.
#[test]
fn a_restricted_pod_takes_what_it_may() {
    let turn = Turn::take();
    let home = Home::new(&turn.services.cluster, "manifests-restricted", "restricted");
    let _role = home.role();
    home.run("restricted", &["--restricted"], |container| {
        let arguments = container["args"].as_array_mut().expect("as it was made");
        arguments.push("--json".into());
    });
    // The kubelet removes the pod's folder with its end, and what is in it: only the log is left.
    let said = home.cluster.kubectl(&["logs", "restricted", "-n", &home.name]);
    let result: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let list = |name: &str| result[name].as_array().expect("as it was made").clone();
    let counted = |state: &str| result["counts"][state].as_u64().unwrap_or_default();
    let missing = list("missing");
    assert!(counted("collected") > 30 && counted("denied") > 150, "{said}");
    // What the API server does not serve is in no list of its own.
    assert!(counted("not-present") < 5 && counted("failed") == 0, "{said}");
    for path in [
        "dns/host-resolv.conf",
        "container-logs/pods",
        "kubelet/files",
        "system/meminfo.txt",
    ] {
        let is_it = |item: &&Value| item["path"].as_str().is_some_and(|it| it.ends_with(path));
        let item = missing.iter().find(is_it).unwrap_or_else(|| panic!("{path}: {said}"));
        let reason = item["reason"].as_str().unwrap_or_default();
        assert!(
            item["state"] == "denied" && reason.contains("not mounted into this pod"),
            "{item}"
        );
    }
    // Whatever is found to be broken is shown in something that was seen.
    let is_missing = |file: &Value| missing.iter().any(|item| item["path"] == *file);
    for finding in list("findings") {
        let evidence = finding["evidence"].as_array().cloned().unwrap_or_default();
        let is_seen = !evidence.is_empty() && !evidence.iter().any(|it| is_missing(&it["file"]));
        let is_trouble = finding["verdict"] == "fail" || finding["verdict"] == "warn";
        assert!(is_seen || !is_trouble, "{finding}");
    }
}
