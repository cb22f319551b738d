//! `FindImages`, beside ECR's operations: the images of a registry that have a package, in which
//! versions, and who still pulls them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use tonnage_scanner::advisories::Ecosystem;
use tonnage_scanner::advisories::versions::{Scheme, VERSION_BYTES_MAX};

use super::matching::BINARY;
use crate::authorize;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::images::ImageStatus;
use crate::metadata::{Row, Value};
use crate::names::{Digest, RepositoryName, Tag};
use crate::pages::{Page, PageRequest};
use crate::repositories::RepositoryAddress;
use crate::{params, registries};

/// The action, decided for the registry and for each repository.
const ACTION: &str = "tonnage:FindImages";
/// The longest name of a package or an ecosystem, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Versions of one package in the deployment; the largest distributions have some hundreds.
const VERSIONS_MAX: usize = 20_000;
/// Versions that are read at a time.
const VERSIONS: usize = 1_000;
/// Images that are read at a time, and those that one request looks at.
const IMAGES: usize = 200;
const IMAGES_MAX: usize = 4_000;
/// Tags and indexes of an image that are told.
const TAGS_MAX: usize = 100;
const INDEXES_MAX: usize = 20;

/// Finds the images that have a package, of those that were scanned, the newest first. Of
/// operating systems that know source packages (Debian, Ubuntu, Alpine) it is the source package
/// (`openssl`) or the package itself (`libssl3`), each in its own version.
///
/// An image that is pulled or tagged as a part of an index is taken for pulled or tagged itself.
/// Repositories that policies deny are left out. A page may have fewer images than were asked for
/// although there are more.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when a version is one of no ecosystem, or not of the one that is
/// asked for; when the ecosystem is not known.
#[derive(Clone, Debug)]
pub struct FindImages {
    /// The package's name.
    pub package: String,
    /// Its ecosystem, with its release (`Debian:12`) or without (`Debian`, `npm`); any when absent.
    pub ecosystem: Option<String>,
    /// Only versions before this one, in the order of the ecosystem.
    pub below: Option<String>,
    /// Only this version and those after it.
    pub at_least: Option<String>,
    /// Only repositories whose names begin so.
    pub repository_prefix: Option<String>,
    /// Only images with this tag.
    pub tag: Option<Tag>,
    /// Only images that were pulled since.
    pub pulled_since: Option<Millis>,
    /// Which page.
    pub page: PageRequest,
}

/// A version of the package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundPackage {
    /// Its ecosystem, with its release.
    pub ecosystem: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// False for what the ecosystem itself would not take for a version. It is told whatever
    /// versions were asked for: nobody knows that it is not among them.
    pub is_ordered: bool,
}

impl FoundPackage {
    /// As the database puts it together: no ecosystem and no name has a tabulator.
    fn key(&self, stored_ecosystem: &str) -> String {
        format!("{stored_ecosystem}\t{}\t{}", self.name, self.version)
    }
}

/// An image that has the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// The indexes that it is in.
    pub indexes: Vec<Digest>,
    /// Its tags and those of the indexes.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Millis,
    /// When it, or an index that it is in, was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// Whether it can be pulled.
    pub status: ImageStatus,
    /// The package, in each version that it has and that was asked for.
    pub packages: Vec<FoundPackage>,
}

impl Operation for FindImages {
    const ENTRY: Entry =
        Entry { service: Service::Tonnage, name: Service::Tonnage.name_in(ACTION) };
    type Output = Page<FoundImage>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let (account, region) = (context.account, context.region.clone());
        vec![Demand::new(ACTION, Resource::Repositories { account, region })]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<FoundImage>> {
        self.check()?;
        let after = self.page.after.as_deref().map(parse_cursor).transpose()?;
        let mut tx = call.read().await?;
        let Some(registry_id) = registries::find_addressed(&mut tx, &call).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let packages = self.packages(&mut tx).await?;
        if packages.is_empty() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let limit = usize::try_from(self.page.limit).unwrap_or(usize::MAX);
        let keys = [Value::list(Ecosystem::spellings(&self.package)), Value::list(packages.keys())];
        let mut visible: BTreeMap<String, bool> = BTreeMap::new();
        let (mut items, mut before, mut examined) = (Vec::new(), after.unwrap_or(i64::MAX), 0);
        loop {
            let rows = self.images(&mut tx, registry_id, &keys, before).await?;
            for row in &rows {
                let name: String = row.get(1)?;
                let is_visible = match visible.get(&name) {
                    Some(known) => *known,
                    None => {
                        let decided = is_visible(&call, &mut tx, &name).await?;
                        visible.insert(name, decided);
                        decided
                    }
                };
                if is_visible {
                    if items.len() >= limit {
                        return Ok(Page { items, next: Some(before.to_string()) });
                    }
                    items.push(found(&mut tx, row, &keys, &packages).await?);
                }
                before = row.get(0)?;
                examined += 1;
            }
            if rows.len() < IMAGES {
                return Ok(Page { items, next: None });
            }
            if examined >= IMAGES_MAX {
                return Ok(Page { items, next: Some(before.to_string()) });
            }
        }
    }
}

