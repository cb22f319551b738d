//! From the indexes of layers to what is in the image.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::collect::FileKind;
use super::index::{Evidence, LayerIndex, Warning, located};
use super::paths::{PathSet, parent};
use crate::package::{OsRelease, Package};

/// What is installed in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The operating system; none if no file says so.
    pub os: Option<OsRelease>,
    /// The packages, sorted, each with its path and the position of the layer that introduced it.
    /// Packages of a language that belong to a package of the operating system are not among them:
    /// its makers' advisories speak for them.
    pub packages: Vec<Package>,
    /// What could not be read although it is part of the image, or what is odd about it.
    pub warnings: Vec<Warning>,
    /// How many problems the indexes had no room for.
    pub warnings_dropped: u64,
}

/// A file that can still be seen.
struct Live<'a> {
    evidence: &'a Evidence,
    /// The layer that wrote it last.
    layer: u32,
    /// For each package, the layer that wrote it first.
    since: Vec<u32>,
}

/// Puts layers on top of one another, the lowest first.
///
/// A package that a layer only wrote again, as databases are written again with every change, stays
/// the package of the layer that introduced it. Positions count from 0, empty layers included.
///
/// Time grows with the number of files that speak of packages, times the number of layers.
pub fn squash<'a>(layers: impl IntoIterator<Item = &'a LayerIndex>) -> Inventory {
    let mut live: BTreeMap<&str, Live<'_>> = BTreeMap::new();
    let mut warnings: Vec<&Warning> = Vec::new();
    let mut warnings_dropped = 0_u64;
    for (position, layer) in (0_u32..).zip(layers) {
        let mut replaced: BTreeMap<&str, Live<'_>> = BTreeMap::new();
        let hidden: Vec<&str> =
            live.keys().copied().filter(|path| layer.hidden.hides(path)).collect();
        for path in hidden {
            replaced.extend(live.remove_entry(path));
        }
        warnings.retain(|warning| !layer.hidden.hides(&warning.path));
        warnings.extend(&layer.warnings);
        warnings_dropped = warnings_dropped.saturating_add(layer.warnings_dropped);
        for (path, evidence) in &layer.evidence {
            let since = first_layers(evidence, position, replaced.get(path.as_str()));
            live.insert(path, Live { evidence, layer: position, since });
        }
    }
    let mut inventory = Inventory {
        os: operating_system(&live),
        packages: packages(&live),
        warnings: warnings.into_iter().cloned().collect(),
        warnings_dropped,
    };
    if inventory.os.is_some()
        && !inventory.packages.iter().any(|package| package.package_type.is_os())
    {
        inventory.warnings.push(Warning {
            path: String::new(),
            problem: "there is an operating system, but no database of its packages".to_owned(),
        });
    }
    inventory
}

fn first_layers(evidence: &Evidence, position: u32, before: Option<&Live<'_>>) -> Vec<u32> {
    let Some(before) = before else { return vec![position; evidence.packages.len()] };
    let known: BTreeMap<&Package, u32> =
        before.evidence.packages.iter().zip(before.since.iter().copied()).collect();
    let first = |package| known.get(package).copied().unwrap_or(position);
    evidence.packages.iter().map(first).collect()
}

/// `etc` goes before `usr/lib` (os-release(5)).
fn operating_system(live: &BTreeMap<&str, Live<'_>>) -> Option<OsRelease> {
    let evidence = |path: &str| live.get(path).map(|live| live.evidence);
    let release = ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| evidence(path)?.os_release.clone())?;
    let apk_branch =
        evidence("etc/apk/repositories").and_then(|evidence| evidence.apk_branch.clone());
    Some(OsRelease { apk_branch, ..release })
}

fn packages(live: &BTreeMap<&str, Live<'_>>) -> Vec<Package> {
    let owners = Owners::new(live);
    let mut of_system = BTreeSet::new();
    let mut packages = Vec::new();
    for (path, file) in live {
        if is_superseded_lock(path, live) {
            continue;
        }
        for (package, since) in file.evidence.packages.iter().zip(&file.since) {
            if package.package_type.is_os() {
                // A system that changed the format of its database may still have the old one.
                let Package { package_type, name, version, architecture, .. } = package;
                if !of_system.insert((package_type, name, version, architecture)) {
                    continue;
                }
            } else if owners.own(path, file.layer) {
                continue;
            }
            packages.push(Package { layer: Some(*since), ..located(package, path) });
        }
    }
    packages.sort_unstable();
    packages
}

/// A lock file says nothing where it shows what was really installed.
fn is_superseded_lock(path: &str, live: &BTreeMap<&str, Live<'_>>) -> bool {
    if FileKind::of(path) != Some(FileKind::ComposerLock) {
        return false;
    }
    let directory = parent(path);
    let separator = if directory.is_empty() { "" } else { "/" };
    let installed = format!("{directory}{separator}vendor/composer/installed.json");
    live.contains_key(installed.as_str())
}

/// The files that packages of the operating system brought, with the layer that said so last.
struct Owners {
    layers: HashMap<u64, u32>,
}

impl Owners {
    fn new(live: &BTreeMap<&str, Live<'_>>) -> Self {
        let mut layers = HashMap::new();
        for file in live.values() {
            for key in file.evidence.owned.keys() {
                let layer = layers.entry(key).or_insert(file.layer);
                *layer = file.layer.max(*layer);
            }
        }
        Self { layers }
    }

    /// Whether the file is as a package brought it. What a later layer wrote is somebody else's.
    ///
    /// Packages may still name `/lib` and `/bin` where these are links into `/usr`.
    fn own(&self, path: &str, layer: u32) -> bool {
        let owned = |path: &str| {
            self.layers.get(&PathSet::key(path)).is_some_and(|owner| *owner >= layer)
        };
        owned(path) || path.strip_prefix("usr/").is_some_and(owned)
    }
}
