//! Many clients push, resume, delete and pull while the collector sweeps without a pause and the
//! clock runs, with next to no grace period.
//!
//! `TONNAGE_TEST_STRESS_SECONDS` sets for how long; a machine on which too little has happened by
//! then gets more time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonnage_domain::app::Settings;
use tonnage_domain::error::{Error, ErrorKind, Result, chain};
use tonnage_domain::gc;
use tonnage_domain::repositories::RepositoryAddress;

use super::head;
use crate::content::{Blob, Pushed};
use crate::registry::{Registry, address, by_tag, create_repository};

const CLIENTS: u64 = 8;
const SECONDS: u64 = 6;
const SECONDS_MOST: u64 = 120;
/// In the clock of the registry, which the test moves.
const GRACE: i64 = 2;
const UPLOAD_IDLE: i64 = 60;

/// What somebody else may have done at the same moment.
const EXPECTED: [ErrorKind; 5] = [
    ErrorKind::BlobNotFound,
    ErrorKind::ImageNotFound,
    ErrorKind::LayersNotFound,
    ErrorKind::RepositoryNotFound,
    ErrorKind::UploadNotFound,
];

/// How often each thing came to an end that counts.
type Counts = BTreeMap<String, u64>;

struct Client {
    registry: Arc<Registry>,
    /// Nobody else touches it, but its blobs are in other repositories too.
    own: RepositoryAddress,
    blobs: Arc<Vec<Blob>>,
    random: u64,
    progress: Arc<Progress>,
}

/// What has happened so far, by whoever it was.
struct Progress {
    grace: i64,
    counts: Mutex<Counts>,
    swept: Mutex<gc::Swept>,
}

impl Progress {
    fn count(&self, what: String) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    fn add(&self, removed: &gc::Swept) {
        let mut swept = self.swept.lock().unwrap();
        swept.edges += removed.edges;
        swept.blobs += removed.blobs;
        swept.objects += removed.objects;
    }

    /// What has to happen and has not.
    fn missing(&self) -> Vec<&'static str> {
        let (counts, swept) = (self.counts.lock().unwrap(), self.swept.lock().unwrap());
        // Without a grace period a slow machine may lose the race for every large push, and most
        // blobs are gone before their manifest comes; with one, hardly any loses its last repository.
        let wanted: &[&str] = match self.grace {
            0 => &["delete a repository", "append"],
            _ => &["delete a repository", "append", "push of all", "push"],
        };
        let mut missing: Vec<_> =
            wanted.iter().copied().filter(|what| !counts.contains_key(*what)).collect();
        let removed = [
            ("edges swept", swept.edges > 0),
            ("objects swept", swept.objects > 0),
            ("blobs swept", swept.blobs > 0 || self.grace > 0),
        ];
        missing.extend(removed.into_iter().filter(|(_, seen)| !seen).map(|(what, _)| what));
        missing
    }
}