impl FindImages {
    /// Checks what is asked for, before anything is read.
    fn check(&self) -> Result<()> {
        let refuse = |field, reason: String| Err(Error::invalid_parameter(field, reason));
        if self.package.is_empty() || self.package.len() > NAME_BYTES_MAX {
            return refuse("package", format!("A name has 1 to {NAME_BYTES_MAX} bytes"));
        }
        // No name has it, and no database takes it.
        let texts = [Some(&self.package), self.repository_prefix.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return refuse("package", "A name has no NUL".to_owned());
        }
        let schemes = match &self.ecosystem {
            None => Scheme::ALL.to_vec(),
            Some(text) => match Ecosystem::scheme_of_name(text) {
                Some(scheme) => vec![scheme],
                None => {
                    let names = Ecosystem::known_names().collect::<Vec<_>>().join(", ");
                    let reason = format!(
                        "{text:?} is no ecosystem. There are, with a release after a colon or \
                         without: {names}"
                    );
                    return refuse("ecosystem", reason);
                }
            },
        };
        for (field, version) in [("below", &self.below), ("atLeast", &self.at_least)] {
            let Some(version) = version else { continue };
            if schemes.iter().all(|scheme| scheme.parse(version).is_none()) {
                let of = self.ecosystem.as_deref().unwrap_or("any ecosystem");
                let reason = format!(
                    "{version:?} is not a version of {of}, which have at most \
                     {VERSION_BYTES_MAX} bytes"
                );
                return refuse(field, reason);
            }
        }
        Ok(())
    }

    /// The versions of the package that are asked for, by their rows.
    async fn packages(&self, tx: &mut Tx) -> Result<BTreeMap<String, FoundPackage>> {
        let names = Ecosystem::spellings(&self.package);
        let mut packages = BTreeMap::new();
        let mut after = 0_i64;
        loop {
            let rows = tx
                .all(
                    "SELECT id, ecosystem, name, version FROM package_versions \
                     WHERE name IN_LIST($1) AND id > $2 ORDER BY id LIMIT $3",
                    params![Value::list(&names), after, VERSIONS],
                )
                .await?;
            for row in &rows {
                after = row.get(0)?;
                let (stored, name): (String, String) = (row.get(1)?, row.get(2)?);
                let ecosystem = stored.strip_prefix(BINARY).unwrap_or(&stored).to_owned();
                if let Some(package) = self.wanted(ecosystem, name, row.get(3)?) {
                    packages.insert(package.key(&stored), package);
                }
            }
            if packages.len() > VERSIONS_MAX {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!(
                        "Images have more than {VERSIONS_MAX} versions of {}. Ask for an \
                         ecosystem, or for fewer versions.",
                        self.package
                    ),
                ));
            }
            if rows.len() < VERSIONS {
                return Ok(packages);
            }
        }
    }

    fn wanted(&self, ecosystem: String, name: String, version: String) -> Option<FoundPackage> {
        let known = Ecosystem::of_advisory(&ecosystem)?;
        if known.normalise(&self.package) != name {
            return None;
        }
        if let Some(wanted) = &self.ecosystem
            && !is_of(&ecosystem, wanted)
        {
            return None;
        }
        let scheme = known.scheme();
        let is_ordered = scheme.parse(&version).is_some();
        let bounds = [
            (&self.below, &[Ordering::Less][..]),
            (&self.at_least, &[Ordering::Greater, Ordering::Equal]),
        ];
        for (bound, orders) in bounds {
            let Some(bound) = bound else { continue };
            // What is no version here says nothing of this ecosystem's packages.
            scheme.parse(bound)?;
            if let Some(order) = scheme.compare(&version, bound)
                && !orders.contains(&order)
            {
                return None;
            }
        }
        Some(FoundPackage { ecosystem, name, version, is_ordered })
    }

    /// The next images before one, the newest first.
    async fn images(
        &self,
        tx: &mut Tx,
        registry_id: i64,
        [names, keys]: &[Value; 2],
        before: i64,
    ) -> Result<Vec<Row>> {
        let prefix = self.repository_prefix.as_deref().unwrap_or_default();
        let rows = tx
            .all(
                "SELECT DISTINCT images.id, repositories.name, images.digest, images.pushed_at, \
                 images.status FROM image_packages \
                 JOIN package_versions \
                 ON package_versions.id = image_packages.package_version_id \
                 JOIN images ON images.id = image_packages.image_id \
                 JOIN repositories ON repositories.id = images.repository_id \
                 WHERE package_versions.name IN_LIST($1) AND (package_versions.ecosystem || \
                 '\t' || package_versions.name || '\t' || package_versions.version) IN_LIST($11) \
                 AND repositories.registry_id = $2 AND images.id < $3 \
                 AND SUBSTR(repositories.name, 1, CAST($4 AS INTEGER)) = $5 \
                 AND ($6 = 0 OR EXISTS (SELECT 1 FROM tags WHERE tags.name = $7 \
                 AND (tags.image_id = images.id OR tags.image_id IN (SELECT image_id \
                 FROM image_children WHERE image_children.child_image_id = images.id)))) \
                 AND ($8 = 0 OR images.last_pulled_at >= $9 OR EXISTS (SELECT 1 \
                 FROM image_children JOIN images AS indexes \
                 ON indexes.id = image_children.image_id \
                 WHERE image_children.child_image_id = images.id \
                 AND indexes.last_pulled_at >= $9)) \
                 ORDER BY images.id DESC LIMIT $10",
                params![
                    names.clone(),
                    registry_id,
                    before,
                    prefix.chars().count(),
                    prefix,
                    self.tag.is_some(),
                    self.tag.as_ref().map_or("", Tag::as_str),
                    self.pulled_since.is_some(),
                    self.pulled_since.unwrap_or(Millis(0)),
                    IMAGES,
                    keys.clone()
                ],
            )
            .await?;
        Ok(rows)
    }
}

