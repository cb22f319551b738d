//! What the child does, and what a registry looks like after it.

use std::collections::{BTreeMap, BTreeSet};

use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::error::{Error, ErrorKind, Result, chain};
use tonnage_domain::names::Digest;

use super::LONG_SECONDS;
use crate::content::{Blob, Pushed, referred};
use crate::lifecycle::drain;
use crate::registry::{Registry, address, by_tag, create_repository};

/// After which a job of a worker that is gone is run by the next one.
const LEASE_SECONDS: i64 = 120;
const REPOSITORIES: [&str; 2] = ["app", "tools"];

/// A config, and layers of one span and of several.
fn blobs() -> [Blob; 3] {
    [Blob::new("config", 500), Blob::new("medium", 100_000), Blob::new("large", 2_500_000)]
}

/// Of the config and one of the layers.
fn image(layer: usize) -> Pushed {
    let blobs = blobs();
    Pushed::image(&blobs[0], &[&blobs[layer]])
}

/// One request or a few; doing it twice comes to the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Create(&'static str),
    Push(&'static str, usize),
    PushInParts(&'static str, usize),
    /// An upload that nobody goes on with.
    PushHalf(&'static str, usize),
    Put(&'static str, usize, &'static str),
    Delete(&'static str, &'static str),
    DeleteRepository(&'static str),
    /// Archives an image that shares no blob.
    Archive(&'static str, &'static str),
    /// Begins to restore it.
    Restore(&'static str, &'static str),
    /// Runs the jobs that wait, and those of a worker that is gone.
    Work,
    /// After the grace period.
    Sweep,
}

/// Steps that are done, and steps in which the process ends.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) prepared: &'static [Step],
    pub(crate) examined: &'static [Step],
}

use Step::{
    Archive, Create, Delete, DeleteRepository, Push, PushHalf, PushInParts, Put, Restore, Sweep,
    Work,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "first_start", prepared: &[], examined: &[Create("app"), Push("app", 1)] },
    Scenario { name: "small_blob", prepared: &[Create("app")], examined: &[Push("app", 0)] },
    Scenario { name: "large_blob", prepared: &[Create("app")], examined: &[Push("app", 2)] },
    Scenario {
        name: "blob_in_parts",
        prepared: &[Create("app")],
        examined: &[PushInParts("app", 2)],
    },
    Scenario {
        name: "blob_that_is_there",
        prepared: &[Create("app"), Create("tools"), Push("app", 1)],
        examined: &[Push("tools", 1), Sweep],
    },
    Scenario {
        name: "manifest",
        prepared: &[Create("app"), Push("app", 0), Push("app", 1)],
        examined: &[Put("app", 1, "v1")],
    },
    Scenario {
        name: "tag_moves",
        prepared: &[
            Create("app"),
            Push("app", 0),
            Push("app", 1),
            Push("app", 2),
            Put("app", 1, "v1"),
            Put("app", 2, "v2"),
        ],
        examined: &[Put("app", 1, "v2"), Put("app", 2, "v1")],
    },
    Scenario {
        name: "image_deleted",
        prepared: &[Create("app"), Push("app", 0), Push("app", 1), Put("app", 1, "v1")],
        examined: &[Delete("app", "v1")],
    },
    Scenario {
        name: "repository_deleted",
        prepared: &[
            Create("app"),
            Create("tools"),
            Push("app", 0),
            Push("app", 1),
            Put("app", 1, "v1"),
            Push("tools", 1),
            PushHalf("app", 2),
        ],
        examined: &[DeleteRepository("app")],
    },
    Scenario {
        name: "sweep",
        prepared: &[
            Create("app"),
            Create("tools"),
            Push("app", 0),
            Push("app", 1),
            Push("app", 2),
            Put("app", 1, "v1"),
            Push("tools", 2),
            DeleteRepository("tools"),
        ],
        examined: &[Sweep, Delete("app", "v1"), Sweep],
    },
    Scenario {
        name: "image_archived",
        prepared: &[Create("app"), Push("app", 0), Push("app", 2), Put("app", 2, "v1")],
        examined: &[Archive("app", "v1"), Work, Sweep],
    },
    Scenario {
        name: "image_restored",
        prepared: &[
            Create("app"),
            Push("app", 0),
            Push("app", 2),
            Put("app", 2, "v1"),
            Archive("app", "v1"),
            Work,
        ],
        examined: &[Restore("app", "v1"), Work, Sweep],
    },
    Scenario {
        name: "sweep_of_an_upload",
        prepared: &[Create("app"), PushHalf("app", 2)],
        examined: &[Sweep],
    },
];

impl Scenario {
    pub(crate) fn named(name: &str) -> &'static Self {
        SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap()
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        [self.prepared, self.examined].concat()
    }
}

