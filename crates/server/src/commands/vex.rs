//! `tonnage vex`: asks the running server over its admin socket.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use http::Method;
use serde::de::DeserializeOwned;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::vex::{Vex, VexDocuments, WantedVex};
use crate::cli::{PlaceArguments, RegistryArguments, VexCommands};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs; that a file cannot be read.
pub(super) async fn run(command: VexCommands) -> Result<ExitCode> {
    match command {
        VexCommands::Put { place, file, name, registry } => {
            let document = read(&file)?;
            let name = match name {
                Some(name) => name,
                None => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            };
            let wanted = WantedVex { document, ..of(registry, name) };
            let put: Vex = ask(&place, "put", &wanted).await?;
            say!("{} holds for the registry: {} statements.", put.name, put.statements);
        }
        VexCommands::List { place, registry } => {
            let found: VexDocuments = ask(&place, "list", &of(registry, String::new())).await?;
            say!("{:<40} {:>10} {:<24} DIGEST", "NAME", "STATEMENTS", "SINCE");
            for found in &found.documents {
                say!(
                    "{:<40} {:>10} {:<24} {}",
                    found.name,
                    found.statements,
                    found.updated_at,
                    found.digest
                );
            }
        }
        VexCommands::Show { place, name, registry } => {
            let found: Vex = ask(&place, "get", &of(registry, name)).await?;
            say_part!("{}", found.document.unwrap_or_default());
        }
        VexCommands::Delete { place, name, registry } => {
            let wanted = of(registry, name);
            let _: serde_json::Value = ask(&place, "delete", &wanted).await?;
            say!("{} is gone. What it suppressed counts again.", wanted.name);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(registry: RegistryArguments, name: String) -> WantedVex {
    let RegistryArguments { account, in_region } = registry;
    WantedVex { account, region: in_region, name, document: String::new() }
}

async fn ask<T: DeserializeOwned>(
    place: &PlaceArguments,
    verb: &str,
    wanted: &WantedVex,
) -> Result<T> {
    let path = format!("/vex/{verb}");
    call(&Place::find(place)?.layout, Method::POST, &path, Some(wanted)).await
}

fn read(file: &Path) -> Result<String> {
    /// Bytes of a request to the server, which the document is a part of.
    const BYTES_MAX: u64 = 4 * 1024 * 1024;
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(BYTES_MAX).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file);
        opened.and_then(|opened| opened.take(BYTES_MAX).read_to_string(&mut text))
    };
    read.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text)
}
