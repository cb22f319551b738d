//! What every operation demands, as a reviewed text. `UPDATE_SNAPSHOTS=1` writes it anew.

mod identities;
mod public;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tonnage_domain::accounts::{CreateAccount, ListAccounts, SetAccountState};
use tonnage_domain::advisories::operations::{ListAdvisorySources, SyncAdvisories};
use tonnage_domain::archive::restore_image::ActivateImage;
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::audit::lookup_events::{Criteria as LookedUp, LookupEvents};
use tonnage_domain::backup::operations::CreateBackup;
use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::delete_blob::DeleteBlob;
use tonnage_domain::blobs::get_blob::{GetBlob, HeadBlob};
use tonnage_domain::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use tonnage_domain::context::{Principal, PrincipalKind, RequestContext};
use tonnage_domain::events::search_events::SearchEvents;
use tonnage_domain::execute::{Operation, Service};
use tonnage_domain::gc::operations::{DescribeGarbageCollection, RunGarbageCollection};
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::images::ImageStatusFilter;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::batch_get_image::BatchGetImage;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_image_referrers::ListImageReferrers;
use tonnage_domain::images::list_images::{ListImages, TagStatus};
use tonnage_domain::images::list_tag_history::ListTagHistory;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::inspector::account_status::BatchGetAccountStatus;
use tonnage_domain::inspector::aggregations::{AggregationType, ListFindingAggregations};
use tonnage_domain::inspector::coverage::{CoverageCriteria, ListCoverage, ListCoverageStatistics};
use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::filters::{
    CreateFilter, DeleteFilter, FilterAction, ListFilterTags, ListFilters, TagFilter, UntagFilter,
    UpdateFilter,
};
use tonnage_domain::inspector::finding_details::BatchGetFindingDetails;
use tonnage_domain::inspector::list_findings::ListFindings;
use tonnage_domain::jobs::Lease;
use tonnage_domain::jobs::operations::{CancelJob, DescribeJob, ListJobs, RetryJob};
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::expire::{ArchiveReferrers, ExpireImages, ExpireReferrers};
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, StartLifecyclePolicyPreview,
};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::names::{AccountId, Digest, Reference, RepositoryName, Tag};
use tonnage_domain::operations::OPERATIONS;
use tonnage_domain::overview::describe_activity::{DescribeActivity, Of};
use tonnage_domain::overview::describe_image_content::DescribeImageContent;
use tonnage_domain::overview::describe_storage::DescribeStorage;
use tonnage_domain::overview::search_images::{self, SearchImages};
use tonnage_domain::overview::search_repositories::{self, SearchRepositories};
use tonnage_domain::overview::summarize_registry::SummarizeRegistry;
use tonnage_domain::policies::account_limit::{
    DeleteAccountLimit, GetAccountLimit, PutAccountLimit,
};
use tonnage_domain::policies::explain::ExplainPolicy;
use tonnage_domain::policies::registry_policy::{
    DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy,
};
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::pull_through::complete::MarkImageComplete;
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_through::describe::DescribePullThroughCacheRules;
use tonnage_domain::pull_through::find_mirror::FindMirror;
use tonnage_domain::pull_through::import_image::ImportUpstreamImage;
use tonnage_domain::pull_through::import_layer::ImportUpstreamLayer;
use tonnage_domain::pull_through::import_referrers::ImportUpstreamReferrers;
use tonnage_domain::pull_through::update::UpdatePullThroughCacheRule;
use tonnage_domain::pull_through::validate::ValidatePullThroughCacheRule;
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use tonnage_domain::registries::account_settings::{
    AccountSettingValue, GetAccountSetting, PutAccountSetting,
};
use tonnage_domain::registries::describe::DescribeRegistry;
use tonnage_domain::replication::backfills::describe_replication_backfill_results::DescribeReplicationBackfillResults;
use tonnage_domain::replication::backfills::list_replication_backfills::ListReplicationBackfills;
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::backfills::stop_replication_backfill::StopReplicationBackfill;
use tonnage_domain::replication::carry::To;
use tonnage_domain::replication::describe_image_replication_status::DescribeImageReplicationStatus;
use tonnage_domain::replication::describe_replication::DescribeReplication;
use tonnage_domain::replication::describe_replication_matrix::DescribeReplicationMatrix;
use tonnage_domain::replication::list_replications::ListReplications;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::refinements::{
    DestinationRefinement, GetReplicationRefinements, PutReplicationRefinements,
};
use tonnage_domain::replication::replicate_deletion::ReplicateDeletion;
use tonnage_domain::replication::replicate_image::ReplicateImage;
use tonnage_domain::replication::replicate_layer::ReplicateLayer;
use tonnage_domain::replication::replicate_setting::{Plan, ReplicateSetting};
use tonnage_domain::replication::retry::RetryReplication;
use tonnage_domain::replication::settings::{ReplicatedSetting, SettingChange};
use tonnage_domain::replication::{
    Change, QueuedChange, ReplicationConfiguration, ReplicationDestination,
};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::repositories::list_catalog::ListCatalog;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::put_sparse_manifests::PutSparseManifests;
use tonnage_domain::repositories::rename::RenameRepository;
use tonnage_domain::repositories::{RepositoryAddress, TagMutabilityRule};
use tonnage_domain::resource_tags::{ListTagsForResource, TagResource, UntagResource};
use tonnage_domain::scanning::RegistryScanningConfiguration;
use tonnage_domain::scanning::batch_get_repository_scanning_configuration::BatchGetRepositoryScanningConfiguration;
use tonnage_domain::scanning::describe_finding_origins::DescribeFindingOrigins;
use tonnage_domain::scanning::describe_image_scan_findings::DescribeImageScanFindings;
use tonnage_domain::scanning::external::operations::{ListScanners, TestScanner};
use tonnage_domain::scanning::find_images::FindImages;
use tonnage_domain::scanning::index_image_layers::IndexImageLayers;
use tonnage_domain::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use tonnage_domain::scanning::registry_scanning_configuration::{
    GetRegistryScanningConfiguration, PutRegistryScanningConfiguration,
};
use tonnage_domain::scanning::sboms::Format;
use tonnage_domain::scanning::sboms::attach_image_sbom::AttachImageSbom;
use tonnage_domain::scanning::sboms::configuration::{
    GetSbomConfiguration, PutSbomConfiguration, SbomConfiguration,
};
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;
use tonnage_domain::scanning::start_image_scan::StartImageScan;
use tonnage_domain::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument,
};
use tonnage_domain::scrub::operations::{DescribeScrub, StartScrub};
use tonnage_domain::signing::configuration::SigningConfiguration;
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::describe_image_signing_status::DescribeImageSigningStatus;
use tonnage_domain::signing::get_signing_configuration::GetSigningConfiguration;
use tonnage_domain::signing::profiles::PLATFORM;
use tonnage_domain::signing::profiles::get_signing_profile::GetSigningProfile;
use tonnage_domain::signing::profiles::list_signing_profiles::ListSigningProfiles;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;
use tonnage_domain::signing::sign_image::AttachSignature;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::delete::DeleteRepositoryCreationTemplate;
use tonnage_domain::templates::describe::DescribeRepositoryCreationTemplates;
use tonnage_domain::templates::update::{TemplateChanges, UpdateRepositoryCreationTemplate};
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_domain::uploads::describe::DescribeUpload;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::mount::MountLayer;
use tonnage_domain::uploads::{UploadId, UploadRules};

