//! Changing the root key in the data directory, so that a crash at any point leaves a registry that
//! starts.
//!
//! 1. The new key is durable in `root.key.next`.
//! 2. One transaction seals everything with it.
//! 3. The old key is durable in `root.key.previous`.
//! 4. `root.key.next` takes the name `root.key`.
//!
//! `root.key` is there at every moment. Which of the keys is right is decided by metadata alone:
//! whoever opens it next finishes steps 3 and 4 when it was sealed with the next key, and drops
//! that key when it was not. The old key stays until a server has started with the new one, so
//! that nobody is left without a key when a file system loses the last rename.

use std::fs;

use anyhow::{Context as _, Result};
use tonnage_domain::metadata::Metadata;
use tonnage_domain::root_key::RootKey;
use tonnage_domain::root_key::rotate::{self, Rotated};
use tonnage_store::disk;

use super::root_key::{KeySource, make, read};
use super::{Layout, remove, sync_directory, write_durably};

/// Changes the root key of a data directory that no server uses. `old` is its present key.
///
/// # Errors
/// When a file cannot be written, or the key does not open the metadata. [`settle`] brings order
/// into whatever is left.
pub(crate) async fn rotate(
    layout: &Layout,
    metadata: &dyn Metadata,
    old: &RootKey,
) -> Result<Rotated> {
    let new = write_next(layout)?;
    let rotated = rotate::rotate(metadata, old, &new).await?;
    keep_previous(layout)?;
    put_next_in_place(layout)?;
    Ok(rotated)
}

/// Which key holds while a change of it may have broken off.
pub(crate) enum Holding {
    /// The present one.
    Present(RootKey),
    /// The present one, and a next one lies about that sealed nothing.
    PresentAndLeftover(RootKey),
    /// The next one.
    Next(RootKey),
}

impl Holding {
    /// The key that holds.
    pub(crate) fn into_key(self) -> RootKey {
        match self {
            Self::Present(key) | Self::PresentAndLeftover(key) | Self::Next(key) => key,
        }
    }
}

/// Looks which key the metadata were sealed with, and changes nothing.
///
/// # Errors
/// When a file cannot be read, or the database fails.
pub(crate) async fn holding(
    layout: &Layout,
    metadata: &dyn Metadata,
    key: RootKey,
    source: &KeySource,
) -> Result<Holding> {
    let next = layout.next_root_key();
    if !matches!(source, KeySource::DataDirectory(_)) || !next.exists() {
        return Ok(Holding::Present(key));
    }
    if rotate::matches(metadata, &key).await? != Some(false) {
        return Ok(Holding::PresentAndLeftover(key));
    }
    let new = read(&next)?;
    let is_next = rotate::matches(metadata, &new).await? == Some(true);
    Ok(if is_next { Holding::Next(new) } else { Holding::Present(key) })
}

/// Finishes or drops a change of the root key that broke off, and returns the key that holds.
///
/// # Errors
/// When a file cannot be read or written, or the database fails.
pub(crate) async fn settle(
    layout: &Layout,
    metadata: &dyn Metadata,
    key: RootKey,
    source: &KeySource,
) -> Result<RootKey> {
    let holding = holding(layout, metadata, key, source).await?;
    match &holding {
        Holding::Present(_) => {}
        Holding::PresentAndLeftover(_) => {
            let next = layout.next_root_key();
            remove(&next)
                .and_then(|()| sync_directory(layout.directory()))
                .with_context(|| format!("{} cannot be removed", next.display()))?;
        }
        Holding::Next(_) => {
            keep_previous(layout)?;
            put_next_in_place(layout)?;
        }
    }
    Ok(holding.into_key())
}

