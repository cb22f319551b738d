//! The rows of public registries: operations that private registries have too, in the global
//! region, and those that only ECR Public has.

use tonnage_domain::blobs::batch_check_layer_availability::BatchCheckLayerAvailability;
use tonnage_domain::blobs::get_blob::{GetBlob, HeadBlob};
use tonnage_domain::gallery::get_pull_statistics::GetPullStatistics;
use tonnage_domain::gallery::listings::BrowseGallery;
use tonnage_domain::gallery::search::SearchGallery;
use tonnage_domain::gallery::view_image::ViewImage;
use tonnage_domain::gallery::view_publisher::ViewPublisher;
use tonnage_domain::gallery::view_repository::ViewRepository;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::describe_image_tags::DescribeImageTags;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::images::{ImageStatusFilter, list_images::TagStatus};
use tonnage_domain::names::{AccountId, Digest, Reference, Region, RepositoryName};
use tonnage_domain::policies::repository_policy::{
    DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy,
};
use tonnage_domain::public::aliases::AliasName;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
    VerifyPublicRegistry,
};
use tonnage_domain::public::authorization::GetPublicAuthorizationToken;
use tonnage_domain::public::catalog::CatalogDataInput;
use tonnage_domain::public::catalog::operations::{
    GetRepositoryCatalogData, GetRepositoryLogo, PutRepositoryCatalogData,
};
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::public::domains::DomainName;
use tonnage_domain::public::domains::operations::{
    DecidePublicDomain, ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};
use tonnage_domain::public::registries::{
    DescribeRegistries, GetRegistryCatalogData, PutRegistryCatalogData,
};
use tonnage_domain::public::repository_settings::{
    GetPublicRepositorySettings, PutPublicRepositorySettings,
};
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::resource_tags::{ListTagsForResource, TagResource, UntagResource};
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::{UploadId, UploadRules};

use super::Table;
use crate::content::{Blob, Pushed};
use crate::public::{create, public};
use crate::registry::{body, by_tag, page, put_image, resource_tags};

pub(super) fn rows(table: &mut Table, management_account: AccountId) {
    let region = std::mem::replace(&mut table.context.region, Region::global());
    repositories(table);
    images(table);
    layers(table);
    table.add("", &DescribeRegistries);
    table.add("", &GetRegistryCatalogData);
    table.add("", &PutRegistryCatalogData { display_name: None });
    table.add("", &GetPublicAuthorizationToken { seconds: 43_200 });
    table.context.region = region;

    let (account, name) = (management_account, AliasName::parse("harbour").unwrap());
    table.add("", &RequestPublicAlias { management_account, account, name: name.clone() });
    let decision = Decision::Approve;
    table.add("", &DecidePublicAlias { management_account, account, name: name.clone(), decision });
    table.add("", &SetPrimaryPublicAlias { management_account, account, name });
    table.add("", &ListPublicAliases { management_account, page: page(None, 100) });
    table.add("", &VerifyPublicRegistry { management_account, account, verified: true });
    let domain = || DomainName::parse("example.com").unwrap();
    table.add("", &ProvePublicDomain { domain: domain() });
    table.add("", &ListPublicDomains);
    table.add("", &RemovePublicDomain { domain: domain() });
    let (domain, allowed) = (domain(), false);
    table.add("", &DecidePublicDomain { management_account, account, domain, allowed });
}