/// What a client that tries again takes for a success.
fn done_before<T>(result: Result<T>, kind: ErrorKind) -> Result<()> {
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        result => result.map(drop),
    }
}

impl Step {
    pub(crate) fn move_clock(self, registry: &Registry) {
        if matches!(self, Sweep) {
            registry.clock.advance_seconds(LONG_SECONDS);
        }
    }

    pub(crate) async fn run(self, registry: &Registry) {
        let done: Result<(), Error> = self.try_run(registry).await;
        done.unwrap_or_else(|error| panic!("{self:?}: {}", chain(&error)));
    }

    pub(crate) async fn try_run(self, registry: &Registry) -> Result<()> {
        match self {
            Create(name) => done_before(
                registry.run(create_repository(name)).await,
                ErrorKind::RepositoryAlreadyExists,
            ),
            Push(name, blob) => registry.push_blob(&address(name), &blobs()[blob]).await,
            PushInParts(name, blob) => {
                let (repository, blob) = (address(name), &blobs()[blob]);
                let upload = registry.initiate(&repository).await?;
                let (one, two) = (blob.bytes.len() / 3, blob.bytes.len() / 2);
                registry.append(&repository, &upload, &blob.bytes.slice(..one)).await?;
                registry.append(&repository, &upload, &blob.bytes.slice(one..two)).await?;
                let last = blob.bytes.slice(two..);
                registry.complete(&repository, &upload, &blob.digest, Some(&last)).await?;
                Ok(())
            }
            PushHalf(name, blob) => {
                let (repository, blob) = (address(name), &blobs()[blob]);
                let upload = registry.initiate(&repository).await?;
                let half = blob.bytes.slice(..blob.bytes.len() / 2);
                registry.append(&repository, &upload, &half).await.map(drop)
            }
            Put(name, layer, tag) => {
                registry.put(&address(name), &image(layer), Some(tag)).await.map(drop)
            }
            Delete(name, tag) => {
                registry.batch_delete(&address(name), vec![by_tag(tag)]).await.map(drop)
            }
            DeleteRepository(name) => {
                done_before(registry.delete(name, true).await, ErrorKind::RepositoryNotFound)
            }
            Archive(name, tag) => update(registry, name, tag, StorageClass::Archive).await,
            Restore(name, tag) => update(registry, name, tag, StorageClass::Standard).await,
            Work => {
                drain(registry).await;
                // One that a worker had which is gone.
                let claimed = "SELECT id FROM jobs WHERE state = 'RUNNING'";
                if !registry.rows(claimed).await.is_empty() {
                    registry.clock.advance_seconds(LEASE_SECONDS);
                    drain(registry).await;
                }
                Ok(())
            }
            Sweep => {
                registry.sweep().await;
                Ok(())
            }
        }
    }
}

/// What clients can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known(BTreeMap<&'static str, Repository>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Repository {
    blobs: BTreeSet<Digest>,
    images: BTreeSet<Digest>,
    tags: BTreeMap<String, Digest>,
    /// Images that cannot be pulled, by tag, and whether they are being restored. No client sees
    /// them.
    archived: BTreeMap<&'static str, (Digest, bool)>,
}

impl Repository {
    /// As clients see it.
    fn seen(&self) -> Self {
        Self { archived: BTreeMap::new(), ..self.clone() }
    }
}

/// Archives or restores; an image that is in the class already counts as done.
async fn update(registry: &Registry, name: &str, tag: &str, target: StorageClass) -> Result<()> {
    let (repository, id) = (address(name), by_tag(tag));
    let updated = registry.run(UpdateImageStorageClass { repository, id, target }).await;
    done_before(updated, ErrorKind::ImageStorageClassUpdateNotSupported)
}