use tonnage_store::vault::FileVault;

use crate::content::{Blob, Pushed};
use crate::registry::{
    ACCOUNT, START, address, body, by_both, by_digest, by_tag, context, create_repository, page,
    put_image, resource_tags, temporary_directory,
};

struct Table {
    context: RequestContext,
    text: String,
    seen: BTreeSet<String>,
}

impl Table {
    fn add<O: Operation>(&mut self, input: &str, operation: &O) {
        let service = match O::ENTRY.service {
            Service::Ecr if self.context.region.is_global() => Service::EcrPublic,
            service => service,
        };
        let name = format!("{}:{}", service.as_str(), O::ENTRY.name);
        let demands = operation.demands(&self.context);
        assert!(!demands.is_empty(), "{name} demands nothing");
        let separator = if input.is_empty() { "" } else { ", " };
        writeln!(self.text, "{name}{separator}{input}").unwrap();
        for demand in demands {
            let need = if demand.required { "required" } else { "optional" };
            writeln!(self.text, "    {need} {} on {}", demand.action, demand.resource.arn())
                .unwrap();
            for (key, values) in &demand.keys {
                writeln!(self.text, "        {key} = {}", values.join(", ")).unwrap();
            }
        }
        self.seen.insert(name);
    }
}

#[test]
fn what_every_operation_demands_is_reviewed() {
    let table = table();
    let missing: Vec<_> = OPERATIONS
        .iter()
        .map(|entry| format!("{}:{}", entry.service.as_str(), entry.name))
        .filter(|name| !table.seen.contains(name))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "operations without a row");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/demands.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &table.text).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = || reviewed.lines().zip(table.text.lines()).zip(1..);
    for ((reviewed, found), line) in lines() {
        assert_eq!(found, reviewed, "demands.txt differs in line {line}");
    }
    assert_eq!(table.text.lines().count(), reviewed.lines().count(), "demands.txt has other rows");
}

