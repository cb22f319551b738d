//! The compatibility page, made from the table of operations and the models' lists.

use std::fmt::Write as _;

use tonnage_api::aws::shapes::{Service as Model, ecr, ecr_public, iam, secretsmanager, sts};
use tonnage_api::oci::profile::DEVIATIONS;
use tonnage_domain::execute::Service;
use tonnage_domain::operations::OPERATIONS;
use tonnage_domain::signing::profiles::PLATFORM;

/// Routes of the distribution specification, and how each is served.
const ROUTES: &[(&str, &str)] = &[
    ("`GET /v2/`", "Basic authentication with an authorization token"),
    ("`GET`, `HEAD /v2/{name}/manifests/{reference}`", "by tag and by digest, `If-None-Match`"),
    (
        "`PUT /v2/{name}/manifests/{reference}`",
        "Docker schema 2, manifest lists, OCI images, indexes and artifacts; `tag` in the query and `OCI-Tag`; `OCI-Subject`; `If-Match`, `If-None-Match: *`; `Warning`",
    ),
    ("`DELETE /v2/{name}/manifests/{reference}`", "by tag and by digest; `If-Match`"),
    (
        "`GET`, `HEAD /v2/{name}/blobs/{digest}`",
        "whole, one range or several, `If-None-Match`, `If-Range`; SHA-256 and SHA-512",
    ),
    (
        "`DELETE /v2/{name}/blobs/{digest}`",
        "202 when no image of the repository refers to it, 409 `DENIED` otherwise; needs `ecr:BatchDeleteImage`",
    ),
    (
        "`POST /v2/{name}/blobs/uploads/`",
        "sessions and single-request uploads; `mount` and `from`, see below",
    ),
    (
        "`GET`, `HEAD`, `PATCH`, `PUT`, `DELETE /v2/{name}/blobs/uploads/{id}`",
        "streamed, in chunks, resumable",
    ),
    ("`GET`, `HEAD /v2/{name}/tags/list`", "in lexical order; `n` up to 1000, `last`, `Link`"),
    (
        "`GET`, `HEAD /v2/{name}/referrers/{digest}`",
        "`artifactType`, `OCI-Filters-Applied`, `Link`",
    ),
    (
        "`GET`, `HEAD /v2/_catalog`",
        "the repositories that the principal may describe (`ecr:DescribeRepositories`), all at once or one by one",
    ),
];