/// The blobs of an image.
fn blobs_of(digest: &Digest) -> Vec<Digest> {
    let images = [image(1), image(2)];
    let found = images.iter().find(|image| image.digest == *digest).unwrap();
    referred(&found.bytes).blobs.into_iter().map(|(digest, _)| digest).collect()
}

impl Known {
    /// What there is to see when these steps are done.
    pub(crate) fn after(steps: &[Step]) -> Self {
        let mut known = Self::default();
        for step in steps {
            known.follow(*step);
        }
        Self(known.0.iter().map(|(name, repository)| (*name, repository.seen())).collect())
    }

    fn of(&mut self, name: &str) -> &mut Repository {
        self.0.get_mut(name).unwrap()
    }

    fn follow(&mut self, step: Step) {
        match step {
            Create(name) => {
                self.0.entry(name).or_default();
            }
            Push(name, blob) | PushInParts(name, blob) => {
                self.of(name).blobs.insert(blobs()[blob].digest.clone());
            }
            PushHalf(..) => {}
            Put(name, layer, tag) => {
                let digest = image(layer).digest;
                self.of(name).images.insert(digest.clone());
                self.of(name).tags.insert(tag.to_owned(), digest);
            }
            // The scenarios have no other tags of such an image.
            Delete(name, tag) => {
                if let Some(digest) = self.of(name).tags.remove(tag) {
                    self.of(name).images.remove(&digest);
                }
            }
            DeleteRepository(name) => {
                self.0.remove(name);
            }
            Archive(name, tag) => {
                if let Some(digest) = self.of(name).tags.remove(tag) {
                    self.of(name).images.remove(&digest);
                    let blobs = blobs_of(&digest);
                    self.of(name).blobs.retain(|blob| !blobs.contains(blob));
                    self.of(name).archived.insert(tag, (digest, false));
                }
            }
            Restore(name, tag) => {
                if let Some((_, is_activating)) = self.of(name).archived.get_mut(tag) {
                    *is_activating = true;
                }
            }
            Work => {
                for repository in self.0.values_mut() {
                    let archived = std::mem::take(&mut repository.archived);
                    for (tag, (digest, is_activating)) in archived {
                        if is_activating {
                            repository.images.insert(digest.clone());
                            repository.blobs.extend(blobs_of(&digest));
                            repository.tags.insert(tag.to_owned(), digest);
                        } else {
                            repository.archived.insert(tag, (digest, false));
                        }
                    }
                }
            }
            Sweep => {
                let images = [image(1), image(2)];
                for repository in self.0.values_mut() {
                    let stored =
                        images.iter().filter(|image| repository.images.contains(&image.digest));
                    let needed: BTreeSet<Digest> = stored
                        .flat_map(|image| referred(&image.bytes).blobs)
                        .map(|(digest, _)| digest)
                        .collect();
                    repository.blobs.retain(|digest| needed.contains(digest));
                }
            }
        }
    }

    /// What there is to see, every byte of it compared.
    pub(crate) async fn found(registry: &Registry) -> Self {
        let mut known = Self::default();
        for name in REPOSITORIES {
            let address = address(name);
            let images = match registry.images(&address).await {
                Ok(images) => images,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::RepositoryNotFound, "{}", chain(&error));
                    continue;
                }
            };
            registry.check_images(&address).await;
            let mut repository = Repository::default();
            for image in images {
                let tags = image.tags.iter().map(|tag| (tag.to_string(), image.digest.clone()));
                repository.tags.extend(tags);
                repository.images.insert(image.digest);
            }
            for blob in blobs() {
                match registry.blob(&address, &blob.digest).await {
                    Ok(bytes) => {
                        assert!(bytes == blob.bytes, "{} of {name} is damaged", blob.digest);
                        repository.blobs.insert(blob.digest);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::BlobNotFound, "{}", chain(&error));
                    }
                }
            }
            known.0.insert(name, repository);
        }
        known
    }
}

pub(crate) async fn delete_everything(registry: &Registry) {
    for name in REPOSITORIES {
        DeleteRepository(name).run(registry).await;
    }
}
