//! `tonnage api`.

use clap::{Args, Subcommand};

use super::PlaceArguments;

/// What may be done with the API of Tonnage's own.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommands {
    /// Call an operation, on this machine or another one, and print its answer.
    ///
    /// Endpoint, region and credentials are those that the AWS command line would use; where there
    /// are none, it is the server on this machine with the key of its data directory.
    #[command(after_help = "\
Examples:
  tonnage api call GetPullStatistics '{\"repositoryName\": \"web/server\", \"groupBy\": \"platform\"}'
  tonnage api call ListImageShares '{\"repositoryName\": \"team/app\"}' --endpoint https://registry.example.com")]
    Call(ApiCallArguments),
    /// Print the model for the AWS command line and SDKs, which then have the service `tonnage`.
    #[command(after_help = "\
Examples:
  tonnage api model > tonnage.json && aws configure add-model --service-name tonnage --service-model file://tonnage.json")]
    Model,
}

/// What is called.
#[derive(Debug, Args)]
pub(crate) struct ApiCallArguments {
    #[command(flatten)]
    pub(crate) place: PlaceArguments,
    /// The operation, such as `FindImages`.
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// What it is asked, as JSON.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) input: String,
    /// Where the server is. [default: as the AWS command line, else this machine's]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The region. [default: as the AWS command line, else the server's]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}
