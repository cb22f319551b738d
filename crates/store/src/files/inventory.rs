//! Lists the objects in the order of their ids, one directory at a time.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::UNIX_EPOCH;

use tonnage_domain::clock::Millis;
use tonnage_domain::objects::{ListedObject, ObjectId, Tier};

use super::layout::{LEAVES, Layout};

/// Leaves below one branch.
const LEAVES_PER_BRANCH: usize = 256;

/// Up to `limit` objects of a tier that follow `after`. Memory is bounded by `limit`.
pub(crate) fn list(
    layout: &Layout,
    tier: Tier,
    after: Option<&ObjectId>,
    limit: usize,
) -> io::Result<Vec<ListedObject>> {
    let mut found = Vec::new();
    let mut number = after.map_or(0, |id| layout.object(id).leaf_number);
    let mut branch = None;
    while number < LEAVES && found.len() < limit {
        let now = number / LEAVES_PER_BRANCH;
        if branch != Some(now) && !layout.branch(now).is_dir() {
            number = (now + 1) * LEAVES_PER_BRANCH;
            continue;
        }
        branch = Some(now);
        let ids = ids_in_leaf(layout, number, after, limit - found.len())?;
        for id in ids {
            if let Some(object) = look_at(layout, tier, id)? {
                found.push(object);
            }
        }
        number += 1;
    }
    Ok(found)
}

/// The first `limit` ids of a leaf that follow `after`.
fn ids_in_leaf(
    layout: &Layout,
    number: usize,
    after: Option<&ObjectId>,
    limit: usize,
) -> io::Result<BTreeSet<ObjectId>> {
    let mut ids = BTreeSet::new();
    let entries = match fs::read_dir(layout.leaf(number)) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(ids),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(ObjectId::parse) else { continue };
        let belongs = layout.object(&id).leaf_number == number && entry.file_type()?.is_file();
        if !belongs || after.is_some_and(|after| id <= *after) {
            continue;
        }
        ids.insert(id);
        if ids.len() > limit {
            ids.pop_last();
        }
    }
    Ok(ids)
}

fn look_at(layout: &Layout, tier: Tier, id: ObjectId) -> io::Result<Option<ListedObject>> {
    let metadata = match fs::symlink_metadata(layout.object(&id).file) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let since_epoch = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    Ok(Some(ListedObject { id, size: metadata.len(), tier, modified }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn make(layout: &Layout, id: &ObjectId, size: usize) {
        let path = layout.object(id);
        fs::create_dir_all(&path.leaf).unwrap();
        fs::write(path.file, vec![1; size]).unwrap();
    }

    fn pages(layout: &Layout, limit: usize) -> Vec<ListedObject> {
        let mut all: Vec<ListedObject> = Vec::new();
        loop {
            let page =
                list(layout, Tier::Standard, all.last().map(|object| &object.id), limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    #[test]
    fn every_object_is_listed_once_in_order_whatever_the_page() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(PathBuf::from(directory.path()));
        assert_eq!(list(&layout, Tier::Standard, None, 10).unwrap(), []);
        let mut expected: Vec<ObjectId> = (0..200).map(|_| ObjectId::random()).collect();
        // Several in one directory, and the first and the last there can be.
        for tail in 0..30 {
            expected.push(ObjectId::parse(&format!("abcd{tail:028x}")).unwrap());
        }
        for digit in ["0", "f"] {
            expected.push(ObjectId::parse(&digit.repeat(32)).unwrap());
        }
        expected.sort();
        for (size, id) in expected.iter().enumerate() {
            make(&layout, id, size);
        }
        // What is no object, or not in its place, is passed over.
        fs::write(layout.objects().join("ab/cd/notes.txt"), "").unwrap();
        fs::write(layout.objects().join("ab/cd").join("0123".repeat(8)), "").unwrap();
        fs::create_dir(layout.objects().join("ab/cd").join("abcd".repeat(8))).unwrap();
        fs::write(layout.objects().join("README"), "").unwrap();
        for limit in [1, 3, 7, 1000] {
            let listed = pages(&layout, limit);
            let ids: Vec<&ObjectId> = listed.iter().map(|object| &object.id).collect();
            assert_eq!(ids, expected.iter().collect::<Vec<_>>(), "pages of {limit}");
            for (size, object) in listed.iter().enumerate() {
                assert_eq!(object.size, size as u64);
            }
        }
    }
}
