//! The registry as maps.

use std::collections::{BTreeMap, BTreeSet};

use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::Digest;
use tonnage_domain::repositories::TagMutabilityRule;

use crate::content::{Pushed, referred};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) repositories: BTreeMap<String, Repository>,
    /// Uploads by their place in the list of all that were begun.
    pub(super) uploads: BTreeMap<usize, Upload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    /// Tells a repository from a later one of its name.
    pub(super) generation: u64,
    pub(super) mutability: TagMutabilityRule,
    /// Digests of blobs.
    pub(super) blobs: BTreeSet<String>,
    /// Blobs that may be unneeded, and since when.
    pub(super) candidates: BTreeMap<String, i64>,
    /// Manifests by digest.
    pub(super) images: BTreeMap<String, Pushed>,
    /// Digests by tag.
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) repository: String,
    pub(super) generation: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) expires_at: i64,
}

pub(super) type Outcome = Result<(), ErrorKind>;

impl Repository {
    pub(super) fn new(generation: u64, mutability: TagMutabilityRule) -> Self {
        Self {
            generation,
            mutability,
            blobs: BTreeSet::new(),
            candidates: BTreeMap::new(),
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    pub(super) fn add_blob(&mut self, digest: &str, now: i64) {
        self.blobs.insert(digest.to_owned());
        self.candidates.insert(digest.to_owned(), now);
    }

    /// A client is told whether the blob is there, and builds on it.
    pub(super) fn tell(&mut self, digest: &str, now: i64, grace: i64) -> Outcome {
        if !self.blobs.contains(digest) {
            return Err(ErrorKind::BlobNotFound);
        }
        if let Some(since) =
            self.candidates.get_mut(digest).filter(|since| **since <= now - grace / 2)
        {
            *since = now;
        }
        Ok(())
    }

    pub(super) fn needs(&self, digest: &str) -> bool {
        let refers = |image: &Pushed| {
            referred(&image.bytes).blobs.iter().any(|(blob, _)| blob.as_str() == digest)
        };
        self.images.values().any(refers)
    }

    /// Removes what nothing has needed for the grace period.
    pub(super) fn sweep(&mut self, now: i64, grace: i64) {
        let due: Vec<_> =
            self.candidates.iter().filter(|(_, since)| **since <= now - grace).collect();
        let due: Vec<String> = due.into_iter().map(|(digest, _)| digest.clone()).collect();
        for digest in due {
            self.candidates.remove(&digest);
            if !self.needs(&digest) {
                self.blobs.remove(&digest);
            }
        }
    }

    fn remove_image(&mut self, digest: &str, now: i64) {
        if let Some(image) = self.images.remove(digest) {
            for (blob, _) in referred(&image.bytes).blobs {
                self.candidates.insert(blob.to_string(), now);
            }
        }
    }

    pub(super) fn put(&mut self, image: &Pushed, tag: &str, by_parts: bool) -> Outcome {
        let digest = image.digest.to_string();
        let current = self.tags.get(tag);
        let name = tonnage_domain::names::Tag::parse(tag).unwrap();
        if current.is_some() && !self.mutability.may_move(&name) {
            return Err(ErrorKind::ImageTagAlreadyExists);
        }
        if !self.images.contains_key(&digest) {
            let needs = referred(&image.bytes);
            if needs.blobs.iter().any(|(blob, _)| !self.blobs.contains(blob.as_str())) {
                return Err(ErrorKind::LayersNotFound);
            }
            if needs.children.iter().any(|child| !self.images.contains_key(child.as_str())) {
                return Err(ErrorKind::ReferencedImagesNotFound);
            }
            for (blob, _) in &needs.blobs {
                self.candidates.remove(blob.as_str());
            }
            self.images.insert(digest.clone(), image.clone());
        } else if current == Some(&digest) && by_parts {
            return Err(ErrorKind::ImageAlreadyExists);
        }
        self.tags.insert(tag.to_owned(), digest);
        Ok(())
    }

    /// Deletes by tag or by digest; whether anything was deleted.
    fn delete_one(&mut self, tag: Option<&str>, digest: Option<&str>, now: i64) -> bool {
        let digest = match tag.map(|tag| self.tags.get(tag)) {
            Some(None) => return false,
            Some(Some(named)) if digest.is_some_and(|digest| digest != named) => return false,
            Some(Some(named)) => named.clone(),
            None => digest.unwrap().to_owned(),
        };
        if !self.images.contains_key(&digest) {
            return false;
        }
        let tags = self.tags.values().filter(|named| **named == digest).count();
        if let (Some(tag), 2..) = (tag, tags) {
            self.tags.remove(tag);
            return true;
        }
        let is_child = |parent: &Pushed| {
            referred(&parent.bytes).children.iter().any(|child| child.as_str() == digest)
        };
        if self.images.values().any(is_child) {
            return false;
        }
        self.remove_image(&digest, now);
        self.tags.retain(|_, named| *named != digest);
        true
    }

    /// Deletes in any order that gets rid of the most; how many could not be deleted.
    pub(super) fn delete(&mut self, ids: &[(Option<String>, Option<Digest>)], now: i64) -> usize {
        let depth = |id: &(Option<String>, Option<Digest>)| {
            let digest = match id {
                (Some(tag), _) => self.tags.get(tag).cloned(),
                (None, digest) => digest.as_ref().map(ToString::to_string),
            };
            digest.map_or(0, |digest| self.depth(&digest))
        };
        let mut ordered: Vec<_> = ids.iter().map(|id| (depth(id), id)).collect();
        // Outermost first, else as given.
        ordered.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        let failed = |(_, (tag, digest)): &&(usize, &(Option<String>, Option<Digest>))| {
            !self.delete_one(tag.as_deref(), digest.as_ref().map(Digest::as_str), now)
        };
        ordered.iter().filter(failed).count()
    }

    /// Deletes a tag or an image; the last tag of a child of an index goes alone.
    pub(super) fn delete_manifest(
        &mut self,
        id: &(Option<String>, Option<Digest>),
        now: i64,
    ) -> Outcome {
        let (tag, digest) = (id.0.as_deref(), id.1.as_ref().map(Digest::as_str));
        let exists = match (tag, digest) {
            (Some(tag), _) => self.tags.contains_key(tag),
            (None, digest) => self.images.contains_key(digest.unwrap()),
        };
        if !exists {
            return Err(ErrorKind::ImageNotFound);
        }
        if self.delete_one(tag, digest, now) {
            return Ok(());
        }
        let tag = tag.ok_or(ErrorKind::ImageReferencedByManifestList)?;
        self.tags.remove(tag);
        Ok(())
    }

    fn depth(&self, digest: &str) -> usize {
        let Some(image) = self.images.get(digest) else { return 0 };
        let children = referred(&image.bytes).children;
        children.iter().map(|child| 1 + self.depth(child.as_str())).max().unwrap_or(0)
    }
}
