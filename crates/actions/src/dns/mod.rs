//! Action `dns`: the files that say how names are resolved on the node and in this pod, and live look-ups at every name
//! server they name.

mod action;
mod query;
mod servers;

pub(crate) use action::{DESCRIPTOR, DNS_PORT, Dns, PUBLIC_NAME, api_server_name};
