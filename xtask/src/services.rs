//! `cargo xtask services up|down|status`: the real services of the tests, kept running between test runs.
//! What they are is in [`crate::node`]; here they are prepared, started, found and stopped.

pub(crate) mod azurite;
pub(crate) mod cache;
pub(crate) mod coredns;
pub(crate) mod go;
pub(crate) mod image;
pub(crate) mod keeper;
pub(crate) mod kube;
pub(crate) mod leftovers;
pub(crate) mod packages;
pub(crate) mod place;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::command::say;
use keeper::Lifetime;
use place::Place;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Prepare what is missing and start everything; running services are left as they are
    Up,
    /// Stop everything and remove its state
    Down,
    /// Say whether the services run, and where; exit code 1 if they do not
    Status,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { action } = self;
        let place = Place::of_workspace();
        match action {
            Action::Up => {
                let _turn = place.lock()?;
                up(&place, Lifetime::UntilDown)?;
            }
            Action::Down => {
                let _turn = place.lock()?;
                down(&place)?;
            }
            Action::Status => return Ok(status(&place)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Brings the services up unless they are. Says whether it was this call that did.
pub(crate) fn up(place: &Place, lifetime: Lifetime) -> Result<bool> {
    if let Some(services) = keeper::running(place) {
        say(&format!("services already run, node pid {}", services.cluster.pid1));
        return Ok(false);
    }
    packages::install()?;
    let cache = cache::Cache::open()?;
    let parts = keeper::Parts {
        image: image::build(&cache)?,
        azurite: azurite::install(&cache)?,
        coredns: coredns::build(&cache)?,
        kube: kube::build(&cache)?,
    };
    // A start that was interrupted may have left a half.
    keeper::stop(place)?;
    leftovers::remove(place)?;
    say("starting the services");
    let services = keeper::start(place, &parts, lifetime)?;
    say(&format!(
        "services run: node {}, pid {}",
        services.cluster.node_ip, services.cluster.pid1
    ));
    Ok(true)
}

/// Stops the services and proves that nothing of them is left.
pub(crate) fn down(place: &Place) -> Result<()> {
    keeper::stop(place)?;
    leftovers::remove(place)?;
    say("services stopped, nothing left");
    Ok(())
}

fn status(place: &Place) -> ExitCode {
    let Some(services) = keeper::running(place) else {
        say("services do not run");
        return ExitCode::FAILURE;
    };
    say(&format!(
        "{}={}",
        periscope_tests::ENDPOINTS,
        place.endpoints().display()
    ));
    say(&format!("kubeconfig  {}", services.cluster.kubeconfig.display()));
    say(&format!(
        "node        {} {}, pid {}",
        services.cluster.node_name, services.cluster.node_ip, services.cluster.pid1
    ));
    say(&format!("azurite     {}", services.azurite.endpoint));
    ExitCode::SUCCESS
}
