//! The rows of operations that are beside the model of AWS.

use std::sync::Arc;

use tonnage_domain::accounts::{CreateAccount, ListAccounts, SetAccountState};
use tonnage_domain::advisories::operations::{ListAdvisorySources, SyncAdvisories};
use tonnage_domain::backup::operations::CreateBackup;
use tonnage_domain::events::search_events::SearchEvents;
use tonnage_domain::gallery::get_pull_statistics::GetPullStatistics;
use tonnage_domain::gallery::listings::BrowseGallery;
use tonnage_domain::gallery::search::SearchGallery;
use tonnage_domain::gallery::view_image::ViewImage;
use tonnage_domain::gallery::view_publisher::ViewPublisher;
use tonnage_domain::gallery::view_repository::ViewRepository;
use tonnage_domain::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::jobs::operations::{CancelJob, DescribeJob, ListJobs, RetryJob};
use tonnage_domain::names::{AccountId, Digest, Reference, RepositoryName};
use tonnage_domain::overview::describe_activity::{DescribeActivity, Of};
use tonnage_domain::overview::describe_image_content::DescribeImageContent;
use tonnage_domain::overview::describe_storage::DescribeStorage;
use tonnage_domain::overview::search_images::{self, Kind, SearchImages};
use tonnage_domain::overview::search_repositories::{self, SearchRepositories};
use tonnage_domain::overview::summarize_registry::SummarizeRegistry;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::policies::account_limit::{
    DeleteAccountLimit, GetAccountLimit, PutAccountLimit,
};
use tonnage_domain::policies::explain::ExplainPolicy;
use tonnage_domain::public::repository_settings::{
    GetPublicRepositorySettings, PutPublicRepositorySettings,
};
use tonnage_domain::pull_through::find_mirror::FindMirror;
use tonnage_domain::pull_through::import_image::ImportUpstreamImage;
use tonnage_domain::pull_through::import_layer::ImportUpstreamLayer;
use tonnage_domain::pull_through::import_referrers::ImportUpstreamReferrers;
use tonnage_domain::replication::ReplicationDestination;
use tonnage_domain::replication::describe_replication::DescribeReplication;
use tonnage_domain::replication::describe_replication_matrix::DescribeReplicationMatrix;
use tonnage_domain::replication::list_replications::ListReplications;
use tonnage_domain::replication::refinements::{
    DestinationRefinement, GetReplicationRefinements, PutReplicationRefinements,
};
use tonnage_domain::replication::retry::RetryReplication;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::repositories::put_sparse_manifests::PutSparseManifests;
use tonnage_domain::repositories::rename::RenameRepository;
use tonnage_domain::scanning::describe_finding_origins::DescribeFindingOrigins;
use tonnage_domain::scanning::external::operations::{ListScanners, TestScanner};
use tonnage_domain::scanning::find_images::FindImages;
use tonnage_domain::scanning::sboms::Format;
use tonnage_domain::scanning::sboms::attach_image_sbom::AttachImageSbom;
use tonnage_domain::scanning::sboms::configuration::{
    GetSbomConfiguration, PutSbomConfiguration, SbomConfiguration,
};
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;
use tonnage_domain::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument,
};
use tonnage_domain::scrub::operations::{DescribeScrub, StartScrub};
use tonnage_store::vault::FileVault;

use super::{Ask, Asking, DIGEST, LOGIN_ONLY, THIRD, Told, public};
use crate::registry::ACCOUNT;