fn table() -> Table {
    let account = AccountId::parse(ACCOUNT).unwrap();
    let principal = Principal {
        id: 1,
        kind: PrincipalKind::Root,
        account,
        arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        unique_id: ACCOUNT.to_owned(),
        access_key_id: None,
        session: None,
        share: None,
    };
    let context = context(&principal, START);
    let mut table = Table { context, text: String::new(), seen: BTreeSet::new() };
    repositories(&mut table);
    images(&mut table);
    layers(&mut table);
    replication(&mut table);
    secrets::add(&mut table);
    scanning(&mut table);
    inspector(&mut table);
    signing(&mut table);
    archive(&mut table);
    registry_settings(&mut table);
    lifecycle(&mut table);
    policies(&mut table, account);
    accounts_and_identities(&mut table, account);
    identities::rows(&mut table);
    public::rows(&mut table, account);
    table
}

fn repositories(table: &mut Table) {
    let name = || RepositoryName::parse("team/app").unwrap();
    let registry_id = Some(AccountId::parse("210987654321").unwrap());
    let tags = resource_tags(&[("env", "prod"), ("cost", "42")]);
    let create = create_repository("team/app");
    table.add("", &create);
    table.add("with tags", &CreateRepository { tags: tags.clone(), ..create.clone() });
    table.add("in another account", &CreateRepository { registry_id, ..create });
    table.add("", &DeleteRepository { registry_id: None, name: name(), force: false });
    table.add("with force", &DeleteRepository { registry_id: None, name: name(), force: true });
    let describe = DescribeRepositories { registry_id: None, names: vec![], page: page(None, 100) };
    table.add("all", &describe);
    let in_account = DescribeRepositories { registry_id, ..describe.clone() };
    table.add("all of another account", &in_account);
    let names = vec![name(), RepositoryName::parse("other").unwrap()];
    table.add("two names", &DescribeRepositories { names, ..describe });
    let tag_mutability = TagMutabilityRule::default();
    table.add("", &PutImageTagMutability { registry_id: None, name: name(), tag_mutability });
    table.add("", &ListCatalog { page: page(None, 100) });
    let sparse = PutSparseManifests { repository: address("team/app"), allowed: Some(true) };
    table.add("", &sparse);
    let new_name = RepositoryName::parse("team/api").unwrap();
    table.add("", &RenameRepository { repository: address("team/app"), new_name });
    let resource = address("team/app");
    table.add("", &TagResource { resource: resource.clone(), tags });
    let keys = vec!["env".to_owned(), "cost".to_owned()];
    table.add("", &UntagResource { resource: resource.clone(), keys });
    table.add("", &ListTagsForResource { resource });
}

