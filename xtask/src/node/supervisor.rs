//! Starts everything on the node in order, says when all of it answers, and stays: it owns the services' processes and
//! the pipes into the journal.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::journal::Journal;
use super::units::Units;
use super::{Node, STATE, azurite, control_plane, kubelet, layout, network};
use crate::command::say;

pub(super) fn run(node: &Node) -> Result<ExitCode> {
    layout::mount(node)?;
    network::configure(node)?;
    layout::fill(node)?;
    let journal = Journal::open(node)?;
    journal.copy_kernel_log()?;
    let mut units = Units::new(journal)?;

    azurite::start(node, &mut units)?;
    kubelet::start_runtime(&mut units)?;
    control_plane::start(node, &mut units)?;
    kubelet::import_images(node, &mut units)?;
    kubelet::start(node, &mut units)?;
    control_plane::apply_objects(node, &mut units)?;
    azurite::await_ready(node, &mut units)?;

    say("everything answers");
    fs::write(Path::new(STATE).join("ready"), "").context("cannot say that all is ready")?;
    units.watch();
    Ok(ExitCode::FAILURE)
}