fn repositories(table: &mut Table) {
    let (registry_id, names) = (None, Vec::new());
    let name = || RepositoryName::parse_public("team/app").unwrap();
    let tags = resource_tags(&[("env", "prod")]);
    table.add("", &create("team/app"));
    table.add("with tags", &CreatePublicRepository { tags: tags.clone(), ..create("team/app") });
    table.add("", &DeleteRepository { registry_id, name: name(), force: true });
    let describe = DescribeRepositories { registry_id, names, page: page(None, 100) };
    table.add("all", &describe);
    table.add("one name", &DescribeRepositories { names: vec![name()], ..describe });
    let resource = || public("team/app");
    table.add("", &TagResource { resource: resource(), tags });
    table.add("", &UntagResource { resource: resource(), keys: vec!["env".to_owned()] });
    table.add("", &ListTagsForResource { resource: resource() });
    let (repository, text) = (public("team/app"), String::new());
    table.add("", &SetRepositoryPolicy { repository: repository.clone(), text, force: false });
    table.add("", &GetRepositoryPolicy { repository: repository.clone() });
    table.add("", &DeleteRepositoryPolicy { repository: repository.clone() });
    let data = CatalogDataInput::default();
    table.add("", &PutRepositoryCatalogData { repository: repository.clone(), data });
    table.add("", &GetRepositoryCatalogData { repository: repository.clone() });
    table.add("", &GetRepositoryLogo { repository: repository.clone(), logo_id: String::new() });
    table.add("", &GetPublicRepositorySettings { repository: repository.clone() });
    let (tag_mutability, scan_on_push) = (None, Some(true));
    let settings = PutPublicRepositorySettings {
        repository: repository.clone(),
        tag_mutability,
        scan_on_push,
    };
    table.add("", &settings);
    let statistics = page(None, 10);
    let (repository_of, days) = (repository.clone(), 30);
    table.add(
        "",
        &GetPullStatistics { repository: repository_of, days, by: None, page: statistics },
    );
    table.add("", &BrowseGallery);
    table.add("", &SearchGallery { text: "app".to_owned(), ..SearchGallery::default() });
    table.add("", &ViewPublisher { page: page(None, 10) });
    let (tag_prefix, reference) = (String::new(), Reference::parse("v1").unwrap());
    let page = page(None, 10);
    table.add("", &ViewRepository { repository: repository.clone(), tag_prefix, page });
    table.add("", &ViewImage { repository, reference });
}

fn images(table: &mut Table) {
    let repository = || public("team/app");
    let manifest = Pushed::image(&Blob::new("config", 10), &[]);
    table.add("", &put_image(&repository(), &manifest, Some("v1"), UploadRules::LayerParts));
    table.add("", &BatchDeleteImage { repository: repository(), ids: vec![by_tag("v1")] });
    let describe = DescribeImages {
        repository: repository(),
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        image_status: ImageStatusFilter::default(),
        page: page(None, 100),
    };
    table.add("", &describe);
    table.add("", &DescribeImageTags { repository: repository(), page: page(None, 100) });
    let reference = Reference::parse("v1").unwrap();
    let (counts_as_pull, repository) = (true, repository());
    table.add("", &GetManifest { repository: repository.clone(), reference, counts_as_pull });
    table.add("", &ListTags { repository, page: page(None, 100) });
}

fn layers(table: &mut Table) {
    let repository = || public("team/app");
    let digest = Digest::of_sha256(b"one");
    let upload_id = UploadId::parse("6a0d56f3-9a0f-4c8e-9d62-6c1f6a1f9a3e").unwrap();
    let (rules, digests) = (UploadRules::Distribution, vec![digest.clone()]);
    let check = BatchCheckLayerAvailability { repository: repository(), digests: digests.clone() };
    table.add("", &check);
    table.add("", &GetBlob { repository: repository(), digest: digest.clone() });
    table.add("", &HeadBlob { repository: repository(), digest });
    table.add("", &InitiateLayerUpload { repository: repository(), rules });
    let part = UploadLayerPart {
        repository: repository(),
        upload_id: upload_id.clone(),
        first_byte: None,
        length: None,
        body: body(&bytes::Bytes::new()),
        rules,
    };
    table.add("", &part);
    let complete = CompleteLayerUpload {
        repository: repository(),
        upload_id,
        digests,
        first_byte: None,
        body: None,
        rules,
    };
    table.add("", &complete);
}