fn images(table: &mut Table) {
    let repository = address("team/app");
    let manifest = Pushed::image(&Blob::new("config", 10), &[]);
    let put = put_image(&repository, &manifest, None, UploadRules::Distribution);
    let tagged = put_image(&repository, &manifest, Some("v1"), UploadRules::LayerParts);
    let digest = Digest::of_sha256(b"one");
    table.add("without tag", &put);
    table.add("with tag", &tagged);
    let tags = ["v1", "v2"].map(|tag| Tag::parse(tag).unwrap()).to_vec();
    table.add("with two tags", &PutImage { tags, ..put.clone() });
    table.add("with tag and digest", &PutImage { digest: Some(digest.clone()), ..tagged });

    let batch = vec![by_tag("v1"), by_digest(&digest), by_both(&digest, "v2")];
    let repository = || address("team/app");
    table.add("by tag", &BatchDeleteImage { repository: repository(), ids: vec![by_tag("v1")] });
    let by_digest = vec![by_digest(&digest)];
    table.add("by digest", &BatchDeleteImage { repository: repository(), ids: by_digest.clone() });
    table.add("three", &BatchDeleteImage { repository: repository(), ids: batch.clone() });
    table.add("by digest", &BatchGetImage { repository: repository(), ids: by_digest });
    table.add("three", &BatchGetImage { repository: repository(), ids: batch.clone() });
    let tag_status = TagStatus::Any;
    let describe = DescribeImages {
        repository: repository(),
        ids: vec![],
        tag_status,
        image_status: ImageStatusFilter::default(),
        page: page(None, 100),
    };
    table.add("all", &describe);
    table.add("three", &DescribeImages { ids: batch, ..describe });
    table.add(
        "",
        &ListImages {
            repository: repository(),
            tag_status,
            image_status: ImageStatusFilter::default(),
            page: page(None, 100),
        },
    );
    table.add("", &ListTags { repository: repository(), page: page(None, 100) });
    for (input, reference) in [("by tag", "v1"), ("by digest", digest.as_str())] {
        let reference = Reference::parse(reference).unwrap();
        let delete = DeleteManifest {
            repository: repository(),
            reference: reference.clone(),
            condition: Precondition::None,
        };
        let get = GetManifest { repository: repository(), reference, counts_as_pull: true };
        table.add(input, &get);
        table.add(input, &delete);
    }
    let (subject, page) = (digest, page(None, 100));
    let artifact_types = vec![];
    table.add(
        "",
        &ListImageReferrers {
            repository: repository(),
            subject,
            artifact_types,
            artifact_status: ImageStatusFilter::default(),
            page,
        },
    );
}

fn lifecycle(table: &mut Table) {
    let repository = address("team/app");
    table.add("", &PutLifecyclePolicy { repository: repository.clone(), text: String::new() });
    table.add("", &GetLifecyclePolicy { repository: repository.clone() });
    table.add("", &DeleteLifecyclePolicy { repository: repository.clone() });
    table.add("", &StartLifecyclePolicyPreview { repository: repository.clone(), text: None });
    let preview = GetLifecyclePolicyPreview {
        repository: repository.clone(),
        ids: vec![],
        tag_status: TagStatus::Any,
        page: page(None, 100),
    };
    table.add("", &preview);
    let (repository_id, lease) = (1, Lease::new(1, 1));
    let expire = |archives| ExpireImages {
        repository: repository.clone(),
        archives,
        repository_id,
        policy_version: 1,
        images: vec![],
        ground: None,
        lease,
    };
    table.add("", &expire(false));
    table.add("to the archive", &expire(true));
    let referrers = ArchiveReferrers { repository: repository.clone(), repository_id, lease };
    table.add("", &referrers);
    table.add("", &ExpireReferrers { repository, repository_id, lease });
}

fn archive(table: &mut Table) {
    let digest = Digest::of_sha256(b"one");
    let (repository, target) = (address("team/app"), StorageClass::Archive);
    let update = |id| UpdateImageStorageClass { repository: repository.clone(), id, target };
    table.add("by tag", &update(by_tag("v1")));
    table.add("by digest", &update(by_digest(&digest)));
    let (image_id, lease) = (1, Lease::new(1, 1));
    table.add("", &ActivateImage { repository, image_id, digest, lease });
}

