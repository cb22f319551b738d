//! The `tonnage` binary: Amazon ECR that anyone can run.

#[macro_use]
mod output;

mod admin;
mod cli;
mod commands;
mod config;
mod data_directory;
mod examine;
mod local;
mod serve;
mod shell;
mod stores;

use std::process::ExitCode;

use clap::Parser as _;

// Many small allocations per request on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse_from(cli::words(std::env::args_os()));
    match commands::run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tonnage: {error:#}");
            ExitCode::FAILURE
        }
    }
}
