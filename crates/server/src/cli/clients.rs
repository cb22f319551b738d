//! What readies the clients of this machine: `tonnage env`, `docker-login`, `docker-credential`.

use clap::{Args, ValueEnum};

use super::PlaceArguments;
use crate::shell::Shell;

/// What `tonnage env` takes.
#[derive(Debug, Args)]
pub(crate) struct EnvArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The shell that will run the commands. [default: by the variable SHELL, else sh]
    #[arg(long, value_enum)]
    pub(crate) shell: Option<Shell>,
    /// Remove what an earlier `tonnage env` set; the lists of hosts without a proxy stay.
    #[arg(long, conflicts_with_all = ["profile", "endpoint"])]
    pub(crate) unset: bool,
    /// Write a profile into the files of the AWS command line, and use that.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The address that clients use. [default: where the server listens]
    #[arg(long, value_name = "URL", value_parser = parse_endpoint)]
    pub(crate) endpoint: Option<String>,
}

fn parse_endpoint(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|error| format!("it is no URL: {error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(text.to_owned()),
        _ => Err("it must begin with http:// or https://".to_owned()),
    }
}

/// What `tonnage docker-login` takes.
#[derive(Debug, Args)]
pub(crate) struct DockerLoginArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The registry's host as it stands before the names of images. [default: those of this
    /// machine]
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Print the password instead of calling docker.
    #[arg(long, conflicts_with = "hosts")]
    pub(crate) print: bool,
}

/// What docker asks a credential helper for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DockerCredentialAction {
    /// The user and password for the host on standard input.
    Get,
    /// The hosts that are known without being asked for.
    List,
    /// Refused: there is nothing to keep.
    Store,
    /// Done: nothing was kept.
    Erase,
    /// The release.
    Version,
}
