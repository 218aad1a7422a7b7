//! The program `aks-periscope`: reads the command line, runs one command, ends with its exit code.

mod actions;
mod agent;
mod analyze;
mod args;
mod collect;
mod exit;
mod hand_over;
mod inspect;
mod installation;
mod judge;
mod kollect;
mod manifests;
mod manual;
mod output;
mod rules;
mod run;
mod runtime;
mod screen;
mod small_file;
mod storage;
mod upload;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::Exit;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == periscope_host::HOST_EXEC_ARG) {
        // Must come before any thread is started: see periscope_host::host_exec_main.
        return periscope_host::host_exec_main(words);
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(&error),
    };
    let result = match args.command {
        Command::Collect(args) => collect::run(*args),
        Command::Agent(args) => agent::run(args),
        Command::Kollect(args) => kollect::run(*args),
        Command::Manifests(args) => manifests::run(*args),
        Command::HandOver(args) => hand_over::run(args),
        Command::Upload(args) => upload::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Actions(args) => actions::run(&args),
        Command::Completions(args) => Ok(manual::completions(&args)),
        Command::Man => manual::page(),
    };
    result.unwrap_or_else(|error| Exit::of_error(&error)).into()
}
