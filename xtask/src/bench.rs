//! `cargo xtask bench`: the figures of `docs/benchmarks.md`, everything side by side in one run of each part. Nothing here
//! passes or fails by the clock: figures are for people.

mod agent;
mod analyze;
mod cgroup;
mod collect;
mod fixture;
mod journal;
mod log_text;
mod looking;
mod machine;
mod measure;
mod page;
mod parts;
mod pods;
mod random;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Time, memory, disk and size of `aks-periscope collect`, against gzip on the same cores.
    /// Needs root, pigz, systemd-journal-remote, and 5 GB below the target folder
    Collect(collect::Args),
    /// How soon the agent reports and what it takes, on the running test cluster. Needs musl and root
    Agent(agent::Args),
    /// How fast logs are scanned with all rules, beside grep of one word
    Analyze(analyze::Args),
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { what } = self;
        match what {
            What::Collect(args) => args.run(),
            What::Agent(args) => args.run(),
            What::Analyze(args) => args.run(),
        }
    }
}