fn scanning(table: &mut Table) {
    let (repository, digest) = (address("team/app"), Digest::of_sha256(b"one"));
    let start = |id| StartImageScan { repository: repository.clone(), id };
    table.add("by tag", &start(by_tag("v1")));
    table.add("by digest", &start(by_digest(&digest)));
    let (sbom, format) = (repository.clone(), Format::Spdx2_3);
    let (seconds, uses_max) = (3600, None);
    let share = |id| CreateImageShare { repository: repository.clone(), id, seconds, uses_max };
    table.add("by tag", &share(by_tag("v1")));
    table.add("by digest", &share(by_digest(&digest)));
    table.add("", &ListImageShares { repository: repository.clone(), page: page(None, 1) });
    let share = "share-1".to_owned();
    table.add("", &RevokeImageShare { repository: repository.clone(), share });
    table.add(
        "",
        &FindImages {
            package: "openssl".to_owned(),
            ecosystem: None,
            below: None,
            at_least: None,
            repository_prefix: None,
            tag: None,
            pulled_since: None,
            page: page(None, 1),
        },
    );
    table.add("by tag", &GetImageSbom { repository: sbom, id: by_tag("v1"), format });
    table.add(
        "by tag",
        &AttachImageSbom { repository: repository.clone(), id: by_tag("v1"), format },
    );
    let configuration = SbomConfiguration::new(&[format], Vec::new()).unwrap();
    table.add("", &PutSbomConfiguration { configuration });
    table.add("", &GetSbomConfiguration);
    let name = || "known".to_owned();
    table.add("", &PutVexDocument { name: name(), document: "{}".to_owned() });
    table.add("", &GetVexDocument { name: name() });
    table.add("", &ListVexDocuments { page: page(None, 1) });
    table.add("", &DeleteVexDocument { name: name() });
    let describe =
        |id| DescribeImageScanFindings { repository: repository.clone(), id, page: page(None, 1) };
    table.add("by tag", &describe(by_tag("v1")));
    let (address, id) = (repository.clone(), by_tag("v1"));
    let origins = DescribeFindingOrigins { repository: address, id, page: page(None, 1) };
    table.add("by tag", &origins);
    table.add("by digest", &describe(by_digest(&digest)));
    overview(table, &repository);
    let (image_id, lease) = (1, Lease::new(1, 1));
    table.add("", &IndexImageLayers { repository, image_id, digest, lease });
}

fn overview(table: &mut Table, repository: &RepositoryAddress) {
    table.add("", &SummarizeRegistry);
    table.add("", &DescribeStorage);
    table.add("", &LookupEvents { criteria: LookedUp::default(), page: page(None, 1) });
    let (from, until, kind, of) = (None, None, None, None);
    table.add("", &SearchEvents { from, until, kind, repository: of, page: page(None, 1) });
    let search = SearchRepositories {
        text: "app".to_owned(),
        resource_tag: String::new(),
        only: search_repositories::Only::All,
        sort: search_repositories::Sort::Newest,
        page: page(None, 1),
    };
    table.add("", &search);
    let repository = repository.clone();
    let images = SearchImages {
        repository: repository.clone(),
        text: "app".to_owned(),
        kind: search_images::Kind::Whole,
        status: None,
        sort: search_images::Sort::Newest,
        page: page(None, 1),
    };
    table.add("", &images);
    table.add("of a registry", &DescribeActivity { of: Of::Registry });
    table.add("of a repository", &DescribeActivity { of: Of::Repository(repository.clone()) });
    let of = Of::Image(repository.clone(), Digest::of_sha256(b"one"));
    table.add("of an image", &DescribeActivity { of });
    let history = ListTagHistory { repository: repository.clone(), tag: None, page: page(None, 1) };
    table.add("", &history);
    table.add("by tag", &DescribeImageContent { repository, id: by_tag("v1") });
}

fn inspector(table: &mut Table) {
    let arn = || {
        format!("arn:aws:inspector2:us-east-1:{ACCOUNT}:owner/{ACCOUNT}/filter/0123456789abcdef")
    };
    let (criteria, description, reason) = (Criteria::default(), None, None);
    let tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let (name, action) = ("noise".to_owned(), FilterAction::Suppress);
    let create = CreateFilter { name, action, description, reason, criteria, tags: tags.clone() };
    table.add("", &create);
    let (name, action, criteria) = (None, None, None);
    let (description, reason) = (None, None);
    table.add("", &UpdateFilter { arn: arn(), name, action, description, reason, criteria });
    table.add("", &DeleteFilter { arn: arn() });
    table.add("", &ListFilters { arns: Vec::new(), action: None, page: page(None, 1) });
    table.add("", &TagFilter { arn: arn(), tags });
    table.add("", &UntagFilter { arn: arn(), keys: vec!["env".to_owned()] });
    table.add("", &ListFilterTags { arn: arn() });
    let criteria = Criteria::default;
    table.add("", &ListFindings { criteria: criteria(), sort: None, page: page(None, 1) });
    table.add("", &BatchGetFindingDetails { arns: Vec::new() });
    let (kind, by, is_ascending) = (AggregationType::Title, None, false);
    let (criteria, page) = (criteria(), page(None, 1));
    let count = ListFindingAggregations { kind, criteria, by, is_ascending, page: page.clone() };
    table.add("", &count);
    let criteria = CoverageCriteria::default;
    table.add("", &ListCoverage { criteria: criteria(), page });
    table.add("", &ListCoverageStatistics { criteria: criteria(), group: None });
    table.add("", &BatchGetAccountStatus);
}