/// Whether an ecosystem is the one asked for, or a release of it.
fn is_of(ecosystem: &str, wanted: &str) -> bool {
    let wanted = wanted.trim();
    ecosystem.eq_ignore_ascii_case(wanted)
        || ecosystem.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(wanted))
}

fn parse_cursor(text: &str) -> Result<i64> {
    text.parse().map_err(|_| Error::invalid_parameter("nextToken", "Invalid token"))
}

/// Whether the caller may see images of a repository.
async fn is_visible(call: &Call<'_>, tx: &mut Tx, name: &str) -> Result<bool> {
    let address = RepositoryAddress {
        account: call.context.account,
        region: call.context.region.clone(),
        name: RepositoryName::parse(name).map_err(Error::internal)?,
    };
    for action in [ACTION, "ecr:DescribeImages"] {
        let demand = Demand::new(action, address.resource());
        match authorize::require_now(call.app, call.context, demand, tx).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AccessDenied => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

async fn found(
    tx: &mut Tx,
    row: &Row,
    [names, keys]: &[Value; 2],
    packages: &BTreeMap<String, FoundPackage>,
) -> Result<FoundImage> {
    let id: i64 = row.get(0)?;
    let has = tx
        .all(
            "SELECT DISTINCT package_versions.ecosystem || '\t' || package_versions.name || '\t' \
             || package_versions.version FROM image_packages JOIN package_versions \
             ON package_versions.id = image_packages.package_version_id \
             WHERE image_packages.image_id = $1 AND package_versions.name IN_LIST($2) \
             AND (package_versions.ecosystem || '\t' || package_versions.name || '\t' \
             || package_versions.version) IN_LIST($3)",
            params![id, names.clone(), keys.clone()],
        )
        .await?;
    let has = has.iter().map(|row| row.get(0)).collect::<Result<Vec<String>, _>>()?;
    let has: BTreeSet<&FoundPackage> = has.iter().filter_map(|key| packages.get(key)).collect();
    let indexes = tx
        .all(
            "SELECT DISTINCT images.digest FROM image_children \
             JOIN images ON images.id = image_children.image_id \
             WHERE image_children.child_image_id = $1 ORDER BY images.digest LIMIT $2",
            params![id, INDEXES_MAX],
        )
        .await?;
    let indexes = indexes.iter().map(|row| digest(row, 0)).collect::<Result<Vec<_>>>()?;
    let tags = tx
        .all(
            "SELECT DISTINCT name FROM tags WHERE image_id = $1 OR image_id IN (SELECT image_id \
             FROM image_children WHERE child_image_id = $1) ORDER BY name LIMIT $2",
            params![id, TAGS_MAX],
        )
        .await?;
    let pulled = tx
        .optional(
            "SELECT MAX(last_pulled_at) FROM images WHERE id = $1 OR id IN (SELECT image_id \
             FROM image_children WHERE child_image_id = $1)",
            params![id],
        )
        .await?;
    Ok(FoundImage {
        repository: RepositoryName::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        digest: digest(row, 2)?,
        indexes,
        tags: tags.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?,
        pushed_at: row.get(3)?,
        last_pulled_at: pulled.map(|row| row.get(0)).transpose()?.flatten(),
        status: ImageStatus::from_stored(&row.get::<String>(4)?)?,
        packages: has.into_iter().cloned().collect(),
    })
}

fn digest(row: &Row, column: usize) -> Result<Digest> {
    Digest::parse(&row.get::<String>(column)?).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(ecosystem: Option<&str>, below: Option<&str>, at_least: Option<&str>) -> FindImages {
        FindImages {
            package: "Some_Package".to_owned(),
            ecosystem: ecosystem.map(str::to_owned),
            below: below.map(str::to_owned),
            at_least: at_least.map(str::to_owned),
            repository_prefix: None,
            tag: None,
            pulled_since: None,
            page: PageRequest { after: None, limit: 10 },
        }
    }

    #[test]
    fn versions_in_the_order_of_their_ecosystem() {
        let own = "Some_Package";
        for (ecosystem, name, version, below, at_least, expected) in [
            ("Debian:12", own, "3.0.15-1~deb12u1", Some("3.0.15"), None, None),
            ("Debian:12", own, "3.0.11-1~deb12u2", Some("3.0.15"), None, Some(true)),
            ("Debian:12", own, "1:1.0-1", Some("2.0"), None, None),
            ("Alpine:v3.19", own, "3.1.4-r5", Some("3.1.4-r6"), Some("3.1.4-r1"), Some(true)),
            ("Alpine:v3.19", own, "3.1.4-r6", Some("3.1.4-r6"), None, None),
            ("npm", own, "1.10.0", Some("1.9.0"), None, None),
            ("npm", own, "1.9.0-rc.1", Some("1.9.0"), Some("1.8.0"), Some(true)),
            ("npm", own, "1.9.0", None, Some("1.9.0"), Some(true)),
            ("npm", own, "1.8.9", None, Some("1.9.0"), None),
            // Names are those of the ecosystem: PEP 503, and none with another case elsewhere.
            ("PyPI", "some-package", "2.0.dev1", Some("2.0"), None, Some(true)),
            ("PyPI", own, "1.0", None, None, None),
            ("npm", "some_package", "1.0.0", None, None, None),
            // What cannot be compared may be what is looked for.
            ("npm", own, "latest", Some("1.0.0"), None, Some(false)),
            // A bound of another ecosystem says nothing.
            ("npm", own, "1.0.0", Some("1:2.0-1~deb12u1"), None, None),
        ] {
            let operation = finding(None, below, at_least);
            let found = operation.wanted(ecosystem.to_owned(), name.to_owned(), version.to_owned());
            let found = found.map(|package| package.is_ordered);
            assert_eq!(found, expected, "{ecosystem} {name} {version}");
        }
    }

    #[test]
    fn what_may_be_asked_for() {
        for (ecosystem, below, valid) in [
            (None, None, true),
            (None, Some("1.2.3"), true),
            (Some("npm"), Some("1.2.3"), true),
            (Some("NPM"), Some("1.2.3"), true),
            (Some("npm"), Some("1:2~3"), false),
            (Some("debian"), Some("1:2~3"), true),
            (Some("Debian:12"), None, true),
            (Some("deb"), None, false),
            (Some(""), None, false),
            (None, Some(""), false),
        ] {
            let found = finding(ecosystem, below, None).check();
            assert_eq!(found.is_ok(), valid, "{ecosystem:?} {below:?}");
        }
        assert!(is_of("Debian:12", "debian") && is_of("Debian:12", "Debian:12"));
        assert!(!is_of("Debian:12", "Debian:1") && !is_of("npm", "np"));
    }
}
