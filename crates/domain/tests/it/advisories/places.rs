//! Where sources are: archives, lists of changes, and artifacts of registries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::json;
use tonnage_domain::advisories::source::{Downloads, Fetched, Known};
use tonnage_domain::names::{Digest, Reference};
use tonnage_domain::pull_through::upstream::{
    Blob, Manifest, ManifestHead, Origin, UpstreamError, Upstreams,
};

use super::{World, osv};
use crate::lifecycle::drain;

/// An archive of these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        writer.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A site with files, each with its content as its entity tag, which remembers what was asked for.
#[derive(Default)]
struct Site {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

impl Downloads for Site {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        known: &'a Known,
        bytes_max: u64,
    ) -> BoxFuture<'a, Result<Fetched, String>> {
        let name = url.strip_prefix("https://osv.example/npm/").unwrap().to_owned();
        let content = self.files.lock().unwrap().get(&name).cloned();
        self.asked.lock().unwrap().push(name.clone());
        Box::pin(async move {
            let content = content.ok_or_else(|| format!("{name} is not there"))?;
            if content.len() as u64 > bytes_max {
                return Err(format!("{name} is too large"));
            }
            let etag = Digest::of_sha256(&content).to_string();
            if known.etag.as_ref() == Some(&etag) {
                return Ok(Fetched::Unchanged);
            }
            let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
            std::fs::write(&file, content).unwrap();
            Ok(Fetched::File { file, known: Known { etag: Some(etag), last_modified: None } })
        })
    }
}