/// Where ECR's behaviour is not documented, or where we chose otherwise: what we do and why.
const DECISIONS: &[(&str, &str)] = &[
    (
        "Status of errors",
        "AWS JSON errors are 400 (500 for `ServerException`), also those of authentication and authorization, as seen from ECR; clients go by the code.",
    ),
    (
        "Scanning",
        "The scanner is ours, and knows what advisories the operator loaded: where there are none for the system of an image, its scan is `FAILED` and says so, rather than `COMPLETE` without findings. `DescribeImages` tells of enhanced scans only, as ECR does since its basic scanner is its own. `StartImageScan` is allowed once in `scan_interval`, a day as in ECR; the limit of 100,000 scans a day for a registry is not kept. An index is refused with `UnsupportedImageTypeException`. When enhanced scanning is turned on, all images that the rules are for are scanned, not only those of the last days, so no scan is `SCAN_ELIGIBILITY_EXPIRED`. Of Inspector's own API, what is about findings of images, rules that suppress them and coverage is served. See `docs/scanning.md`.",
    ),
    (
        "Replication",
        "Destinations are registries of the same deployment, and of others that `replication_peer` names. The codes of failures, and what deletions take away, are ours: see `docs/replication.md`. A backfill that is stopped is `STOPPED` at once; an image that is being copied in that moment arrives and is not counted.",
    ),
    (
        "Pull through cache rules",
        "The upstream registries of ECR, and hosts that `upstream_registry` adds; their answers have no `upstreamRegistry`. `upstreamRegistryUrl` may have a path, which is then the upstream prefix; it comes back as it was given, and `upstreamRepositoryPrefix` only where it was given. Of overlapping prefixes the longest counts, `ROOT` last. A secret may be named for every upstream. `customRoleArn` asks other registries of the same deployment, and needs `iam:PassRole`; a rule for a registry of ECR names a role or a secret, also within one account. Where a registry of ECR is, `upstream_location` must say. The texts of `failure` are ours. 50 rules per registry are the default of `pull_through_cache_rules_per_registry`. See `docs/pull-through-cache.md`.",
    ),
    (
        "Pushes to cached repositories",
        "AWS does not document them. Here a name that a rule covers takes no pushes, with the prefix `ROOT` only that of a repository that has an image of the upstream: `InitiateLayerUpload` and `PutImage` answer `InvalidParameterException`, the distribution protocol 403 `DENIED`, each with the rule that is the reason. Replication, deletions and settings work as on every repository.",
    ),
    (
        "Pulls through the cache",
        "An image that is first asked for by its digest is imported too; ECR does not do that. A rule with the prefix `ROOT` leaves repositories alone that somebody made. What is stored is served, with a `Warning` header, when a tag is due and the upstream does not answer, or the client may not import. Layers are fetched once an imported image refers to them. At most 100 referrers of an image are brought. `ListImageReferrers` answers what is stored where the upstream does not say, and never `UnableToListUpstreamImageReferrersException`. Imported images are not signed. See `docs/pull-through-cache.md`.",
    ),
    (
        "Signing",
        "Signatures are made after the push and attached as referrers; a push never fails with them. Keys and certificates are ours, one authority for each account; `signatureValidityPeriod`, `signingMaterial`, `overrides` and `signingParameters` of a profile are refused. Profiles are neither cancelled nor revoked. See `docs/signing.md`.",
    ),
    (
        "Create on push",
        "A push by a client of the distribution protocol makes the repository if a creation template with `CREATE_ON_PUSH` matches, or if the server runs with `create_on_push`, which stands for a `ROOT` template of defaults in every registry. The pusher needs `ecr:CreateRepository`.",
    ),
    (
        "Repository creation templates",
        "`prefixes` names templates exactly. An update keeps every member that it does not name, `imageTagMutability` too. `customRoleArn` is stored and returned; repositories are made under the permissions of whoever causes them.",
    ),
    (
        "`encryptionConfiguration`",
        "`AES256` is what every repository has. `KMS` and `KMS_DSSE` are refused with a message that names them.",
    ),
    (
        "`acceptedMediaTypes` and `Accept`",
        "Manifests are never converted; the stored one is returned.",
    ),
    (
        "Quotas",
        "1,000 tags per image, 50 resource tags, 4,200 parts and 52,000 MiB per layer, 4 MiB per manifest are enforced. 100,000 repositories per registry and 100,000 images per repository are ECR's defaults, and the settings `repositories_per_registry` and `images_per_repository` change them. Throttling is a setting, see `docs/configuration.md`.",
    ),
    (
        "Codes of the distribution protocol",
        "The specification's codes and statuses; with `oci_profile = \"ecr\"` those of the table above. Messages are ECR's where they are known.",
    ),
    (
        "Mounting",
        "As in ECR once `PutAccountSetting` made `BLOB_MOUNTING` `ENABLED`: the source is named, in the same registry, an image of it refers to the blob, and the pusher has `ecr:GetDownloadUrlForLayer` there. `blob_mounting` of the server makes `ENABLED` the default, takes blobs that no image refers to, and looks for a source the pusher may pull from when none is named. Every other case is answered with an upload, so nobody learns what a repository has.",
    ),
    (
        "Account settings",
        "`BASIC_SCAN_TYPE_VERSION`, `REGISTRY_POLICY_SCOPE` and `BLOB_MOUNTING`, per registry. Unknown names and values are refused with `InvalidParameterException`.",
    ),
    (
        "Sparse manifests",
        "A manifest whose layers or children are not in the repository is refused, as in ECR, unless the server runs with `sparse_manifests` or the repository allows it (`tonnage repository sparse-manifests`).",
    ),
    ("Chunks", "Of any size, in order; there is no `OCI-Chunk-Min-Length` to keep."),
    (
        "Deleting the last tag of an image that an index refers to",
        "`BatchDeleteImage` answers `ImageReferencedByManifestList`; `DELETE` of the manifest by tag removes the tag and keeps the image.",
    ),
    (
        "Unfinished uploads",
        "Belong to the principal that began them, can be resumed after a restart, and are removed after 24 hours of rest.",
    ),
    ("`imageSizeInBytes`", "Config and layers; of an index, the largest child's."),
    (
        "Authorization tokens",
        "Valid for 12 hours. They end at once when the access key is switched off or the account suspended. On a named host a token of another region is refused with 400.",
    ),
    (
        "Policies of repositories and registries",
        "Kept byte for byte, where ECR writes them anew with other white space. `Resource` may stand in a repository policy or not. Sids may repeat. Refusals have ECR's `Invalid repository policy provided` or `Invalid registry policy provided`, and then place and reason; an unknown principal is `Principal not found`. Actions of other services and `CanonicalUser` are refused.",
    ),
    (
        "Registry policy",
        "Scope V2: every action of ECR. `GetRegistryPolicy`, `PutRegistryPolicy` and `DeleteRegistryPolicy` are decided without it, so that no policy locks a registry for good.",
    ),
    (
        "Access denied",
        "AWS's message; where a statement with a Sid denied, the Sid follows in parentheses. A principal whose own side does not allow an action is told that, whatever the resource's policy says.",
    ),
    (
        "Condition keys",
        "`tonnage:ImageTag` and `tonnage:ImageDigest` beside AWS's; a batch is decided for each image, a deletion by digest for each tag. `docs/policies.md` lists them.",
    ),
    (
        "`sts:GetCallerIdentity`, `sts:GetSessionToken`",
        "Allowed to everybody, whatever policies say, as in AWS.",
    ),
    (
        "Sessions",
        "Temporary credentials end when the long-term key that began them is switched off or deleted; in AWS, sessions of roles live on until they expire. They end with their role or user in any case.",
    ),
    (
        "Trust policies and unique ids",
        "A trust policy means the users and roles that it named when it was set: one made again under the same name is not trusted, as in AWS. The text keeps the ARNs it was written with.",
    ),
    ("Organizations", "There is none: `aws:PrincipalOrgID` and its like are absent."),
    (
        "Multi-factor authentication",
        "Nobody can have a device; `aws:MultiFactorAuthPresent` is `false` for temporary credentials and absent otherwise.",
    ),
    (
        "`lastRecordedPullTime`",
        "A `GET` of a manifest counts, a `HEAD` does not; written within a second. Principals of the exclusion list are matched when it is written.",
    ),
    (
        "ECR Public: regions",
        "A public registry is in none. Requests may be signed for any region; `aws:RequestedRegion` is `us-east-1`.",
    ),
    (
        "ECR Public: pulls",
        "Everybody may pull, whatever policies say. Every request needs a token, an anonymous one from `/token/` at least; `/token/` also says `expires_in`. A push to a repository that does not exist never makes it. `_catalog` is not served.",
    ),
    (
        "ECR Public: catalog data",
        "`PutRepositoryCatalogData` replaces all of it. A repository without any has empty catalog data, never `RepositoryCatalogDataNotFoundException`. `marketplaceCertified` is `false`.",
    ),
    (
        "ECR Public: registries",
        "An account without a public repository has a registry without aliases, whose `registryUri` is the host. Custom aliases and verification are the operator's: `tonnage public`.",
    ),
    (
        "ECR Public: gallery",
        "Pages of our own under the public host, beside what clients ask there; `docs/public.md`. Pulls are counted by repository, tag, digest, platform and day, and by network and day.",
    ),
    (
        "ECR Public: verified accounts",
        "`verified` is true where the operator said so (`tonnage public verify`) or the owner has proven a domain (`tonnage public domains prove`) by a file or a record of the DNS; the gallery shows which.",
    ),
    (
        "ECR Public: tag immutability and scans",
        "Not in ECR Public's model; owners turn them on with `tonnage public set`, and the gallery shows what holds and what was found. `docs/public.md`.",
    ),
    (
        "Image shares",
        "Not in ECR: with `image_shares`, `tonnage images share` makes a password with which somebody without an account pulls one private image for a while, within what its maker may. `docs/image-shares.md`.",
    ),
    (
        "Console",
        "Pages of our own under `/console/` of bare hosts; `docs/console.md`. People sign in with a long-term access key, the password of `CreateLoginProfile` or an OpenID Connect provider that a role trusts, and `PasswordResetRequired` is honoured. There is no federation to AWS's own console (`getSigninToken`), and a second factor is the identity provider's to ask for.",
    ),
    (
        "ECR Public: limits",
        "Per source, as the settings `public_anonymous_pulls` and the others after it say: every manifest is a pull, ten seconds of pulls may be taken at once. 10,000 repositories, 1,000 parts and 10,000 MiB per layer.",
    ),
    (
        "Lifecycle policies",
        "Carried out soon after they are put, and daily. What ECR's schema validator says of the less common mistakes is not known; messages follow its style. Children of an index and referrers of a stored subject are neither counted nor acted on. Answers are minified, previews verbatim; previews expire after a day.",
    ),
];