/// What the admin socket alone has.
async fn administrate(asking: &Asking, operation: &str) -> String {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let account = AccountId::parse(THIRD).unwrap();
    let in_management = |name: &str| RepositoryAddress {
        account: management_account,
        region: asking.registry.app.default_region.clone(),
        name: RepositoryName::parse(name).unwrap(),
    };
    match operation {
        "CreateAccount" => {
            let id = AccountId::parse("444444444444").unwrap();
            let name = "new".to_owned();
            asking.run(CreateAccount { management_account, id, name }).await
        }
        "ListAccounts" => asking.run(ListAccounts { management_account }).await,
        "SetAccountState" => {
            asking.run(SetAccountState { management_account, id: account, active: false }).await
        }
        "DescribeGarbageCollection" => {
            asking.run(DescribeGarbageCollection { management_account }).await
        }
        "RunGarbageCollection" => asking.run(RunGarbageCollection { management_account }).await,
        "CreateBackup" => {
            let directory = tempfile::tempdir().unwrap();
            let vault = Arc::new(FileVault::create(directory.path().join("backups")).unwrap());
            let progress = Arc::default();
            asking.run(CreateBackup { management_account, vault, keep: None, progress }).await
        }
        "PutSparseManifests" => {
            let repository = in_management("app");
            asking.run(PutSparseManifests { repository, allowed: Some(true) }).await
        }
        "RenameRepository" => {
            let repository = RepositoryAddress {
                account: management_account,
                region: asking.registry.app.default_region.clone(),
                name: RepositoryName::parse("app").unwrap(),
            };
            let new_name = RepositoryName::parse("renamed").unwrap();
            asking.run(RenameRepository { repository, new_name }).await
        }
        "ListReplications" => {
            let repository = RepositoryAddress {
                account: management_account,
                region: asking.registry.app.default_region.clone(),
                name: RepositoryName::parse("app").unwrap(),
            };
            let page = PageRequest { after: None, limit: 1 };
            asking.run(ListReplications { repository, page }).await
        }
        "FindImages" => {
            let operation = FindImages {
                package: "openssl".to_owned(),
                ecosystem: None,
                below: None,
                at_least: None,
                repository_prefix: None,
                tag: None,
                pulled_since: None,
                page: PageRequest { after: None, limit: 1 },
            };
            asking.run(operation).await
        }
        "AttachImageSbom" => {
            let repository = RepositoryAddress {
                account: management_account,
                region: asking.registry.app.default_region.clone(),
                name: RepositoryName::parse("app").unwrap(),
            };
            let id = ImageIdentifier { digest: Some(Digest::parse(DIGEST).unwrap()), tag: None };
            asking.run(AttachImageSbom { repository, id, format: Format::Spdx2_3 }).await
        }
        "GetVexDocument" => asking.run(GetVexDocument { name: "known".to_owned() }).await,
        "DeleteVexDocument" => asking.run(DeleteVexDocument { name: "known".to_owned() }).await,
        "ListVexDocuments" => {
            let page = PageRequest { after: None, limit: 1 };
            asking.run(ListVexDocuments { page }).await
        }
        "PutVexDocument" => {
            let (name, document) = ("known".to_owned(), "{}".to_owned());
            asking.run(PutVexDocument { name, document }).await
        }
        "DescribeFindingOrigins" => {
            let repository = RepositoryAddress {
                account: management_account,
                region: asking.registry.app.default_region.clone(),
                name: RepositoryName::parse("app").unwrap(),
            };
            let id = ImageIdentifier { digest: Some(Digest::parse(DIGEST).unwrap()), tag: None };
            let page = PageRequest { after: None, limit: 1 };
            asking.run(DescribeFindingOrigins { repository, id, page }).await
        }
        "GetSbomConfiguration" => asking.run(GetSbomConfiguration).await,
        "PutSbomConfiguration" => {
            let configuration = SbomConfiguration::new(&[], Vec::new()).unwrap();
            asking.run(PutSbomConfiguration { configuration }).await
        }
        "GetImageSbom" => {
            let repository = RepositoryAddress {
                account: management_account,
                region: asking.registry.app.default_region.clone(),
                name: RepositoryName::parse("app").unwrap(),
            };
            let id = ImageIdentifier { digest: Some(Digest::parse(DIGEST).unwrap()), tag: None };
            asking.run(GetImageSbom { repository, id, format: Format::Spdx2_3 }).await
        }
        "DescribeReplication" => asking.run(DescribeReplication).await,
        "DescribeReplicationMatrix" => asking.run(DescribeReplicationMatrix).await,
        "GetReplicationRefinements" => asking.run(GetReplicationRefinements).await,
        "PutReplicationRefinements" => {
            let refinement = DestinationRefinement::none(ReplicationDestination {
                region: "eu-west-1".to_owned(),
                account: ACCOUNT.to_owned(),
            });
            asking.run(PutReplicationRefinements { refinement }).await
        }
        "RetryReplication" => {
            let (repository, destination, after) = (None, None, None);
            asking.run(RetryReplication { repository, destination, after }).await
        }
        "DecidePublicAlias"
        | "DecidePublicDomain"
        | "ListPublicAliases"
        | "ListPublicDomains"
        | "ProvePublicDomain"
        | "RemovePublicDomain"
        | "RequestPublicAlias"
        | "SetPrimaryPublicAlias"
        | "VerifyPublicRegistry" => public::administrate(asking, operation).await,
        "ListJobs" => {
            let (kind, state) = (None, None);
            let page = PageRequest { after: None, limit: 1 };
            asking.run(ListJobs { management_account, kind, state, page }).await
        }
        "DescribeJob" => asking.run(DescribeJob { management_account, id: 1 }).await,
        "CancelJob" => asking.run(CancelJob { management_account, id: 1 }).await,
        "RetryJob" => asking.run(RetryJob { management_account, id: 1 }).await,
        // Only jobs run these, with a lease that nobody else can have.
        "ActivateImage" | "ArchiveReferrers" | "AttachSignature" | "ExpireImages"
        | "ExpireReferrers" | "IndexImageLayers" | "MarkImageComplete" | "ReplicateDeletion"
        | "ReplicateImage" | "ReplicateLayer" | "ReplicateSetting" => "no access".to_owned(),
        "ImportUpstreamImage" => {
            let reference = Reference::parse("v1").unwrap();
            asking
                .run(ImportUpstreamImage {
                    repository: in_management("app"),
                    reference,
                    is_forced: false,
                })
                .await
        }
        "ImportUpstreamLayer" => {
            let digest = Digest::parse(DIGEST).unwrap();
            asking.run(ImportUpstreamLayer::new(in_management("app"), digest)).await
        }
        "ImportUpstreamReferrers" => {
            let (repository, subject) = (in_management("app"), Digest::parse(DIGEST).unwrap());
            asking.run(ImportUpstreamReferrers { repository, subject }).await
        }
        "FindMirror" => {
            let (host, name) = ("docker.io".to_owned(), in_management("app").name);
            asking.run(FindMirror { host, name }).await
        }
        "GetPublicRepositorySettings" => {
            asking.run(GetPublicRepositorySettings { repository: in_management("app") }).await
        }
        "PutPublicRepositorySettings" => {
            let (repository, tag_mutability) = (in_management("app"), None);
            let scan_on_push = Some(false);
            let operation =
                PutPublicRepositorySettings { repository, tag_mutability, scan_on_push };
            asking.run(operation).await
        }
        "CreateImageShare" => {
            let id = ImageIdentifier { digest: Some(Digest::parse(DIGEST).unwrap()), tag: None };
            let (repository, seconds, uses_max) = (in_management("app"), 3600, None);
            asking.run(CreateImageShare { repository, id, seconds, uses_max }).await
        }
        "ListImageShares" => {
            let page = PageRequest { after: None, limit: 1 };
            asking.run(ListImageShares { repository: in_management("app"), page }).await
        }
        "RevokeImageShare" => {
            let (repository, share) = (in_management("app"), "share-1".to_owned());
            asking.run(RevokeImageShare { repository, share }).await
        }
        "GetPullStatistics" => {
            let page = PageRequest { after: None, limit: 10 };
            let repository = in_management("app");
            asking.run(GetPullStatistics { repository, days: 30, by: None, page }).await
        }
        "DescribeImageContent" => {
            let id = ImageIdentifier { digest: Some(Digest::parse(DIGEST).unwrap()), tag: None };
            asking.run(DescribeImageContent { repository: in_management("app"), id }).await
        }
        "SearchImages" => {
            let page = PageRequest { after: None, limit: 10 };
            let (repository, kind) = (in_management("app"), Kind::All);
            let (text, status, sort) = (String::new(), None, search_images::Sort::Newest);
            asking.run(SearchImages { repository, text, kind, status, sort, page }).await
        }
        "SearchEvents" => {
            let page = PageRequest { after: None, limit: 10 };
            let (from, until, kind, repository) = (None, None, None, None);
            asking.run(SearchEvents { from, until, kind, repository, page }).await
        }
        "SearchRepositories" => {
            let page = PageRequest { after: None, limit: 10 };
            let (text, sort) = (String::new(), search_repositories::Sort::Name);
            let (resource_tag, only) = (String::new(), search_repositories::Only::All);
            asking.run(SearchRepositories { text, resource_tag, only, sort, page }).await
        }
        "DescribeActivity" => {
            let of = Of::Repository(in_management("app"));
            asking.run(DescribeActivity { of }).await
        }
        "ListTagHistory" => {
            let page = PageRequest { after: None, limit: 10 };
            asking.run(ListTagHistory { repository: in_management("app"), tag: None, page }).await
        }
        "DescribeStorage" => asking.run(DescribeStorage).await,
        "SummarizeRegistry" => asking.run(SummarizeRegistry).await,
        "BrowseGallery" => asking.run(BrowseGallery).await,
        "SearchGallery" => {
            asking.run(SearchGallery { limit: 10, ..SearchGallery::default() }).await
        }
        "ViewPublisher" => {
            let page = PageRequest { after: None, limit: 10 };
            asking.run(ViewPublisher { page }).await
        }
        "ViewRepository" => {
            let repository = in_management("app");
            let page = PageRequest { after: None, limit: 10 };
            asking.run(ViewRepository { repository, tag_prefix: String::new(), page }).await
        }
        "ViewImage" => {
            let reference = Reference::parse("v1").unwrap();
            asking.run(ViewImage { repository: in_management("app"), reference }).await
        }
        "DescribeScrub" => asking.run(DescribeScrub { management_account }).await,
        "ListAdvisorySources" => asking.run(ListAdvisorySources { management_account }).await,
        "ListScanners" => asking.run(ListScanners { management_account }).await,
        "TestScanner" => {
            asking.run(TestScanner { management_account, name: "trivy".to_owned() }).await
        }
        "SyncAdvisories" => {
            let source = None;
            asking.run(SyncAdvisories { management_account, source, force: false }).await
        }
        "StartScrub" => asking.run(StartScrub { management_account }).await,
        "PutAccountLimit" => {
            let text = LOGIN_ONLY.to_owned();
            asking.run(PutAccountLimit { management_account, account, text }).await
        }
        "GetAccountLimit" => asking.run(GetAccountLimit { management_account, account }).await,
        "DeleteAccountLimit" => {
            asking.run(DeleteAccountLimit { management_account, account }).await
        }
        "ExplainPolicy" => {
            let principal = format!("arn:aws:iam::{ACCOUNT}:root");
            let (action, resource) = ("ecr:PutImage".to_owned(), "*".to_owned());
            let keys = Vec::new();
            let explain = ExplainPolicy { management_account, principal, action, resource, keys };
            asking.run(explain).await
        }
        other => panic!("tonnage:{other} has no row in the matrix: say here how it is asked for"),
    }
}

/// An operation that only the admin socket has.
pub(super) struct Admin(pub(super) &'static str);

impl Ask for Admin {
    fn ask<'a>(&'a self, asking: &'a Asking, _row: &'a str) -> Told<'a> {
        Box::pin(administrate(asking, self.0))
    }
}