impl Site {
    fn put(&self, name: &str, content: impl Into<Vec<u8>>) {
        self.files.lock().unwrap().insert(name.to_owned(), content.into());
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

#[tokio::test]
async fn of_a_list_of_changes_only_those_are_fetched() {
    let source = "name=npm,kind=osv,location=https://osv.example/npm/modified_id.csv";
    let mut world = World::new(&[source]).await;
    let site = Arc::new(Site::default());
    world.registry.app_mut().set_downloads(Arc::clone(&site) as Arc<dyn Downloads>);
    let record = |number: u32, fixed: &str| {
        osv(&format!("GHSA-{number}"), &format!("package-{number}"), fixed).to_string()
    };
    let list = |lines: &[(&str, u32)]| -> String {
        lines.iter().map(|(time, number)| format!("{time},GHSA-{number}\n")).collect()
    };
    // The records were all changed in May of 2024, as they say.
    let may = "2024-05-06T07:08:09Z";
    let records: Vec<(String, String)> =
        (0..4).map(|number| (format!("GHSA-{number}.json"), record(number, "1.0.0"))).collect();
    let records: Vec<(&str, &str)> =
        records.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    site.put("all.zip", archive(&records));
    site.put("modified_id.csv", list(&[(may, 0), (may, 1), (may, 2), (may, 3)]));
    let status = world.sync(false).await.remove(0);
    assert_eq!((status.records, status.last_error), (4, None));
    assert_eq!(site.asked(), ["all.zip", "modified_id.csv"]);

    // A list that is the same is all that is asked for.
    world.sync(false).await;
    assert_eq!(site.asked(), ["modified_id.csv"]);

    // One is new, one changed, one gone; others of the same moment are looked at once more.
    let june = "2024-06-01T00:00:00Z";
    site.put("GHSA-1.json", record(1, "2.0.0"));
    site.put("GHSA-9.json", record(9, "1.0.0"));
    let since = [(june, 9), (june, 1), ("2024-05-06T07:08:08Z", 0), ("2024-05-01T00:00:00Z", 2)];
    site.put("modified_id.csv", list(&since));
    let status = world.sync(false).await.remove(0);
    assert_eq!((status.records, status.last_error), (4, None));
    assert_eq!(site.asked(), ["GHSA-1.json", "GHSA-9.json", "modified_id.csv"]);
    assert_eq!(world.known("package-1").await, ["GHSA-1 < 2.0.0"]);
    assert_eq!(world.known("package-9").await, ["GHSA-9 < 1.0.0"]);
    assert_eq!(world.known("package-0").await, ["GHSA-0 < 1.0.0"]);
    assert!(world.known("package-3").await.is_empty());

    // What cannot be had is asked for again, and nothing is taken for seen.
    let july = "2024-07-01T00:00:00Z";
    site.put("modified_id.csv", list(&[(july, 5), (june, 9), (june, 1), (may, 0), (may, 2)]));
    let status = world.sync(false).await.remove(0);
    assert!(status.last_error.unwrap().contains("GHSA-5.json is not there"));
    site.put("GHSA-5.json", record(5, "1.0.0"));
    world.registry.clock.advance_seconds(120);
    drain(&world.registry).await;
    assert_eq!(world.known("package-5").await, ["GHSA-5 < 1.0.0"]);
    site.asked();

    // A list that lost most of what it had is not believed, and neither is what is none.
    for (content, wrong) in
        [(list(&[(july, 5)]), "has 1 records and had 5"), ("x".into(), "no list")]
    {
        site.put("modified_id.csv", content);
        let error = world.sync(false).await.remove(0).last_error.unwrap();
        assert!(error.contains(wrong), "{error}");
    }
    // A record that is another one than was asked for is none of the list.
    let august = "2024-08-01T00:00:00Z";
    site.put("GHSA-5.json", record(77, "1.0.0"));
    site.put("modified_id.csv", list(&[(august, 5), (june, 9), (june, 1), (may, 0), (may, 2)]));
    assert_eq!(world.sync(false).await.remove(0).last_error, None);
    assert!(world.known("package-77").await.is_empty());
    // Where much has changed, the archive is fetched; by force, too.
    let many: Vec<(&str, u32)> = (0..2_001).map(|number| (august, number)).collect();
    site.put("modified_id.csv", list(&many));
    site.asked();
    world.sync(false).await;
    assert_eq!(site.asked(), ["all.zip", "modified_id.csv"]);
    world.sync(true).await;
    assert_eq!(site.asked(), ["all.zip", "modified_id.csv"]);
}

/// A registry with one artifact.
struct Shelf {
    manifest: Mutex<Vec<u8>>,
    layer: Mutex<Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

impl Upstreams for Shelf {
    fn check<'a>(&'a self, _: &'a Origin) -> BoxFuture<'a, Result<(), UpstreamError>> {
        Box::pin(async { Ok(()) })
    }

    fn head_manifest<'a>(
        &'a self,
        origin: &'a Origin,
        _: &'a str,
        _: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, UpstreamError>> {
        Box::pin(async { Err(UpstreamError::NotFound(origin.url.clone())) })
    }

    fn manifest<'a>(
        &'a self,
        origin: &'a Origin,
        repository: &'a str,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<Manifest, UpstreamError>> {
        let asked = format!("{}/{repository}:{reference}", origin.url);
        self.asked.lock().unwrap().push(asked);
        let bytes = self.manifest.lock().unwrap().clone();
        Box::pin(async move {
            if bytes.is_empty() {
                return Err(UpstreamError::NotFound("a.example".to_owned()));
            }
            let digest = Digest::of_sha256(&bytes);
            Ok(Manifest { bytes: Bytes::from(bytes), media_type: None, digest, quota: None })
        })
    }

    fn blob<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Blob, UpstreamError>> {
        self.asked.lock().unwrap().push(digest.to_string());
        let bytes = Bytes::from(self.layer.lock().unwrap().clone());
        let parts = [bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..)];
        let body = Box::pin(stream::iter(parts.map(Ok::<_, UpstreamError>)));
        Box::pin(async move { Ok(Blob { size: None, body }) })
    }

    fn referrers<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a str,
        _: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<Bytes>, UpstreamError>> {
        Box::pin(async { Ok(None) })
    }
}

#[tokio::test]
async fn an_artifact_is_taken_as_its_manifest_says_it_is() {
    let source = "name=npm,kind=osv,location=oci://a.example/advisories/npm:latest";
    let mut world = World::new(&[source]).await;
    let scratch = world.directory.path().join("scratch");
    world.registry.app_mut().settings.scan_scratch = scratch.clone();
    let layer = archive(&[("GHSA-1.json", &osv("GHSA-1", "alpha", "1.0.0").to_string())]);
    let shelf = Arc::new(Shelf {
        manifest: Mutex::default(),
        layer: Mutex::new(layer.clone()),
        asked: Mutex::default(),
    });
    world.registry.app_mut().set_upstreams(Arc::clone(&shelf) as Arc<dyn Upstreams>);
    let of = |digest: &Digest, size: usize| {
        json!({"layers": [{"digest": digest.as_str(), "size": size}]}).to_string().into_bytes()
    };
    let digest = Digest::of_sha256(&layer);
    let good = of(&digest, layer.len());
    let two = json!({"layers": [{"digest": "a", "size": 1}, {"digest": "b", "size": 1}]});
    for (manifest, wrong) in [
        (Vec::new(), "does not have it"),
        (b"hello".to_vec(), "the manifest cannot be read"),
        (b"{}".to_vec(), "has 0 layers"),
        (two.to_string().into_bytes(), "has 2 layers"),
        (br#"{"layers":[{"digest":"md5:0","size":1}]}"#.to_vec(), "cannot be used"),
        (of(&digest, usize::MAX >> 1), "more than"),
        (of(&digest, layer.len() - 1), "longer than"),
        (of(&digest, layer.len() + 1), "does not have the size"),
        (of(&Digest::of_sha256(b""), layer.len()), "does not have the size and the digest"),
    ] {
        *shelf.manifest.lock().unwrap() = manifest;
        let error = world.sync(false).await.remove(0).last_error.unwrap();
        assert!(error.contains(wrong), "{wrong}: {error}");
        assert!(world.known("alpha").await.is_empty(), "{wrong}");
    }
    shelf.asked.lock().unwrap().clear();
    *shelf.manifest.lock().unwrap() = good;
    let status = world.sync(false).await.remove(0);
    assert_eq!((status.records, status.last_error), (1, None));
    assert_eq!(status.location, "oci://a.example/advisories/npm:latest");
    assert_eq!(world.known("alpha").await, ["GHSA-1 < 1.0.0"]);
    let manifest = "https://a.example/advisories/npm:latest";
    assert_eq!(*shelf.asked.lock().unwrap(), [manifest, digest.as_str()]);
    // An unchanged one is not fetched again, and nothing is left over.
    shelf.asked.lock().unwrap().clear();
    world.sync(false).await;
    assert_eq!(*shelf.asked.lock().unwrap(), [manifest]);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}