/// The page.
pub(super) fn page(note: &str) -> String {
    let mut page = format!("# Compatibility\n\n{note}\n\n");
    page.push_str(
        "What is served, and what is not.\n\
         An operation of a known API that is not served answers `UnsupportedOperationException` with a message that names it; a service that is not served says so in the caller's protocol.\n",
    );
    model(&mut page, "Amazon ECR", Service::Ecr, &ecr::SERVICE);
    model(&mut page, "Amazon ECR Public", Service::EcrPublic, &ecr_public::SERVICE);
    model(&mut page, "AWS IAM", Service::Iam, &iam::SERVICE);
    model(&mut page, "AWS STS", Service::Sts, &sts::SERVICE);
    model(&mut page, "AWS Secrets Manager", Service::SecretsManager, &secretsmanager::SERVICE);
    page.push_str("\n## AWS Signer\n\n");
    let names: Vec<String> = served(Service::Signer).map(|name| format!("`{name}`")).collect();
    let _ = writeln!(page, "Only {}. The platform of a profile is `{PLATFORM}`.", names.join(", "));
    page.push_str("\n## Amazon Inspector\n\n");
    let names: Vec<String> = served(Service::Inspector2).map(|name| format!("`{name}`")).collect();
    let _ = writeln!(
        page,
        "Only {}, of images of containers: `docs/scanning.md`. Criteria that such findings do not \
         have are refused with `ValidationException`, which names them.",
        names.join(", ")
    );
    page.push_str(
        "\n## AWS CloudTrail\n\n\
         Only `LookupEvents`: changes, denials and sign-ins of the last 90 days, `docs/console.md`. What \
         was merely read is not kept, nor are answers; of parameters of requests at most 4 KiB. There \
         are no trails and no Insights.\n",
    );
    page.push_str("\n## OCI distribution\n\n| request | served |\n|---|---|\n");
    for (request, served) in ROUTES {
        let _ = writeln!(page, "| {request} | {served} |");
    }
    page.push_str(
        "\n### Two profiles\n\n\
         `oci_profile` chooses between the specification and what was seen of ECR.\n\n\
         | subject | `specification` (default) | `ecr` | source |\n|---|---|---|---|\n",
    );
    for deviation in DEVIATIONS {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            deviation.subject, deviation.specification, deviation.ecr, deviation.source
        );
    }
    page.push_str("\n## Decisions\n\n");
    for (subject, decision) in DECISIONS {
        let _ = writeln!(page, "- **{subject}**: {decision}");
    }
    page
}

fn served(service: Service) -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().filter(move |entry| entry.service == service).map(|entry| entry.name)
}

fn model(page: &mut String, title: &str, service: Service, model: &Model) {
    let served: Vec<&str> = served(service).collect();
    let total = model.operation_names().len();
    let _ = write!(
        page,
        "\n## {title}\n\n{} of {total} operations of botocore's model.\n\n| operation | served |\n|---|---|\n",
        served.len()
    );
    for name in model.operation_names() {
        let mark = if served.contains(&name) { "yes" } else { "no" };
        let _ = writeln!(page, "| `{name}` | {mark} |");
    }
}
