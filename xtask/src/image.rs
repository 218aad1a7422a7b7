//! `cargo xtask image`: the image that `builder/Dockerfile` describes, made without a container daemon or a registry: one static
//! program and a list of authorities need neither. `--dev` gives the ordinary build to the test node instead.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use periscope_tests::{AGENT_IMAGE, ContainerImage, agent_image};
use sha2::{Digest as _, Sha256};

use crate::command::{run, say};
use crate::services::cache::hex;
use crate::services::keeper;
use crate::services::place::{self, Place};

/// Where the program is in the image: not below `/aks-periscope`, where a folder of the node is mounted.
const PROGRAM: &str = "/usr/bin/aks-periscope";
/// Mozilla's list of authorities, from Debian's package ca-certificates; in the image where TLS looks first.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// What the image may weigh.
const MAX_BYTES: u64 = 30_000_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The processor that it is for [default: this machine's]
    #[arg(long, value_name = "ARCH")]
    architecture: Option<Architecture>,
    /// Its name
    #[arg(long, default_value_t = format!("aks-periscope:{}", env!("CARGO_PKG_VERSION")))]
    name: String,
    /// Where to write it [default: target/image/aks-periscope-ARCH.tar]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Build without optimisation and import it into the running test node
    #[arg(long, conflicts_with_all = ["architecture", "name", "output"])]
    dev: bool,
}

/// In the words of image indexes.
#[derive(Clone, Copy, ValueEnum)]
enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    const fn of_machine() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm64
        } else {
            Self::Amd64
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    const fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The compiler of the few files in C, and the Debian package that it is in.
    const fn compiler(self) -> (&'static str, &'static str) {
        match (self, Self::of_machine()) {
            (Self::Amd64, Self::Arm64) => ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
            (Self::Arm64, Self::Amd64) => ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
            _ => ("musl-gcc", "musl-tools"),
        }
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self {
            architecture,
            name,
            output,
            dev,
        } = self;
        if dev {
            give_to_test_node()?;
        } else {
            let architecture = architecture.unwrap_or(Architecture::of_machine());
            let output = output
                .unwrap_or_else(|| place::target().join(format!("image/aks-periscope-{}.tar", architecture.name())));
            release(architecture, &name, &output)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn give_to_test_node() -> Result<()> {
    cargo(Command::new("cargo").args(["build", "--locked", "--package", "periscope-cli"]))?;
    let services =
        keeper::running(&Place::of_workspace()).context("the services do not run: cargo xtask services up")?;
    agent_image(&services);
    say(&format!("the test node has {AGENT_IMAGE}"));
    Ok(())
}

/// The program of the image for this machine, and the image under this name.
pub(crate) fn released(name: &str) -> Result<(PathBuf, PathBuf)> {
    let architecture = Architecture::of_machine();
    let output = place::target().join("image/released.tar");
    release(architecture, name, &output)?;
    let program = place::target()
        .join(architecture.target())
        .join("release/aks-periscope");
    Ok((program, output))
}

fn release(architecture: Architecture, name: &str, output: &PathBuf) -> Result<()> {
    let program = build(architecture)?;
    let program = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    let authorities = fs::read(AUTHORITIES)
        .with_context(|| format!("cannot read {AUTHORITIES}: it is in the package ca-certificates"))?;
    let size = (program.len() + authorities.len()) as u64;
    if size > MAX_BYTES {
        bail!("the image would be of {size} bytes, more than {MAX_BYTES}");
    }
    output.parent().map_or(Ok(()), fs::create_dir_all)?;
    ContainerImage::new(PROGRAM, &["agent"])
        .for_architecture(architecture.name())
        .with_environment("PATH=/usr/bin")
        .with_label("org.opencontainers.image.source", env!("CARGO_PKG_REPOSITORY"))
        .with_label("org.opencontainers.image.version", env!("CARGO_PKG_VERSION"))
        .with_label("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE"))
        .with_program(PROGRAM, program)
        .with_file(AUTHORITIES, authorities)
        .write(output, name)
        .with_context(|| format!("cannot write {}", output.display()))?;
    let digest = Sha256::digest(fs::read(output).context("cannot read the image")?);
    say(&format!(
        "{}: {name}, {size} bytes, sha256 {}",
        output.display(),
        hex(&digest)
    ));
    Ok(())
}

/// The static program. The same source gives the same bytes wherever it lies.
fn build(architecture: Architecture) -> Result<PathBuf> {
    let target = architecture.target();
    let (compiler, package) = architecture.compiler();
    run(Command::new(compiler).arg("--version")).with_context(|| format!("{compiler} is in the package {package}"))?;
    run(Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(place::workspace()))?;
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")?;
    let remapped = [(home, "/cargo"), (place::workspace(), "/build")]
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let variable = target.replace('-', "_");
    let mut command = Command::new("cargo");
    command
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "periscope-cli",
            "--target",
            target,
        ])
        .env("CARGO_ENCODED_RUSTFLAGS", remapped.join("\u{1f}"))
        .env("SOURCE_DATE_EPOCH", "0")
        .env(format!("CC_{variable}"), compiler);
    if compiler != "musl-gcc" {
        // For another processor the machine's own linker does not do; musl-gcc as a linker would give a dynamic
        // program.
        command.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), "rust-lld");
    }
    cargo(&mut command)?;
    Ok(place::target().join(target).join("release/aks-periscope"))
}

fn cargo(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .current_dir(place::workspace())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed");
    }
    Ok(())
}