/// Removes the key before, once a server has started with the present one; whether there was one.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn remove_previous(layout: &Layout) -> Result<bool> {
    let previous = layout.previous_root_key();
    if !previous.exists() {
        return Ok(false);
    }
    // The rename that put the present key in its place may have been a crash's last deed.
    sync_directory(layout.directory())
        .and_then(|()| remove(&previous))
        .and_then(|()| sync_directory(layout.directory()))
        .with_context(|| format!("{} cannot be removed", previous.display()))?;
    Ok(true)
}

fn write_next(layout: &Layout) -> Result<RootKey> {
    make(&layout.next_root_key())
}

fn keep_previous(layout: &Layout) -> Result<()> {
    let (path, previous) = (layout.root_key(), layout.previous_root_key());
    let text = fs::read(&path)
        .with_context(|| format!("the root key {} cannot be read", path.display()))?;
    write_durably(&previous, &text)
        .with_context(|| format!("the root key {} cannot be written", previous.display()))
}

fn put_next_in_place(layout: &Layout) -> Result<()> {
    let next = layout.next_root_key();
    disk::rename(&next, &layout.root_key())
        .and_then(|()| sync_directory(layout.directory()))
        .with_context(|| format!("{} cannot be renamed to root.key", next.display()))
}

#[cfg(test)]
mod crash;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tonnage_domain::accounts::bootstrap::{self, Parts};
    use tonnage_domain::app::Settings;
    use tonnage_domain::clock::SystemClock;
    use tonnage_domain::identities::access_keys;
    use tonnage_store::files::FileObjects;
    use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};

    use super::*;
    use crate::data_directory::find_root_key;

    /// A data directory with a registry in it that no server uses.
    pub(super) struct Stopped {
        pub(super) layout: Layout,
        pub(super) access_key_id: String,
        _directory: tempfile::TempDir,
    }

    impl Stopped {
        pub(super) async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let layout = Layout::new(directory.path().to_owned());
            let key = make(&layout.root_key()).unwrap();
            let metadata = metadata(&layout);
            let parts = parts(&layout, Arc::clone(&metadata), key);
            let opened = bootstrap::open(parts).await.unwrap();
            let access_key_id = opened.first_access_key.unwrap().id;
            drop(opened.app);
            metadata.close().await.unwrap();
            Self { layout, access_key_id, _directory: directory }
        }

        pub(super) fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.layout.directory().join(name)).ok()
        }

        /// Starts as a server does; the key holds and opens what it sealed.
        async fn start(&self) {
            start(&self.layout, &self.access_key_id).await;
        }
    }

    /// Closes the database too: the tests copy its files, and what the last connection still does
    /// to them would be torn apart.
    pub(super) async fn start(layout: &Layout, access_key_id: &str) {
        let (key, source) = found(layout);
        let metadata = metadata(layout);
        let key = settle(layout, metadata.as_ref(), key, &source).await.unwrap();
        let parts = parts(layout, Arc::clone(&metadata), key);
        let app = bootstrap::open(parts).await.unwrap().app;
        remove_previous(layout).unwrap();
        let key = access_keys::find_active(&app, access_key_id).await.unwrap();
        assert!(key.is_some());
        drop(app);
        metadata.close().await.unwrap();
    }

    pub(super) fn metadata(layout: &Layout) -> Arc<SqliteMetadata> {
        Arc::new(SqliteMetadata::open(layout.metadata(), SqliteOptions::default()).unwrap())
    }

    pub(super) fn found(layout: &Layout) -> (RootKey, KeySource) {
        let storage = crate::config::Storage {
            archive_directory: None,
            data_dir: layout.directory().to_owned(),
            metadata_url: None,
            root_key_file: None,
            credentials_directory: None,
        };
        let in_use = layout.metadata().exists().then_some("its place");
        find_root_key(layout, &storage, &crate::config::Secrets::default(), in_use).unwrap()
    }

    fn parts(layout: &Layout, metadata: Arc<SqliteMetadata>, root_key: RootKey) -> Parts {
        Parts {
            metadata,
            objects: Arc::new(FileObjects::open(layout.objects()).unwrap()),
            clock: Arc::new(SystemClock),
            root_key,
            settings: Settings::default(),
            account: None,
            region: None,
            root_access_key: None,
        }
    }

    /// The steps of a change, up to a crash after so many of them.
    async fn rotate_until(layout: &Layout, steps: usize) {
        let (old, _) = found(layout);
        let metadata = metadata(layout);
        if steps >= 1 {
            let new = write_next(layout).unwrap();
            if steps >= 2 {
                rotate::rotate(metadata.as_ref(), &old, &new).await.unwrap();
            }
        }
        if steps >= 3 {
            keep_previous(layout).unwrap();
        }
        if steps >= 4 {
            put_next_in_place(layout).unwrap();
        }
    }

    #[tokio::test]
    async fn a_crash_between_any_two_steps_is_settled_by_the_next_start() {
        for steps in 0..=4 {
            let stopped = Stopped::new().await;
            let old = stopped.text("root.key").unwrap();
            rotate_until(&stopped.layout, steps).await;
            let next = match steps {
                4 => stopped.text("root.key"),
                _ => stopped.text("root.key.next"),
            };
            assert!(stopped.text("root.key").is_some(), "after {steps} steps");
            stopped.start().await;
            let expected = if steps >= 2 { next.unwrap() } else { old.clone() };
            assert_eq!(stopped.text("root.key"), Some(expected), "after {steps} steps");
            assert_eq!(stopped.text("root.key.next"), None, "after {steps} steps");
            assert_eq!(stopped.text("root.key.previous"), None, "after {steps} steps");
            stopped.start().await;
        }
    }

    #[tokio::test]
    async fn a_crash_while_settling_is_settled_too() {
        let stopped = Stopped::new().await;
        let old = stopped.text("root.key");
        rotate_until(&stopped.layout, 2).await;
        keep_previous(&stopped.layout).unwrap();
        assert_eq!(stopped.text("root.key.previous"), old, "the old key is kept until the start");
        let (key, source) = found(&stopped.layout);
        settle(&stopped.layout, metadata(&stopped.layout).as_ref(), key, &source).await.unwrap();
        assert_eq!(stopped.text("root.key.previous"), old, "settling is no start");
        stopped.start().await;
        assert_eq!(stopped.text("root.key.previous"), None);
    }

    #[tokio::test]
    async fn the_whole_change_may_be_repeated_before_a_start() {
        let stopped = Stopped::new().await;
        let mut keys = vec![stopped.text("root.key").unwrap()];
        for _ in 0..2 {
            let (old, _) = found(&stopped.layout);
            let metadata = metadata(&stopped.layout);
            let rotated = rotate(&stopped.layout, metadata.as_ref(), &old).await.unwrap();
            assert_eq!(rotated.access_keys, 1);
            assert_eq!(stopped.text("root.key.previous").as_ref(), keys.last());
            keys.push(stopped.text("root.key").unwrap());
        }
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        stopped.start().await;
    }

    #[tokio::test]
    async fn keys_that_do_not_fit_are_left_alone() {
        let stopped = Stopped::new().await;
        let right = stopped.text("root.key").unwrap();
        make(&stopped.layout.root_key()).unwrap();
        make(&stopped.layout.next_root_key()).unwrap();
        let (key, source) = found(&stopped.layout);
        let metadata = metadata(&stopped.layout);
        let before = (stopped.text("root.key"), stopped.text("root.key.next"));
        let key = settle(&stopped.layout, metadata.as_ref(), key, &source).await.unwrap();
        assert_eq!((stopped.text("root.key"), stopped.text("root.key.next")), before);
        let refused = rotate(&stopped.layout, metadata.as_ref(), &key).await.unwrap_err();
        assert!(refused.to_string().starts_with("the root key is not the one"), "{refused}");
        drop(metadata);
        fs::write(stopped.layout.root_key(), right).unwrap();
        stopped.start().await;
    }
}
