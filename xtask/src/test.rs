//! `cargo xtask test`: builds everything, brings up the services meanwhile, runs every test once, stops the services.

use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::command::say;
use crate::services::keeper::Lifetime;
use crate::services::place::{self, Place};
use crate::services::{down, up};

/// The property tests try the same cases each time here, so that a change is judged by what it changed. Plain `cargo
/// test` tries new ones.
const PROPERTY_SEED: &str = "20261120";

/// Variables that `cargo run` sets for this program. Build scripts that watch them would run again for nothing.
const OF_THIS_PROGRAM: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_NAME"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For `cargo test`: part of a test's name, `--test FILE`; every test without
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { arguments } = self;
        let place = Place::of_workspace();
        let _turn = place.lock()?;
        say("building the product and the tests");
        // As `cargo test` builds, so that it finds everything built, and the product's binary too.
        let build = cargo(&["build", "--workspace", "--all-targets"])
            .spawn()
            .context("cannot start cargo")?;
        // Whatever ends this process, also ends the services: the kernel kills them with this thread.
        let started = up(&place, Lifetime::ThisThread)?;
        let outcome = finish(build).and_then(|()| run_tests(&place, &arguments));
        if started {
            down(&place)?;
        }
        outcome
    }
}

fn finish(mut build: Child) -> Result<()> {
    let status = build.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("the build failed");
    }
    Ok(())
}

fn run_tests(place: &Place, arguments: &[String]) -> Result<ExitCode> {
    say("running the tests");
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command
        .args(arguments)
        .env(periscope_tests::ENDPOINTS, place.endpoints())
        .env("PROPTEST_RNG_SEED", PROPERTY_SEED);
    let status = command.status().context("cannot start cargo")?;
    say(if status.success() {
        "all tests passed"
    } else {
        "tests failed"
    });
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Cargo, which ends with this process.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "cargo"]).args(arguments);
    command.current_dir(place::workspace()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if OF_THIS_PROGRAM
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
}
