//! Checks of the tree and generated references.

mod check;
mod shapes;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask <command> [options]

commands:
  check    what no compiler checks: edges between crates, documents, dependencies, file lengths
  shapes   generate the tables of AWS shapes from a botocore model, or check them";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    match command.as_deref() {
        Some("check") => check::run(),
        Some("shapes") => shapes::run(&rest),
        Some(other) => bail!("unknown command `{other}`\n\n{USAGE}"),
        None => bail!("{USAGE}"),
    }
}

/// The root of the checkout.
fn root() -> std::path::PathBuf {
    let here = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), std::path::Path::to_path_buf)
}
