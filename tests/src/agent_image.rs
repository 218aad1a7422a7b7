//! The program under test in an image of the test node: the ordinary binary with the libraries that it needs, instead
//! of the static one that is released, so that a change is tried without a second build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::container_image::ContainerImage;
use crate::{Cluster, Services};

/// The image's name in pods; nothing can be pulled from there.
pub const AGENT_IMAGE: &str = "periscope.test/aks-periscope:1";

/// Where the program is in the image: a folder of the node is mounted at `/aks-periscope`.
const PROGRAM: &str = "/usr/bin/aks-periscope";
/// Where TLS looks for authorities.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Puts the program under test into the node's container runtime, unless it is there, and returns the image's name.
///
/// It trusts what the node trusts, and the blob service.
///
/// # Panics
///
/// When the image cannot be made or imported.
pub fn agent_image(services: &Services) -> &'static str {
    let Services { cluster, binary, .. } = services;
    let state = cluster.kubeconfig.parent().expect("it is in the state folder");
    // Several test binaries may want it at once.
    let lock = File::create(state.join("agent-image.lock")).expect("the state folder is writable");
    lock.lock().expect("files can be locked");
    let (stamp, version) = (state.join("agent-image.stamp"), version_of(binary));
    if fs::read_to_string(&stamp).is_ok_and(|present| present == version) {
        return AGENT_IMAGE;
    }
    let archive = state.join("agent-image.tar");
    write(binary, cluster, &archive);
    import(cluster, &archive);
    fs::remove_file(&archive).expect("it was just written");
    fs::write(&stamp, version).expect("the state folder is writable");
    AGENT_IMAGE
}

/// What tells a build from the one before.
fn version_of(binary: &Path) -> String {
    let metadata = binary
        .metadata()
        .expect("the program under test is built: cargo build -p periscope-cli");
    format!("{} {:?}", metadata.len(), metadata.modified())
}

fn write(binary: &Path, cluster: &Cluster, archive: &Path) {
    let stripped = archive.with_extension("stripped");
    output(Command::new("strip").arg("-o").args([&stripped, binary]));
    let mut image = ContainerImage::new(PROGRAM, &["agent"])
        .with_environment("PATH=/usr/bin")
        .with_program(PROGRAM, fs::read(&stripped).expect("it was just written"))
        .with_file(&format!("/{AUTHORITIES}"), authorities(cluster));
    fs::remove_file(stripped).expect("it was just written");
    for library in libraries(binary) {
        let content = fs::read(&library).expect("the loader named it");
        image = image.with_program(&library.to_string_lossy(), content);
    }
    image.write(archive, AGENT_IMAGE).expect("the state folder is writable");
}

/// The node's authorities and that of the blob service.
fn authorities(cluster: &Cluster) -> Vec<u8> {
    let azurite = cluster.kubeconfig.with_file_name("azurite-ca.crt");
    let mut all = fs::read(cluster.root().join(AUTHORITIES)).expect("the node trusts somebody");
    all.extend(fs::read(azurite).expect("the blob service has an authority"));
    all
}

/// The shared libraries, at the paths where the loader looks for them.
fn libraries(binary: &Path) -> Vec<PathBuf> {
    let listed = output(Command::new("ldd").arg(binary));
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

fn import(cluster: &Cluster, archive: &Path) {
    let archive = archive.to_string_lossy();
    cluster.run_on_node(&[
        "ctr",
        "--namespace=k8s.io",
        "images",
        "import",
        "--snapshotter=native",
        &archive,
    ]);
}

fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("a Debian machine that builds this has binutils");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).expect("it answers in UTF-8")
}
