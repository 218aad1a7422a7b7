//! The blob service on the node's address. It answers under the node's address and, in the node, under the name that
//! the storage account would have in Azure.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::pki::Authority;
use super::units::Units;
use super::{ACCOUNT, CONNECT_LIMIT, Node, STATE};

/// An unmodified client connects to the port of https, which is free in the node's own network.
const PORT: u16 = 443;

pub(super) fn start(node: &Node, units: &mut Units) -> Result<()> {
    let state = Path::new(STATE);
    let authority = Authority::create(&state.join("azurite/pki"), "periscope-test-storage")?;
    let names = format!("IP:{},DNS:{ACCOUNT}.blob.core.windows.net", node.ip());
    let (certificate, key) = authority.issue("azurite", &format!("/CN={ACCOUNT}"), &names)?;
    fs::copy(authority.certificate(), state.join("azurite-ca.crt")).context("cannot copy the authority of Azurite")?;
    units.start(
        "azurite",
        Command::new("node")
            .arg(node.azurite.join("node_modules/azurite/dist/src/blob/main.js"))
            .args([
                "--blobHost",
                &node.ip(),
                "--blobPort",
                &PORT.to_string(),
                "--oauth",
                "basic",
            ])
            // Without the first it refuses API versions newer than itself.
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location"])
            .arg(state.join("azurite/data"))
            .arg("--cert")
            .arg(certificate)
            .arg("--key")
            .arg(key)
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", node.account_key)),
    )
}

pub(super) fn await_ready(node: &Node, units: &mut Units) -> Result<()> {
    let address: SocketAddr = format!("{}:{PORT}", node.ip())
        .parse()
        .context("the node's address is no address")?;
    units.wait_for("Azurite answers", || {
        TcpStream::connect_timeout(&address, CONNECT_LIMIT).is_ok()
    })
}
