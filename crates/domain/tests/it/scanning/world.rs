//! Images with packages, and advisories about them.

use bytes::Bytes;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::names::Digest;
use tonnage_domain::params;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_image_scan_findings::{
    DescribeImageScanFindings, ScanFindings,
};
use tonnage_domain::scanning::registry_scanning_configuration::PutRegistryScanningConfiguration;
use tonnage_domain::scanning::start_image_scan::StartImageScan;
use tonnage_domain::scanning::{
    RegistryScanningConfiguration, ScanFrequency, ScanType, ScanningRule,
};
use tonnage_scanner::advisories::{entries, osv};

use crate::content::{Blob, Pushed};
use crate::registry::{Registry, page};

/// An archive of these files, as they are.
pub(super) fn layer(files: &[(&str, &str)]) -> Blob {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    blob(archive.into_inner().unwrap())
}

pub(super) fn blob(bytes: Vec<u8>) -> Blob {
    Blob { digest: Digest::of_sha256(&bytes), bytes: Bytes::from(bytes) }
}

pub(super) const BOOKWORM: (&str, &str) =
    ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n");

/// Debian's database of installed packages: name, source and version of each.
pub(super) fn dpkg(packages: &[(&str, &str, &str)]) -> String {
    let stanza = |(name, source, version): &(&str, &str, &str)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nSource: {source}\n\
             Architecture: amd64\nVersion: {version}\n\n"
        )
    };
    packages.iter().map(stanza).collect()
}

/// Debian 12 with these packages.
pub(super) fn debian(packages: &[(&str, &str, &str)]) -> Blob {
    layer(&[BOOKWORM, ("var/lib/dpkg/status", &dpkg(packages))])
}

/// The metadata of an npm package.
pub(super) fn npm(name: &str, version: &str) -> Blob {
    let path = format!("app/node_modules/{name}/package.json");
    let content = format!("{{\"name\":\"{name}\",\"version\":\"{version}\"}}");
    layer(&[(&path, &content)])
}

impl Registry {
    /// Pushes an image of these layers.
    pub(super) async fn push_layers(
        &self,
        repository: &RepositoryAddress,
        tag: &str,
        layers: &[&Blob],
    ) -> Pushed {
        let config = Blob::new(tag, 32);
        for blob in layers.iter().copied().chain([&config]) {
            self.push_blob(repository, blob).await.unwrap();
        }
        let image = Pushed::image(&config, layers);
        self.put(repository, &image, Some(tag)).await.unwrap();
        image
    }

    /// What the scan of an image says.
    pub(super) async fn findings(
        &self,
        repository: &RepositoryAddress,
        id: ImageIdentifier,
    ) -> ScanFindings {
        self.run(DescribeImageScanFindings {
            repository: repository.clone(),
            id,
            page: page(None, 1000),
        })
        .await
        .unwrap()
    }

    pub(super) async fn start_scan(
        &self,
        repository: &RepositoryAddress,
        id: ImageIdentifier,
    ) -> tonnage_domain::error::Result<Digest> {
        self.run(StartImageScan { repository: repository.clone(), id }).await
    }

    /// Has the registry scan by a rule for all repositories.
    pub(super) async fn scan_by(&self, scan_type: ScanType, frequency: ScanFrequency) {
        let rule = ScanningRule { frequency, filters: vec!["*".to_owned()] };
        let configuration = RegistryScanningConfiguration { scan_type, rules: vec![rule] };
        self.run(PutRegistryScanningConfiguration { configuration }).await.unwrap();
    }

    /// Puts advisories, as OSV has them, in the place of those of the same name.
    pub(super) async fn advise(&self, records: &[serde_json::Value]) {
        self.write(&[(
            "INSERT INTO advisory_sources (name, kind, location, form, records, skipped, \
             imported_at) VALUES ('test', 'osv', '/test', 1, 1, 0, $1) \
             ON CONFLICT (name) DO UPDATE SET imported_at = excluded.imported_at",
            params![tonnage_domain::clock::Clock::now(&*self.clock)].to_vec(),
        )])
        .await;
        // Nothing is configured with that source, so the schedule would have it forgotten.
        self.write(&[(
            "INSERT INTO schedules (name, next_at, last_at) VALUES ('sync-advisories', $1, 0) \
             ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at",
            params![i64::MAX].to_vec(),
        )])
        .await;
        for record in records {
            let text = serde_json::to_vec(record).unwrap();
            let mut advisory = osv::parse(&text).unwrap();
            let entries = entries(&advisory).entries;
            advisory.affected.clear();
            let cves = advisory.cves();
            let document = serde_json::to_string(&advisory).unwrap();
            let id =
                advisory.id.bytes().fold(7_i64, |sum, byte| sum * 31 % 1_000_003 + i64::from(byte));
            self.write(&[
                ("DELETE FROM advisory_entries WHERE advisory_id = $1", params![id].to_vec()),
                ("DELETE FROM advisory_cves WHERE advisory_id = $1", params![id].to_vec()),
                ("DELETE FROM advisories WHERE id = $1", params![id].to_vec()),
                (
                    "INSERT INTO advisories (id, source, identifier, hash, document, imported_at) \
                     VALUES ($1, 'test', $2, '', $3, 1)",
                    params![id, &advisory.id, &document].to_vec(),
                ),
            ])
            .await;
            for cve in &cves {
                self.write(&[(
                    "INSERT INTO advisory_cves (advisory_id, cve) VALUES ($1, $2)",
                    params![id, cve].to_vec(),
                )])
                .await;
            }
            for entry in &entries {
                let (ecosystem, rules) = (entry.ecosystem.as_str(), entry.rules.encode());
                self.write(&[
                    (
                        "INSERT INTO advisory_entries (ecosystem, name, advisory_id, rules) \
                         VALUES ($1, $2, $3, $4)",
                        params![ecosystem, &entry.name, id, &rules].to_vec(),
                    ),
                    ("UPDATE advisory_sequence SET sequence = sequence + 1", Vec::new()),
                    (
                        "INSERT INTO advisory_changes (ecosystem, name, sequence) \
                         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), sequence FROM advisory_sequence \
                         WHERE TRUE ON CONFLICT (ecosystem, name) \
                         DO UPDATE SET sequence = excluded.sequence",
                        params![ecosystem, &entry.name].to_vec(),
                    ),
                ])
                .await;
            }
        }
    }
}
