//! The public gallery: what people find and read of public repositories without an account.
//!
//! Everything here is read by operations that everybody may run, and shows only what everybody may
//! pull. Lists and search are made from rows of their own, which follow each change within a second
//! ([`index`]), so that no push waits for them.

pub(crate) mod config;
pub mod get_pull_statistics;
pub mod index;
pub mod listings;
pub mod pulls;
pub mod scans;
pub mod search;
pub mod view_image;
pub mod view_publisher;
pub mod view_repository;
mod words;

use crate::app::App;
use crate::error::Result;
use crate::execute::{Call, Demand, Resource, Tx};
use crate::names::{AccountId, Region};
use crate::params;
use crate::repositories::Repository;

/// Reading the gallery, of one repository or of all.
pub(crate) const BROWSE: &str = "ecr-public:BrowseGallery";

/// The demand of a page that is about no single repository.
fn browse(account: AccountId) -> Demand {
    Demand::new(BROWSE, Resource::Repositories { account, region: Region::global() })
}

/// Operating systems that search knows (Amazon ECR Public user guide, "Repository catalog data").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl OperatingSystem {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Linux, Self::Windows];

    /// As catalog data spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }
}

/// Architectures that search knows; source as [`OperatingSystem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 32-bit ARM.
    Arm,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit x86.
    X86,
    /// 64-bit x86.
    X86_64,
}

impl Architecture {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Arm, Self::Arm64, Self::X86, Self::X86_64];

    /// As catalog data spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "ARM",
            Self::Arm64 => "ARM 64",
            Self::X86 => "x86",
            Self::X86_64 => "x86-64",
        }
    }
}

/// Operating system and architecture of a platform, `linux/arm64/v8`, as catalog data spell them.
fn names_of_platform(platform: &str) -> (Option<String>, Option<String>) {
    let mut parts = platform.split('/').map(str::trim);
    let known = |part: Option<&str>| {
        part.filter(|part| !part.is_empty() && *part != "unknown").map(str::to_owned)
    };
    let operating_system = known(parts.next()).map(|name| match name.as_str() {
        "linux" => OperatingSystem::Linux.name().to_owned(),
        "windows" => OperatingSystem::Windows.name().to_owned(),
        _ => name,
    });
    let architecture = known(parts.next()).map(|name| match name.as_str() {
        "arm" => Architecture::Arm.name().to_owned(),
        "arm64" => Architecture::Arm64.name().to_owned(),
        "386" => Architecture::X86.name().to_owned(),
        "amd64" => Architecture::X86_64.name().to_owned(),
        _ => name,
    });
    (operating_system, architecture)
}

/// Notes that what the gallery shows of a repository may have changed; of a private one, nothing.
pub(crate) async fn note(tx: &mut Tx, call: &Call<'_>, repository: &Repository) -> Result<()> {
    if !repository.address.region.is_global() {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO gallery_changes (id, repository_id) VALUES ($1, $2)",
        params![call.next_id(), repository.id],
    )
    .await?;
    Ok(())
}

/// The same of every repository of a registry.
pub(crate) async fn note_registry(tx: &mut Tx, call: &Call<'_>, registry_id: i64) -> Result<()> {
    note_registry_of(tx, call.app, registry_id).await
}

/// The same for a job.
pub(crate) async fn note_registry_of(tx: &mut Tx, app: &App, registry_id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO gallery_changes (id, repository_id) \
         SELECT CAST($1 AS BIGINT), id FROM repositories WHERE registry_id = $2",
        params![app.ids.next(app.clock.now()), registry_id],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms() {
        let check = |platform: &str, system: Option<&str>, architecture: Option<&str>| {
            let (found_system, found_architecture) = names_of_platform(platform);
            assert_eq!(found_system.as_deref(), system, "{platform}");
            assert_eq!(found_architecture.as_deref(), architecture, "{platform}");
        };
        check("linux/amd64", Some("Linux"), Some("x86-64"));
        check("linux/arm64/v8", Some("Linux"), Some("ARM 64"));
        check("linux/arm/v7", Some("Linux"), Some("ARM"));
        check("windows/386", Some("Windows"), Some("x86"));
        check("freebsd/riscv64", Some("freebsd"), Some("riscv64"));
        check("unknown/unknown", None, None);
        check("", None, None);
        check("linux", Some("Linux"), None);
    }
}
