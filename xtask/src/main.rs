//! The chores of this repository: `cargo xtask COMMAND`, one file per command.
//! Nothing here is part of the product.
#![expect(
    clippy::disallowed_methods,
    reason = "chores run programs and read files of the workspace, not of a node"
)]

mod bench;
mod command;
mod generate;
mod image;
mod node;
mod services;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The chores of this repository", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every test, with the real services that they need
    Test(test::Args),
    /// Measure the product on a large node
    Bench(bench::Args),
    /// Start, stop or show the real services of the tests
    Services(services::Args),
    /// Write the documents that follow from the code
    Generate(generate::Args),
    /// Build the container image, into a file that `docker load` and `ctr images import` take
    Image(image::Args),
    /// What runs inside the namespaces of the test node
    #[command(hide = true)]
    Node(node::Args),
}

impl Args {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self { chore } = self;
        match chore {
            Chore::Test(args) => args.run(),
            Chore::Bench(args) => args.run(),
            Chore::Services(args) => args.run(),
            Chore::Generate(args) => args.run(),
            Chore::Image(args) => args.run(),
            Chore::Node(args) => args.run(),
        }
    }
}

fn main() -> ExitCode {
    Args::parse().run().unwrap_or_else(|error| {
        command::complain(&error);
        ExitCode::FAILURE
    })
}
