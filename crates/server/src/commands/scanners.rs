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
                println!("There are no other scanners: the setting `scanner` names them.");
            }
            for scanner in listed.scanners {
                println!("{} {}", scanner.name, scanner.url);
                println!("  registry   {}", scanner.registry);
                println!("  timeout    {} s", scanner.timeout_seconds);
                println!("  rescan     {} s", scanner.rescan_seconds);
            }
        }
        ScannersCommands::Test { place, name } => {
            let layout = Place::find(&place)?.layout;
            let path = format!("/scanners/{name}/test");
            let tested: TestedScanner = call(&layout, Method::POST, &path, None::<&()>).await?;
            println!("{} {}", plain(&tested.name), plain(&tested.version));
            println!("  vendor     {}", plain(&tested.vendor));
            for able in tested.capabilities {
                println!("  makes      {} reports", plain(&able.kind));
                able.produces.iter().for_each(|kind| println!("             {}", plain(kind)));
                println!("  of");
                able.consumes.iter().for_each(|kind| println!("             {}", plain(kind)));
            }
            for (key, value) in tested.properties {
                println!("  {} = {}", plain(&key), plain(&value));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text of another program, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