fn signing(table: &mut Table) {
    let (repository, digest) = (address("team/app"), Digest::of_sha256(b"one"));
    let configuration = SigningConfiguration::default();
    table.add("", &PutSigningConfiguration { configuration });
    table.add("", &GetSigningConfiguration);
    table.add("", &DeleteSigningConfiguration);
    let status = |id| DescribeImageSigningStatus { repository: repository.clone(), id };
    table.add("by tag", &status(by_tag("v1")));
    table.add("by digest", &status(by_digest(&digest)));
    let name = || "release".to_owned();
    let put =
        PutSigningProfile { name: name(), platform: PLATFORM.to_owned(), tags: BTreeMap::new() };
    table.add("", &put);
    table.add("", &GetSigningProfile { name: name() });
    table.add("", &ListSigningProfiles { page: page(None, 1) });
    let attach = AttachSignature {
        repository,
        repository_id: 1,
        image_id: 1,
        profile_arn: String::new(),
        envelope: Bytes::new(),
        manifest: Bytes::new(),
        lease: Lease::new(1, 1),
    };
    table.add("", &attach);
}

fn imports(table: &mut Table) {
    let digest = Digest::of_sha256(b"one");
    for (what, reference) in [
        ("by tag", Reference::Tag(Tag::parse("v1").unwrap())),
        ("by digest", Reference::Digest(digest.clone())),
    ] {
        table.add(
            what,
            &ImportUpstreamImage { repository: address("team/app"), reference, is_forced: false },
        );
    }
    table.add("", &ImportUpstreamLayer::new(address("team/app"), digest.clone()));
    let (repository, subject) = (address("team/app"), digest.clone());
    table.add("", &ImportUpstreamReferrers { repository, subject });
    let (repository, lease) = (address("team/app"), Lease::new(1, 1));
    table.add("", &MarkImageComplete { repository, digest, lease });
    let (host, name) = ("docker.io".to_owned(), address("team/app").name);
    table.add("", &FindMirror { host, name });
}

fn replication(table: &mut Table) {
    let to = To {
        source: address("team/app"),
        repository_id: 1,
        destination: address("team/app"),
        lease: Lease::new(1, 1),
    };
    let digest = Digest::of_sha256(b"one");
    let queued = QueuedChange::new(1, Change::Delete, digest.clone(), None, START);
    table.add("", &ReplicateImage { to: to.clone(), digest: digest.clone(), queued: None });
    table.add("", &ReplicateLayer { to: to.clone(), digest: digest.clone() });
    let setting = ReplicatedSetting::ResourceTags;
    let change = SettingChange::new(1, setting, START);
    let one = resource_tags(&[("env", "prod")]);
    let put = TagMutabilityRule::default();
    for (input, plan) in [
        ("a lifecycle policy", Plan::PutLifecyclePolicy(String::new())),
        ("no lifecycle policy", Plan::DeleteLifecyclePolicy),
        ("a repository policy", Plan::SetRepositoryPolicy(String::new())),
        ("no repository policy", Plan::DeleteRepositoryPolicy),
        ("a resource tag", Plan::Tag { put: one.clone(), remove: Vec::new() }),
        ("no resource tag", Plan::Tag { put: Vec::new(), remove: one.clone() }),
        ("tag mutability", Plan::PutImageTagMutability(put)),
    ] {
        let change = change.clone();
        table.add(input, &ReplicateSetting { to: to.clone(), change, plan });
    }
    table.add("", &ReplicateDeletion { to, queued });
    imports(table);
    let repository = address("team/app");
    let id = by_digest(&digest);
    table.add("", &DescribeImageReplicationStatus { repository, id });
    let destination =
        ReplicationDestination { region: "eu-west-1".to_owned(), account: ACCOUNT.to_owned() };
    table.add("", &StartReplicationBackfill { destination: destination.clone() });
    let refinement = DestinationRefinement::none(destination);
    table.add("", &PutReplicationRefinements { refinement });
    table.add("", &GetReplicationRefinements);
    table.add("", &DescribeReplication);
    table.add("", &DescribeReplicationMatrix);
    let repository = address("team/app");
    table.add("", &ListReplications { repository, page: page(None, 1) });
    table.add("", &RetryReplication { repository: None, destination: None, after: None });
    table.add("", &StopReplicationBackfill { id: "1".to_owned() });
    table.add("", &ListReplicationBackfills { page: page(None, 1) });
    let (id, failed) = ("1".to_owned(), None);
    table.add("", &DescribeReplicationBackfillResults { id, failed, page: page(None, 1) });
}

