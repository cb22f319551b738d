//! What a start tells the operator on standard output.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::data_directory::runtime::{Runtime, local_address};
use crate::data_directory::{KeySource, Layout};
use crate::local;

/// What there is to tell.
pub(super) struct Facts<'a> {
    /// Where the server listens.
    pub(super) runtime: &'a Runtime,
    /// The data directory.
    pub(super) layout: &'a Layout,
    /// The public suffix.
    pub(super) domain: Option<&'a str>,
    /// Where the root key came from.
    pub(super) root_key: &'a KeySource,
    /// Whether this start made the deployment.
    pub(super) first_start: bool,
    /// Whether there is a console.
    pub(super) console: bool,
    /// What the addresses speak to others.
    pub(super) scheme: &'static str,
}

/// Prints it. A closed standard output is no reason not to serve.
pub(super) fn print(facts: &Facts<'_>) {
    let text = if facts.first_start { first(facts) } else { later(facts) };
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn addresses(facts: &Facts<'_>) -> String {
    let addresses = facts.runtime.addresses.iter();
    let addresses: Vec<_> =
        addresses.map(|address| format!("{}://{address}", facts.scheme)).collect();
    addresses.join(", ")
}

/// Where people find the console.
fn console(facts: &Facts<'_>) -> Option<String> {
    let authority = match (facts.domain, facts.scheme) {
        (Some(domain), "https") => format!("console.{domain}"),
        _ => {
            let address = local_address(&facts.runtime.addresses)?;
            local::authority(address, &facts.runtime.addresses)
        }
    };
    facts.console.then(|| format!("{}://{authority}/console/", facts.scheme))
}

fn names(facts: &Facts<'_>, out: &mut String) {
    if let Some(public) = local_address(&facts.runtime.public_addresses) {
        let authority = local::authority(public, &facts.runtime.public_addresses);
        let _ = writeln!(out, "  public images  {authority}");
    }
    let Some(domain) = facts.domain else { return };
    let (account, region) = (&facts.runtime.account, &facts.runtime.region);
    let _ = writeln!(out, "  API name       api.ecr.{region}.{domain}");
    let _ = writeln!(out, "  registry name  {account}.dkr.ecr.{region}.{domain}");
    let _ = writeln!(out, "  public name    public.{domain}");
}

fn later(facts: &Facts<'_>) -> String {
    let mut out = format!(
        "Tonnage {} is ready: {} (account {}, region {}, data in {}{})\n",
        facts.runtime.version,
        addresses(facts),
        facts.runtime.account,
        facts.runtime.region,
        facts.layout.directory().display(),
        console(facts).map(|console| format!(", console {console}")).unwrap_or_default()
    );
    names(facts, &mut out);
    out
}

fn first(facts: &Facts<'_>) -> String {
    let Runtime { version, account, region, .. } = facts.runtime;
    let directory = facts.layout.directory().display();
    let registry = local_address(&facts.runtime.addresses)
        .map(|address| local::authority(address, &facts.runtime.addresses))
        .unwrap_or_default();
    let mut out = String::new();
    let _ = writeln!(out, "Tonnage {version} is ready.\n");
    let _ = writeln!(out, "  addresses      {}", addresses(facts));
    if let Some(console) = console(facts) {
        let _ = writeln!(out, "  console        {console}");
    }
    names(facts, &mut out);
    let _ = writeln!(out, "  account        {account}");
    let _ = writeln!(out, "  region         {region}");
    let _ = writeln!(out, "  data           {directory}");
    let _ = writeln!(out, "  root access    {}", facts.layout.credentials().display());
    if let KeySource::DataDirectory(path) = facts.root_key {
        let _ = writeln!(
            out,
            "\nBack up {} now and keep it apart from the data:\nwithout it nobody can read the \
             metadata again.",
            path.display()
        );
    }
    let option = local::data_dir_option(facts.layout.directory());
    let program = local::program();
    let _ = write!(
        out,
        "\nIn another shell:\n\n  \
         eval \"$({program} env{option})\"\n  \
         aws ecr create-repository --repository-name my-app\n  \
         aws ecr get-login-password | docker login --username AWS --password-stdin {registry}\n  \
         docker tag IMAGE {registry}/my-app:latest\n  \
         docker push {registry}/my-app:latest\n\n\
         Is docker in a virtual machine? `{program} doctor{option}` says which address it needs.\n\
         Another host name or machine? Start with `--listen 0.0.0.0:4510` and see `--domain` in \
         `{program} serve --help`.\n"
    );
    out
}
