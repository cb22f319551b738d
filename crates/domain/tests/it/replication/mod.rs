//! Replication: what arrives where, in which order, by whose permission, and what is told of it.

mod backfills;
mod copies;
mod failures;
mod lag;
mod ordering;
mod peers;
mod refinements;
mod renames;
mod settings;

use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::app::Settings;
use tonnage_domain::context::Principal;
use tonnage_domain::identities::access_keys;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::jobs::Worker;
use tonnage_domain::names::{AccountId, Digest, Reference, Region};
use tonnage_domain::policies::registry_policy::PutRegistryPolicy;
use tonnage_domain::replication::describe_image_replication_status::DescribeImageReplicationStatus;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule,
};
use tonnage_domain::repositories::RepositoryAddress;

use crate::lifecycle::drain_with;
use crate::registry::{ACCOUNT, Registry, address, page};

const AWAY: &str = "210987654321";
const EAST: &str = "us-east-1";
const WEST: &str = "eu-west-1";

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn to(account: &str, region: &str) -> ReplicationDestination {
    ReplicationDestination { region: region.to_owned(), account: account.to_owned() }
}

fn rule(destinations: &[ReplicationDestination]) -> ReplicationRule {
    ReplicationRule {
        destinations: destinations.to_vec(),
        prefixes: Vec::new(),
        delete_replication: None,
    }
}

fn at(account_id: &str, region: &str, name: &str) -> RepositoryAddress {
    RepositoryAddress {
        account: account(account_id),
        region: Region::parse(region).unwrap(),
        name: address(name).name,
    }
}

/// A registry with a second account.
struct World {
    registry: Registry,
    away: Principal,
}

impl World {
    async fn new() -> Self {
        Self::with_settings(Settings::default()).await
    }

    async fn with_settings(settings: Settings) -> Self {
        let registry = Registry::with_settings(settings).await;
        let (management_account, id) = (account(ACCOUNT), account(AWAY));
        let create = CreateAccount { management_account, id, name: "away".to_owned() };
        let (_, key) = registry.run(create).await.unwrap();
        let active = access_keys::find_active(&registry.app, &key.id).await.unwrap();
        Self { registry, away: active.unwrap().principal }
    }

    async fn rules(&self, rules: Vec<ReplicationRule>) {
        let configuration = ReplicationConfiguration { rules };
        self.registry.run(PutReplicationConfiguration { configuration }).await.unwrap();
    }

    /// Lets the second account's registry in the same region be copied to.
    async fn allow(&self, actions: &str) {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":[{actions}],"Resource":"arn:aws:ecr:{EAST}:{AWAY}:repository/*"}}]}}"#
        );
        self.registry.run_as(&self.away, PutRegistryPolicy { text }).await.unwrap();
    }

    async fn drain(&self) -> usize {
        drain_with(&self.registry, &Worker::default()).await
    }

    fn owner(&self, repository: &RepositoryAddress) -> &Principal {
        if repository.account.as_str() == AWAY { &self.away } else { &self.registry.root }
    }

    /// The digest that a tag or digest names in a repository anywhere, with every blob read.
    async fn resolve(&self, repository: &RepositoryAddress, reference: &str) -> Option<Digest> {
        let get = GetManifest {
            repository: repository.clone(),
            reference: Reference::parse(reference).unwrap(),
            counts_as_pull: false,
        };
        let stored = self.registry.run_as(self.owner(repository), get).await.ok()?;
        assert_eq!(Digest::of_sha256(&stored.bytes), stored.digest);
        for (blob, _) in crate::content::referred(&stored.bytes).blobs {
            let get = tonnage_domain::blobs::get_blob::GetBlob {
                repository: repository.clone(),
                digest: blob.clone(),
            };
            let reader = self.registry.run_as(self.owner(repository), get).await.unwrap();
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < reader.size() {
                bytes
                    .extend_from_slice(&reader.read_at(bytes.len() as u64, 1 << 20).await.unwrap());
            }
            assert_eq!(Digest::of_sha256(&bytes), blob);
        }
        Some(stored.digest)
    }

    async fn tags(&self, repository: &RepositoryAddress) -> Vec<String> {
        let list = ListTags { repository: repository.clone(), page: page(None, 1000) };
        let listed = self.registry.run_as(self.owner(repository), list).await.unwrap();
        listed.items.iter().map(ToString::to_string).collect()
    }

    /// What is told of an image of the management account: `region account status code`.
    async fn statuses(&self, repository: &RepositoryAddress, id: ImageIdentifier) -> Vec<String> {
        let describe = DescribeImageReplicationStatus { repository: repository.clone(), id };
        let copies = self.registry.run(describe).await.unwrap();
        copies
            .iter()
            .map(|copy| {
                let code = copy.failure_code.as_deref().unwrap_or("-");
                let ReplicationDestination { region, account } = &copy.destination;
                format!("{region} {account} {} {code}", copy.status.as_str())
            })
            .collect()
    }
}
