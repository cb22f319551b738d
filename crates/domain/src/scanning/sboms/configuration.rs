//! Which images have bills of materials attached when they are pushed. ECR has no such setting, so
//! it is beside its API.

use serde::{Deserialize, Serialize};

use super::super::filter;
use super::{Format, format_name, format_of_name};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::registries::{self, Document};

/// Filters of a registry, as scanning has them.
const FILTERS_MAX: usize = 100;
/// Bytes of a filter; no name of a repository is longer.
const FILTER_BYTES_MAX: usize = 256;

/// What a registry has attached. Unset, it is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SbomConfiguration {
    /// The formats, by name; nothing is attached where there are none.
    formats: Vec<String>,
    /// Wildcard filters over repository names, any of which may match; all repositories where there
    /// are none.
    filters: Vec<String>,
}

impl Document for SbomConfiguration {
    const NAME: &'static str = "sbom";
}

impl SbomConfiguration {
    /// What is attached to which images.
    ///
    /// # Errors
    /// `InvalidParameter` for a format that is given twice, and for a filter that matches nothing.
    pub fn new(formats: &[Format], filters: Vec<String>) -> Result<Self> {
        let names: Vec<String> = formats.iter().map(|it| format_name(*it).to_owned()).collect();
        if names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|it| it == name))
        {
            return Err(Error::invalid_parameter("formats", "Each format once"));
        }
        let is_filter = |filter: &String| {
            let may_stand = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"*._-/".contains(&byte)
            };
            (1..=FILTER_BYTES_MAX).contains(&filter.len()) && filter.bytes().all(may_stand)
        };
        if filters.len() > FILTERS_MAX || !filters.iter().all(is_filter) {
            let constraint = format!(
                "At most {FILTERS_MAX} filters of 1 to {FILTER_BYTES_MAX} of the characters of \
                 repository names, and *"
            );
            return Err(Error::invalid_parameter("filters", constraint));
        }
        Ok(Self { formats: names, filters })
    }

    /// The formats.
    pub fn formats(&self) -> Vec<Format> {
        self.formats.iter().filter_map(|name| format_of_name(name)).collect()
    }

    /// The filters.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Whether images of a repository get any.
    pub(super) fn takes(&self, name: &str) -> bool {
        let is_meant = |filter: &String| filter::matches(filter, name);
        !self.formats.is_empty() && (self.filters.is_empty() || self.filters.iter().any(is_meant))
    }
}

/// Replaces what is attached, from the next push on. Idempotent.
#[derive(Clone, Debug)]
pub struct PutSbomConfiguration {
    /// The new configuration.
    pub configuration: SbomConfiguration,
}

impl Operation for PutSbomConfiguration {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "PutSbomConfiguration" };
    type Output = SbomConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:PutSbomConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<SbomConfiguration> {
        let mut tx = call.write().await?;
        let registry_id = registries::ensure_addressed(&mut tx, &call).await?;
        self.configuration.store(&mut tx, registry_id).await?;
        call.commit(tx).await?;
        Ok(self.configuration)
    }
}

/// What the registry has attached.
#[derive(Clone, Copy, Debug)]
pub struct GetSbomConfiguration;

impl Operation for GetSbomConfiguration {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetSbomConfiguration" };
    type Output = SbomConfiguration;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:GetSbomConfiguration", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<SbomConfiguration> {
        let mut tx = call.read().await?;
        let registry_id = registries::find_addressed(&mut tx, &call).await?;
        SbomConfiguration::load(&mut tx, registry_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let of = |formats: &[Format], filters: &[&str]| {
            SbomConfiguration::new(formats, filters.iter().map(|&it| it.to_owned()).collect())
        };
        for (formats, filters, name, expected) in [
            (&[][..], &[][..], "app", Some(false)),
            (&[Format::Spdx2_3], &[], "app", Some(true)),
            (&[Format::Spdx2_3], &["prod/*", "*-rc"], "prod/app", Some(true)),
            (&[Format::Spdx2_3], &["prod/*", "*-rc"], "test/app", Some(false)),
            (&[Format::Spdx2_3, Format::Spdx2_3], &[], "app", None),
            (&[], &["PROD"], "app", None),
            (&[], &[""], "app", None),
        ] {
            let found = of(formats, filters).ok().map(|configuration| configuration.takes(name));
            assert_eq!(found, expected, "{formats:?} {filters:?} {name}");
        }
        assert_eq!(of(&Format::ALL, &[]).unwrap().formats(), Format::ALL);
    }
}