fn layers(table: &mut Table) {
    let repository = || address("team/app");
    let digest = Digest::of_sha256(b"one");
    let upload_id = UploadId::parse("6a0d56f3-9a0f-4c8e-9d62-6c1f6a1f9a3e").unwrap();
    let rules = UploadRules::Distribution;
    let digests = vec![digest.clone()];
    table.add("", &BatchCheckLayerAvailability { repository: repository(), digests });
    table.add("", &GetDownloadUrlForLayer { repository: repository(), digest: digest.clone() });
    table.add("", &GetBlob { repository: repository(), digest: digest.clone() });
    table.add("", &HeadBlob { repository: repository(), digest: digest.clone() });
    table.add("", &DeleteBlob { repository: repository(), digest: digest.clone() });
    let from = Some(RepositoryName::parse("source").unwrap());
    let mount = MountLayer { repository: repository(), digest: digest.clone(), from };
    table.add("from a repository", &mount);
    table.add("from anywhere", &MountLayer { from: None, ..mount });
    table.add("by docker", &InitiateLayerUpload { repository: repository(), rules });
    let by_parts = InitiateLayerUpload { repository: repository(), rules: UploadRules::LayerParts };
    table.add("by the layer-part API", &by_parts);
    let part = UploadLayerPart {
        repository: repository(),
        upload_id: upload_id.clone(),
        first_byte: None,
        length: None,
        body: body(&bytes::Bytes::new()),
        rules,
    };
    table.add("", &part);
    let mut complete = CompleteLayerUpload {
        repository: repository(),
        upload_id: upload_id.clone(),
        digests: vec![digest],
        first_byte: None,
        body: None,
        rules,
    };
    table.add("without bytes", &complete);
    complete.body = Some(body(&bytes::Bytes::new()));
    table.add("with the last bytes", &complete);
    table.add("", &DescribeUpload { repository: repository(), upload_id: upload_id.clone() });
    table.add("", &CancelUpload { repository: repository(), upload_id });
}

fn registry_settings(table: &mut Table) {
    let names = ["team/app", "other"].map(|name| RepositoryName::parse(name).unwrap()).to_vec();
    table.add("two names", &BatchGetRepositoryScanningConfiguration { names: names.clone() });
    let (registry_id, scan_on_push) = (None, true);
    let name = names[0].clone();
    table.add("", &PutImageScanningConfiguration { registry_id, name, scan_on_push });
    table.add("", &GetRegistryScanningConfiguration);
    let configuration = RegistryScanningConfiguration::default();
    table.add("", &PutRegistryScanningConfiguration { configuration });
    table.add("", &DescribeRegistry);
    let (name, value) = ("BLOB_MOUNTING".to_owned(), "ENABLED".to_owned());
    table.add("", &GetAccountSetting { name: name.clone() });
    table.add("", &PutAccountSetting { setting: AccountSettingValue { name, value } });
    let configuration = ReplicationConfiguration::default();
    table.add("", &PutReplicationConfiguration { configuration });
    let principal_arn = format!("arn:aws:iam::{ACCOUNT}:role/ci");
    table.add("", &RegisterPullTimeUpdateExclusion { principal_arn: principal_arn.clone() });
    table.add("", &DeregisterPullTimeUpdateExclusion { principal_arn });
    table.add("", &ListPullTimeUpdateExclusions { page: page(None, 100) });

    pull_through(table);

    let prefix = || TemplatePrefix::new("team");
    let settings = TemplateSettings {
        description: None,
        resource_tags: vec![],
        tag_mutability: TagMutabilityRule::default(),
        repository_policy: None,
        lifecycle_policy: None,
        applied_for: vec![AppliedFor::CreateOnPush],
        custom_role_arn: None,
    };
    table.add(
        "",
        &CreateRepositoryCreationTemplate { prefix: prefix(), settings: settings.clone() },
    );
    let with_policies = TemplateSettings {
        repository_policy: Some("{}".to_owned()),
        lifecycle_policy: Some("{}".to_owned()),
        ..settings
    };
    table.add(
        "with policies",
        &CreateRepositoryCreationTemplate { prefix: prefix(), settings: with_policies },
    );
    let changes = TemplateChanges::default();
    table.add("", &UpdateRepositoryCreationTemplate { prefix: prefix(), changes });
    table.add("", &DeleteRepositoryCreationTemplate { prefix: prefix() });
    let describe = DescribeRepositoryCreationTemplates { prefixes: vec![], page: page(None, 100) };
    table.add("", &describe);
}

