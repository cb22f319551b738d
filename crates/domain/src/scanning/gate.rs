//! What policies may ask of the scan of an image: condition keys of pulls.

use std::collections::BTreeSet;

use super::RegistryScanningConfiguration;
use super::state::{self, Scan, SeverityCounts};
use crate::error::Result;
use crate::execute::{Demand, Resource, Tx};
use crate::images::{self, ImageIdentifier};
use crate::names::{Digest, Tag};
use crate::registries::Document as _;
use crate::repositories::{self, RepositoryAddress};

/// The severities of the findings of an image.
const SEVERITY: &str = "tonnage:ScanSeverity";
/// Those of the findings that a newer version of a package would end.
const FIXABLE: &str = "tonnage:FixableScanSeverity";
/// Where the scan stands; `NONE` for an image that was never scanned, `NOT_APPLICABLE` for what is
/// not scanned by itself, such as an index.
const STATUS: &str = "tonnage:ScanStatus";

/// Whether a condition key, in lower case, is one of these.
pub(crate) fn is_key(key: &str) -> bool {
    [SEVERITY, FIXABLE, STATUS].iter().any(|own| own.eq_ignore_ascii_case(key))
}

/// The demand with what is known of the image that it names; as it is where it names none.
pub(crate) async fn with_scan(tx: &mut Tx, demand: &Demand) -> Result<Demand> {
    let mut demand = demand.clone();
    let Some(id) = named(&demand) else { return Ok(demand) };
    let Resource::Repository { account, region, name } = &demand.resource else {
        return Ok(demand);
    };
    let (account, region, name) = (*account, region.clone(), name.clone());
    let address = RepositoryAddress { account, region, name };
    let Some(repository) = repositories::find(tx, &address).await? else { return Ok(demand) };
    let Ok(image) = images::resolve(tx, &repository, &id).await? else { return Ok(demand) };
    let configuration =
        RegistryScanningConfiguration::load(tx, Some(repository.registry_id)).await?;
    let scan = state::find(tx, image.id, configuration.scan_type).await?;
    let severities = |counts: fn(&Scan) -> &SeverityCounts| {
        let found = scan.as_ref().filter(|scan| scan.status.has_findings()).map(counts);
        let words = found.into_iter().flat_map(|counts| counts.keys());
        let words: BTreeSet<&str> = words.map(|severity| severity.as_str()).collect();
        words.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let status = match &scan {
        Some(scan) => scan.status.as_str(),
        None if state::is_container_image(tx, image.id).await? => "NONE",
        None => "NOT_APPLICABLE",
    };
    let keys = [
        (SEVERITY, severities(|scan| &scan.counts)),
        (FIXABLE, severities(|scan| &scan.fixable)),
        (STATUS, vec![status.to_owned()]),
    ];
    demand.keys.extend(keys.map(|(key, values)| (key.to_owned(), values)));
    Ok(demand)
}

/// The image that a demand names.
fn named(demand: &Demand) -> Option<ImageIdentifier> {
    let value = |name: &str| {
        let (_, values) = demand.keys.iter().find(|(key, _)| key == name)?;
        values.first()
    };
    let tag = value("tonnage:ImageTag").and_then(|text| Tag::parse(text).ok());
    let digest = value("tonnage:ImageDigest").and_then(|text| Digest::parse(text).ok());
    (tag.is_some() || digest.is_some()).then_some(ImageIdentifier { digest, tag })
}