impl Client {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % bound as u64).unwrap()
    }

    fn count<T>(&self, what: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(done) => {
                self.progress.count(what.to_owned());
                Some(done)
            }
            Err(error) => {
                self.expect(what, &error);
                None
            }
        }
    }

    fn expect(&self, what: &str, error: &Error) {
        assert!(EXPECTED.contains(&error.kind()), "{what}: {}", chain(error));
        self.progress.count(format!("{what} {:?}", error.kind()));
    }

    /// As docker: asks, and sends what is not there, some of it in parts.
    async fn push_blob(&mut self, repository: &RepositoryAddress, blob: &Blob) -> Result<()> {
        match head(&self.registry, repository, blob).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::BlobNotFound => {}
            Err(error) => return Err(error),
        }
        let parts = self.below(3);
        let upload = self.registry.initiate(repository).await?;
        let mut sent = 0;
        for part in 1..=parts {
            let end = blob.bytes.len() * part / (parts + 1);
            self.registry.append(repository, &upload, &blob.bytes.slice(sent..end)).await?;
            sent = end;
            tokio::task::yield_now().await;
        }
        let last = blob.bytes.slice(sent..);
        self.registry.complete(repository, &upload, &blob.digest, Some(&last)).await.map(drop)
    }

    async fn push(&mut self, repository: &RepositoryAddress) -> Result<Pushed> {
        let (config, layer) = (self.below(3), 3 + self.below(5));
        let (config, layer) = (self.blobs[config].clone(), self.blobs[layer].clone());
        self.push_blob(repository, &config).await?;
        self.push_blob(repository, &layer).await?;
        let image = Pushed::image(&config, &[&layer]);
        self.registry.put(repository, &image, Some("latest")).await?;
        Ok(image)
    }

    async fn in_own_repository(&mut self) {
        let own = self.own.clone();
        let pushed = self.push(&own).await;
        if self.count("push", pushed).is_none() {
            return;
        }
        // It was acknowledged and nobody deletes here: all of it is there, whatever is swept.
        for _ in 0..1 + self.below(3) {
            self.registry.check_images(&own).await;
            tokio::task::yield_now().await;
        }
        if self.below(3) > 0 {
            let deleted = self.registry.batch_delete(&own, vec![by_tag("latest")]).await;
            self.count("delete", deleted);
        }
    }

    async fn in_a_shared_repository(&mut self) {
        let name = ["shared/one", "shared/two"][self.below(2)];
        let repository = address(name);
        match self.below(8) {
            0 => {
                let deleted = self.registry.delete(name, true).await;
                self.count("delete a repository", deleted);
            }
            1 => {
                let deleted = self.registry.batch_delete(&repository, vec![by_tag("latest")]).await;
                self.count("delete of all", deleted);
            }
            2 => {
                // An upload that nobody ends.
                let begun = self.registry.initiate(&repository).await;
                if let Some(upload) = self.count("begin", begun) {
                    let bytes = self.blobs[7].bytes.slice(..100_000);
                    let added = self.registry.append(&repository, &upload, &bytes).await;
                    self.count("append", added);
                }
            }
            _ => {
                match self.registry.run(create_repository(name)).await {
                    Err(error) if error.kind() == ErrorKind::RepositoryAlreadyExists => {}
                    created => drop(created.unwrap()),
                }
                let pushed = self.push(&repository).await;
                self.count("push of all", pushed);
            }
        }
    }

    async fn run(mut self, end: Instant, latest: Instant) {
        while Instant::now() < end
            || (Instant::now() < latest && !self.progress.missing().is_empty())
        {
            if self.below(2) == 0 {
                self.in_own_repository().await;
            } else {
                self.in_a_shared_repository().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_needed_goes_and_nothing_else_stays() {
    let seconds = std::env::var("TONNAGE_TEST_STRESS_SECONDS");
    let seconds = seconds.map_or(SECONDS, |seconds| seconds.parse().unwrap());
    for grace in [0, GRACE] {
        stress(grace, Duration::from_secs(seconds) / 2).await;
    }
}

async fn stress(grace: i64, time: Duration) {
    let settings = Settings {
        gc_grace_seconds: grace,
        upload_idle_seconds: UPLOAD_IDLE,
        ..Settings::default()
    };
    let registry = Arc::new(Registry::with_settings(settings).await);
    // Configs, small layers, and layers that are objects.
    let sizes = [100, 100, 500, 2000, 60_000, 70_000, 200_000, 1_200_000];
    let blob = |(number, size): (usize, &usize)| Blob::new(&format!("stress {number}"), *size);
    let blobs: Arc<Vec<Blob>> = Arc::new(sizes.iter().enumerate().map(blob).collect());
    let progress = Arc::new(Progress { grace, counts: Mutex::default(), swept: Mutex::default() });
    let end = Instant::now() + time;
    let latest = end + Duration::from_secs(SECONDS_MOST);
    let mut clients = JoinSet::new();
    for number in 1..=CLIENTS {
        let own = registry.create(&format!("own/{number}")).await;
        let client = Client {
            registry: Arc::clone(&registry),
            own,
            blobs: Arc::clone(&blobs),
            random: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            progress: Arc::clone(&progress),
        };
        clients.spawn(client.run(end, latest));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let collector = tokio::spawn({
        let (registry, stop) = (Arc::clone(&registry), Arc::clone(&stop));
        let progress = Arc::clone(&progress);
        async move {
            let mut sweeps = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                // Ten sweeps to a second of the clock.
                if sweeps.is_multiple_of(10) {
                    registry.clock.advance_seconds(1);
                }
                progress.add(&gc::sweep(&registry.app).await.unwrap());
                sweeps += 1;
                tokio::task::yield_now().await;
            }
            sweeps
        }
    });
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let sweeps = collector.await.unwrap();
    let (counts, swept) =
        (progress.counts.lock().unwrap().clone(), *progress.swept.lock().unwrap());
    println!("grace {grace}: {sweeps} sweeps removed {swept:?}; {counts:?}");
    assert_eq!(progress.missing(), Vec::<&str>::new(), "never happened: {counts:?}");

    let mut names: Vec<String> = (1..=CLIENTS).map(|number| format!("own/{number}")).collect();
    for name in ["shared/one", "shared/two"] {
        match registry.images(&address(name)).await {
            Ok(_) => names.push(name.to_owned()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::RepositoryNotFound),
        }
    }
    for name in &names {
        registry.check_images(&address(name)).await;
    }
    registry.check_no_orphans().await;
    let unneeded = "SELECT repository_id, blob_id FROM repository_blobs AS held WHERE NOT EXISTS \
                    (SELECT 1 FROM image_blobs WHERE image_blobs.repository_id = held.repository_id \
                    AND image_blobs.blob_id = held.blob_id)";
    assert_eq!(registry.rows(unneeded).await, Vec::<Vec<String>>::new(), "unneeded and not gone");
    for name in &names {
        registry.check_images(&address(name)).await;
        registry.delete(name, true).await.unwrap();
    }
    registry.clock.advance_seconds(UPLOAD_IDLE);
    registry.sweep().await;
    registry.check_nothing_left().await;
}
