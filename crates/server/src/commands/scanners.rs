//! `tonnage scanners`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::scanners::{Scanners, TestedScanner};
use crate::cli::ScannersCommands;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: ScannersCommands) -> Result<ExitCode> {
    match command {
        ScannersCommands::List { place } => {
            let layout = Place::find(&place)?.layout;
            let listed: Scanners = call(&layout, Method::GET, "/scanners", None::<&()>).await?;
            if listed.scanners.is_empty() {
                say!("There are no other scanners: the setting `scanner` names them.");
            }
            for scanner in listed.scanners {
                say!("{} {}", scanner.name, scanner.url);
                say!("  registry   {}", scanner.registry);
                say!("  timeout    {} s", scanner.timeout_seconds);
                say!("  rescan     {} s", scanner.rescan_seconds);
            }
        }
        ScannersCommands::Test { place, name } => {
            let layout = Place::find(&place)?.layout;
            let path = format!("/scanners/{name}/test");
            let tested: TestedScanner = call(&layout, Method::POST, &path, None::<&()>).await?;
            say!("{} {}", plain(&tested.name), plain(&tested.version));
            say!("  vendor     {}", plain(&tested.vendor));
            for able in tested.capabilities {
                say!("  makes      {} reports", plain(&able.kind));
                able.produces.iter().for_each(|kind| say!("             {}", plain(kind)));
                say!("  of");
                able.consumes.iter().for_each(|kind| say!("             {}", plain(kind)));
            }
            for (key, value) in tested.properties {
                say!("  {} = {}", plain(&key), plain(&value));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text of another program, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