fn pull_through(table: &mut Table) {
    let role = Some(format!("arn:aws:iam::{ACCOUNT}:role/upstream"));
    let create = CreatePullThroughCacheRule {
        registry_id: None,
        prefix: "mirror".to_owned(),
        upstream_url: "quay.io".to_owned(),
        upstream_registry: None,
        upstream_prefix: None,
        credential_arn: None,
        custom_role_arn: None,
    };
    table.add("", &create);
    let create = CreatePullThroughCacheRule { custom_role_arn: role.clone(), ..create };
    table.add("with a role", &create);
    let prefix = || "mirror".to_owned();
    let update = UpdatePullThroughCacheRule {
        registry_id: None,
        prefix: prefix(),
        credential_arn: None,
        custom_role_arn: None,
    };
    table.add("", &update);
    table.add("with a role", &UpdatePullThroughCacheRule { custom_role_arn: role, ..update });
    table.add("", &DeletePullThroughCacheRule { registry_id: None, prefix: prefix() });
    table.add("", &ValidatePullThroughCacheRule { registry_id: None, prefix: prefix() });
    let (prefixes, page) = (Vec::new(), page(None, 100));
    table.add("", &DescribePullThroughCacheRules { registry_id: None, prefixes, page });
}

fn policies(table: &mut Table, management_account: AccountId) {
    let (repository, text) = (address("team/app"), String::new());
    table.add("", &SetRepositoryPolicy { repository: repository.clone(), text, force: false });
    table.add("", &GetRepositoryPolicy { repository: repository.clone() });
    table.add("", &DeleteRepositoryPolicy { repository });
    table.add("", &PutRegistryPolicy { text: String::new() });
    table.add("", &GetRegistryPolicy);
    table.add("", &DeleteRegistryPolicy);
    let account = AccountId::parse("210987654321").unwrap();
    table.add("", &PutAccountLimit { management_account, account, text: String::new() });
    table.add("", &GetAccountLimit { management_account, account });
    table.add("", &DeleteAccountLimit { management_account, account });
    let (principal, action) = (String::new(), "ecr:PutImage".to_owned());
    let (resource, keys) = ("*".to_owned(), Vec::new());
    table.add("", &ExplainPolicy { management_account, principal, action, resource, keys });
}

fn accounts_and_identities(table: &mut Table, management_account: AccountId) {
    let id = AccountId::parse("210987654321").unwrap();
    table.add("", &GetAuthorizationToken { registry_ids: vec![] });
    table.add(
        "two registries",
        &GetAuthorizationToken { registry_ids: vec![id, management_account] },
    );
    table.add("", &GetCallerIdentity);
    table.add("", &CreateAccount { management_account, id, name: "team".to_owned() });
    table.add("", &ListAccounts { management_account });
    table.add("suspend", &SetAccountState { management_account, id, active: false });
    let directory = temporary_directory();
    let vault = Arc::new(FileVault::create(directory.path()).unwrap());
    let progress = Arc::default();
    table.add("", &CreateBackup { management_account, vault, keep: None, progress });
    table.add("", &DescribeGarbageCollection { management_account });
    table.add("", &RunGarbageCollection { management_account });
    table.add("", &DescribeScrub { management_account });
    table.add("", &StartScrub { management_account });
    table.add("", &ListAdvisorySources { management_account });
    table.add("", &ListScanners { management_account });
    table.add("", &TestScanner { management_account, name: "trivy".to_owned() });
    table.add("", &SyncAdvisories { management_account, source: None, force: false });
    let (kind, state) = (None, None);
    table.add("", &ListJobs { management_account, kind, state, page: page(None, 100) });
    table.add("", &DescribeJob { management_account, id: 1 });
    table.add("", &CancelJob { management_account, id: 1 });
    table.add("", &RetryJob { management_account, id: 1 });
}
