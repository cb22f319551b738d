//! The shapes of our own operations, which no model of AWS has: written by hand, in the form of the
//! generated ones. Whoever signs for `tonnage` calls them beside the AWS APIs.
//!
//! A name of a member means the same in every operation, so that one text ([`MEMBERS`]) tells it.

use super::{Length, Member, Operation, Pattern, Range, Service, Shape, Style, Text};

/// The service and its operations.
pub static SERVICE: Service = Service {
    signing_name: "tonnage",
    target_prefix: "Tonnage_V20260101",
    api_version: "2026-01-01",
    style: Style::EcrInvalidParameter,
    operations: OPERATIONS,
};

static ACCOUNT_PATTERN: Pattern = Pattern::new("[0-9]{12}");
static REPOSITORY_PATTERN: Pattern =
    Pattern::new(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*");
static ALIAS_PATTERN: Pattern = Pattern::new("[a-z0-9]+(?:[._-][a-z0-9]+)*");

const TEXT: Shape = Shape::String(Text::ANY);
static ANY_TEXT: Shape = TEXT;
static ACCOUNT: Shape = Shape::String(Text::ANY.pattern(&ACCOUNT_PATTERN));
static ACCOUNT_OR_ALIAS: Shape = Shape::String(Text::ANY.min(2).max(50).pattern(&ALIAS_PATTERN));
static REPOSITORY: Shape = Shape::String(Text::ANY.min(2).max(256).pattern(&REPOSITORY_PATTERN));
static TAG: Shape = Shape::String(Text::ANY.min(1).max(300));
static TOKEN: Shape = TEXT;
static COUNT: Shape = Shape::Integer(Range::ANY.min(0));
static PAGE: Shape = Shape::Integer(Range::ANY.min(1).max(1000));
static TIME: Shape = Shape::Timestamp;
static SWITCH: Shape = Shape::Boolean;
static TEXTS: Shape = Shape::List { member: &ANY_TEXT, length: Length::ANY };
static EMPTY: Shape = Shape::Structure(&[]);
static FORMAT: Shape =
    Shape::String(Text::ANY.values(&["cyclonedx-1.5", "cyclonedx-1.6", "spdx-2.3"]));
static FORMATS: Shape = Shape::List { member: &FORMAT, length: Length::ANY.max(3) };
static MUTABILITY: Shape = Shape::String(Text::ANY.values(&[
    "MUTABLE",
    "IMMUTABLE",
    "IMMUTABLE_WITH_EXCLUSION",
    "MUTABLE_WITH_EXCLUSION",
]));
static FILTER: Shape = Shape::Structure(&[
    Member::required("filterType", &Shape::String(Text::ANY.values(&["WILDCARD"]))),
    Member::required("filter", &Shape::String(Text::ANY.min(1).max(128))),
]);
static FILTERS: Shape = Shape::List { member: &FILTER, length: Length::ANY.min(1).max(5) };
static IMAGE: Shape = Shape::Structure(&[
    Member::optional("imageDigest", &ANY_TEXT),
    Member::optional("imageTag", &TAG),
]);

static DOMAIN: Shape = Shape::Structure(&[
    Member::required("domain", &ANY_TEXT),
    Member::required(
        "domainStatus",
        &Shape::String(Text::ANY.values(&["PENDING", "PROVEN", "REVOKED"])),
    ),
    Member::required("fileUrl", &ANY_TEXT),
    Member::required("fileLine", &ANY_TEXT),
    Member::required("recordName", &ANY_TEXT),
    Member::required("recordText", &ANY_TEXT),
    Member::optional("checkedAt", &TIME),
    Member::optional("problem", &ANY_TEXT),
]);
static NAMED_DOMAIN: Shape =
    Shape::Structure(&[Member::required("domain", &Shape::String(Text::ANY.min(1).max(253)))]);
static VEX: Shape = Shape::Structure(VEX_MEMBERS);
static VEX_MEMBERS: &[Member] = &[
    Member::required("documentName", &ANY_TEXT),
    Member::required("documentDigest", &ANY_TEXT),
    Member::required("statementCount", &COUNT),
    Member::required("updatedAt", &TIME),
];
static NAMED_VEX: Shape = Shape::Structure(&[Member::required("documentName", &VEX_NAME)]);
static VEX_NAME: Shape = Shape::String(Text::ANY.min(1).max(128));

static SHARE: Shape = Shape::Structure(&[
    Member::required("shareId", &ANY_TEXT),
    Member::required(
        "shareStatus",
        &Shape::String(Text::ANY.values(&["ACTIVE", "EXPIRED", "REVOKED", "USED"])),
    ),
    Member::required("imageDigest", &ANY_TEXT),
    Member::required("createdBy", &ANY_TEXT),
    Member::required("createdAt", &TIME),
    Member::required("expiresAt", &TIME),
    Member::optional("maxUses", &COUNT),
    Member::required("uses", &COUNT),
    Member::optional("lastUsedAt", &TIME),
]);
static REPOSITORY_MEMBERS: Shape = Shape::Structure(&[
    Member::optional("registryId", &ACCOUNT),
    Member::required("repositoryName", &REPOSITORY),
]);
static SBOM_CONFIGURATION: Shape = Shape::Structure(&[
    Member::required("formats", &FORMATS),
    Member::optional("repositoryFilters", &TEXTS),
]);
static PUBLIC_SETTINGS: Shape = Shape::Structure(&[
    Member::optional("registryId", &ACCOUNT),
    Member::required("repositoryName", &REPOSITORY),
    Member::required("imageTagMutability", &MUTABILITY),
    Member::optional("imageTagMutabilityExclusionFilters", &FILTERS),
    Member::required("scanOnPush", &SWITCH),
]);

static OPERATIONS: &[Operation] = &[
    Operation::plain(
        "AttachImageSbom",
        &SBOM_REQUEST,
        Some(&Shape::Structure(&[
            Member::required("imageDigest", &ANY_TEXT),
            Member::required("referrerDigest", &ANY_TEXT),
            Member::required("artifactMediaType", &ANY_TEXT),
            Member::required("isNew", &SWITCH),
        ])),
    ),
    Operation::plain(
        "CreateImageShare",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::required("imageId", &IMAGE),
            Member::required("validForSeconds", &Shape::Integer(Range::ANY.min(60).max(604_800))),
            Member::optional("maxUses", &Shape::Integer(Range::ANY.min(1).max(1_000_000))),
        ]),
        Some(&Shape::Structure(&[
            Member::required("imageShare", &SHARE),
            Member::required("userName", &ANY_TEXT),
            Member::required("password", &Shape::String(Text::ANY.sensitive())),
        ])),
    ),
    Operation::plain("DeleteVexDocument", &NAMED_VEX, Some(&EMPTY)),
    Operation::plain("DescribeFindingOrigins", &ORIGINS_REQUEST, Some(&ORIGINS)),
    Operation::plain(
        "FindImages",
        &Shape::Structure(&[
            Member::required("packageName", &Shape::String(Text::ANY.min(1).max(256))),
            Member::optional("ecosystem", &Shape::String(Text::ANY.min(1).max(256))),
            Member::optional("versionAtLeast", &Shape::String(Text::ANY.min(1).max(512))),
            Member::optional("versionBelow", &Shape::String(Text::ANY.min(1).max(512))),
            Member::optional("repositoryPrefix", &Shape::String(Text::ANY.min(1).max(256))),
            Member::optional("imageTag", &TAG),
            Member::optional("pulledSince", &TIME),
            Member::optional("nextToken", &TOKEN),
            Member::optional("maxResults", &PAGE),
        ]),
        Some(&Shape::Structure(&[
            Member::required("images", &Shape::List { member: &FOUND_IMAGE, length: Length::ANY }),
            Member::optional("nextToken", &TOKEN),
        ])),
    ),
    Operation::plain(
        "GetImageSbom",
        &SBOM_REQUEST,
        Some(&Shape::Structure(&[
            Member::required("imageDigest", &ANY_TEXT),
            Member::required("documentMediaType", &ANY_TEXT),
            Member::required("document", &ANY_TEXT),
        ])),
    ),
    Operation::plain(
        "GetPublicRepositorySettings",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT_OR_ALIAS),
            Member::required("repositoryName", &REPOSITORY),
        ]),
        Some(&PUBLIC_SETTINGS),
    ),
    Operation::plain(
        "GetPullStatistics",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT_OR_ALIAS),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("days", &Shape::Integer(Range::ANY.min(1).max(36_500))),
            Member::optional(
                "groupBy",
                &Shape::String(Text::ANY.values(&["day", "tag", "digest", "platform", "network"])),
            ),
            Member::optional("nextToken", &TOKEN),
            Member::optional("maxResults", &PAGE),
        ]),
        Some(&Shape::Structure(&[
            Member::required("pullCounts", &Shape::List { member: &PULLS, length: Length::ANY }),
            Member::optional("nextToken", &TOKEN),
        ])),
    ),
    Operation::plain("GetSbomConfiguration", &EMPTY, Some(&SBOM_CONFIGURATION)),
    Operation::plain(
        "GetVexDocument",
        &NAMED_VEX,
        Some(&Shape::Structure(&[
            Member::required("vexDocument", &VEX),
            Member::required("document", &ANY_TEXT),
        ])),
    ),
    Operation::plain(
        "ListImageShares",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("nextToken", &TOKEN),
            Member::optional("maxResults", &PAGE),
        ]),
        Some(&Shape::Structure(&[
            Member::required("imageShares", &Shape::List { member: &SHARE, length: Length::ANY }),
            Member::optional("nextToken", &TOKEN),
        ])),
    ),
    Operation::plain(
        "ListPublicDomains",
        &EMPTY,
        Some(&Shape::Structure(&[Member::required(
            "domains",
            &Shape::List { member: &DOMAIN, length: Length::ANY },
        )])),
    ),
    Operation::plain(
        "ListTagHistory",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("imageTag", &TAG),
            Member::optional("nextToken", &TOKEN),
            Member::optional("maxResults", &PAGE),
        ]),
        Some(&Shape::Structure(&[
            Member::required("tagMoves", &Shape::List { member: &TAG_MOVE, length: Length::ANY }),
            Member::optional("nextToken", &TOKEN),
        ])),
    ),
    Operation::plain(
        "ListVexDocuments",
        &EMPTY,
        Some(&Shape::Structure(&[Member::required(
            "vexDocuments",
            &Shape::List { member: &VEX, length: Length::ANY },
        )])),
    ),
    Operation::plain(
        "ProvePublicDomain",
        &NAMED_DOMAIN,
        Some(&Shape::Structure(&[Member::required("publicDomain", &DOMAIN)])),
    ),
    Operation::plain(
        "PutPublicRepositorySettings",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT_OR_ALIAS),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("imageTagMutability", &MUTABILITY),
            Member::optional("imageTagMutabilityExclusionFilters", &FILTERS),
            Member::optional("scanOnPush", &SWITCH),
        ]),
        Some(&PUBLIC_SETTINGS),
    ),
    Operation::plain("PutSbomConfiguration", &SBOM_CONFIGURATION, Some(&SBOM_CONFIGURATION)),
    Operation::plain(
        "PutSparseManifests",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("sparseManifests", &SWITCH),
        ]),
        Some(&Shape::Structure(&[
            Member::required("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::optional("sparseManifests", &SWITCH),
        ])),
    ),
    Operation::plain(
        "PutVexDocument",
        &Shape::Structure(&[
            Member::required("documentName", &VEX_NAME),
            Member::required("document", &ANY_TEXT),
        ]),
        Some(&Shape::Structure(&[Member::required("vexDocument", &VEX)])),
    ),
    Operation::plain("RemovePublicDomain", &NAMED_DOMAIN, Some(&EMPTY)),
    Operation::plain(
        "RenameRepository",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::required("newRepositoryName", &REPOSITORY),
        ]),
        Some(&REPOSITORY_MEMBERS),
    ),
    Operation::plain(
        "RevokeImageShare",
        &Shape::Structure(&[
            Member::optional("registryId", &ACCOUNT),
            Member::required("repositoryName", &REPOSITORY),
            Member::required("shareId", &Shape::String(Text::ANY.min(1).max(128))),
        ]),
        Some(&Shape::Structure(&[Member::required("imageShare", &SHARE)])),
    ),
    Operation::plain(
        "SearchEvents",
        &Shape::Structure(&[
            Member::optional("repositoryName", &Shape::String(Text::ANY.min(2).max(256))),
            Member::optional("eventKind", &Shape::String(Text::ANY.min(1).max(64))),
            Member::optional("startTime", &TIME),
            Member::optional("endTime", &TIME),
            Member::optional("nextToken", &TOKEN),
            Member::optional("maxResults", &Shape::Integer(Range::ANY.min(1).max(100))),
        ]),
        Some(&Shape::Structure(&[
            Member::required("events", &Shape::List { member: &EVENT, length: Length::ANY }),
            Member::optional("nextToken", &TOKEN),
        ])),
    ),
];

static SBOM_REQUEST: Shape = Shape::Structure(&[
    Member::optional("registryId", &ACCOUNT),
    Member::required("repositoryName", &REPOSITORY),
    Member::required("imageId", &IMAGE),
    Member::required("format", &FORMAT),
]);
static FOUND_IMAGE: Shape = Shape::Structure(&[
    Member::required("repositoryName", &REPOSITORY),
    Member::required("imageDigest", &ANY_TEXT),
    Member::required("indexDigests", &TEXTS),
    Member::required("imageTags", &TEXTS),
    Member::required("imagePushedAt", &TIME),
    Member::optional("lastPulledAt", &TIME),
    Member::required("imageStatus", &ANY_TEXT),
    Member::required("packages", &Shape::List { member: &PACKAGE, length: Length::ANY }),
]);
static PACKAGE: Shape = Shape::Structure(&[
    Member::required("packageName", &ANY_TEXT),
    Member::required("ecosystem", &ANY_TEXT),
    Member::required("version", &ANY_TEXT),
    Member::required("isOrdered", &SWITCH),
]);
static PULLS: Shape = Shape::Structure(&[
    Member::optional("day", &ANY_TEXT),
    Member::optional("imageTag", &ANY_TEXT),
    Member::optional("imageDigest", &ANY_TEXT),
    Member::optional("platform", &ANY_TEXT),
    Member::optional("network", &ANY_TEXT),
    Member::required("pulls", &Shape::Long(Range::ANY.min(0))),
]);
static TAG_MOVE: Shape = Shape::Structure(&[
    Member::required("movedAt", &TIME),
    Member::required("imageTag", &ANY_TEXT),
    Member::optional("imageDigest", &ANY_TEXT),
    Member::optional("previousImageDigest", &ANY_TEXT),
    Member::required("movedBy", &ANY_TEXT),
]);
static EVENT: Shape = Shape::Structure(&[
    Member::required("occurredAt", &TIME),
    Member::required("eventKind", &ANY_TEXT),
    Member::required("detail", &ANY_TEXT),
]);
static ORIGINS_REQUEST: Shape = Shape::Structure(&[
    Member::optional("registryId", &ACCOUNT),
    Member::required("repositoryName", &REPOSITORY),
    Member::required("imageId", &IMAGE),
    Member::optional("nextToken", &TOKEN),
    Member::optional("maxResults", &PAGE),
]);
static ORIGINS: Shape = Shape::Structure(&[
    Member::required("imageDigest", &ANY_TEXT),
    Member::required("scanStatus", &ANY_TEXT),
    Member::required("scanDescription", &ANY_TEXT),
    Member::optional("baseImage", &BASE),
    Member::required("layers", &Shape::List { member: &LAYER, length: Length::ANY }),
    Member::required("findings", &Shape::List { member: &FINDING, length: Length::ANY }),
    Member::optional("nextToken", &TOKEN),
]);
static BASE: Shape = Shape::Structure(&[
    Member::required("knownBy", &Shape::String(Text::ANY.values(&["annotation", "layers"]))),
    Member::optional("imageName", &ANY_TEXT),
    Member::optional("imageDigest", &ANY_TEXT),
    Member::optional("repositoryName", &ANY_TEXT),
    Member::required("imageTags", &TEXTS),
    Member::optional("layerCount", &COUNT),
]);
static LAYER: Shape = Shape::Structure(&[
    Member::required("layerDigest", &ANY_TEXT),
    Member::optional("command", &ANY_TEXT),
]);
static FINDING: Shape = Shape::Structure(&[
    Member::required("findingName", &ANY_TEXT),
    Member::required("severity", &ANY_TEXT),
    Member::required("findingStatus", &ANY_TEXT),
    Member::required(
        "vulnerablePackages",
        &Shape::List { member: &VULNERABLE_PACKAGE, length: Length::ANY },
    ),
]);
static VULNERABLE_PACKAGE: Shape = Shape::Structure(&[
    Member::required("packageName", &ANY_TEXT),
    Member::required("version", &ANY_TEXT),
    Member::optional("fixedVersion", &ANY_TEXT),
    Member::optional("layerDigest", &ANY_TEXT),
    Member::optional("layerIndex", &COUNT),
    Member::optional("isBase", &SWITCH),
]);

/// What each operation does, and the actions that it takes.
pub static ABOUT: &[(&str, &str, &[&str])] = &[
    (
        "AttachImageSbom",
        "Writes the bill of materials of an image that was scanned and attaches it to the image as a referrer. The same bill is attached once.",
        &["tonnage:AttachImageSbom", "ecr:PutImage"],
    ),
    (
        "CreateImageShare",
        "Makes a user name and a password with which somebody without an account pulls one private image for a while. A tag is followed to the image that it names now. See [image shares](../image-shares.md).",
        &["tonnage:CreateImageShare", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    ),
    (
        "DeleteVexDocument",
        "Removes a VEX document of the registry.",
        &["tonnage:DeleteVexDocument"],
    ),
    (
        "DescribeFindingOrigins",
        "Tells what the newest scan of an image found, which layer brought it and whether that came with the image it was built on. The commands of layers are told to those who may read the image. See [scanning](../scanning.md).",
        &["ecr:DescribeImageScanFindings"],
    ),
    (
        "FindImages",
        "Finds the images of the registry that have a package, the newest first. Repositories that policies deny are left out; a page may have fewer images than were asked for although there are more.",
        &["tonnage:FindImages"],
    ),
    (
        "GetImageSbom",
        "Writes the bill of materials of an image that was scanned.",
        &["tonnage:GetImageSbom"],
    ),
    (
        "GetPublicRepositorySettings",
        "Tells whether tags of a public repository may move, and whether its images are scanned.",
        &["tonnage:GetPublicRepositorySettings"],
    ),
    (
        "GetPullStatistics",
        "Tells how often a public repository was pulled: every count, the last day first, or with `groupBy` the sums of one kind, the largest first. See [public registries](../public.md).",
        &["tonnage:GetPullStatistics"],
    ),
    (
        "GetSbomConfiguration",
        "Tells which bills of materials are attached to images that are pushed.",
        &["tonnage:GetSbomConfiguration"],
    ),
    ("GetVexDocument", "Reads a VEX document of the registry.", &["tonnage:GetVexDocument"]),
    (
        "ListImageShares",
        "Lists the shares of a repository, the newest first: those that are good, and those that ended in the last thirty days.",
        &["tonnage:ListImageShares"],
    ),
    (
        "ListPublicDomains",
        "Lists the domains of the caller's public registry, with what proves them.",
        &["tonnage:ListPublicDomains"],
    ),
    (
        "ListTagHistory",
        "Lists every move of the tags of a repository, the last one first.",
        &["tonnage:ListTagHistory"],
    ),
    ("ListVexDocuments", "Lists the VEX documents of the registry.", &["tonnage:ListVexDocuments"]),
    (
        "ProvePublicDomain",
        "Says what proves a domain of the caller's public registry, and has it looked for.",
        &["tonnage:ProvePublicDomain"],
    ),
    (
        "PutPublicRepositorySettings",
        "Sets whether tags of a public repository may move, and whether its images are scanned. What is left out stays.",
        &["tonnage:PutPublicRepositorySettings"],
    ),
    (
        "PutSbomConfiguration",
        "Sets which bills of materials are attached to images that are pushed.",
        &["tonnage:PutSbomConfiguration"],
    ),
    (
        "PutSparseManifests",
        "Sets whether manifests of a repository may refer to what it does not hold.",
        &["tonnage:PutSparseManifests"],
    ),
    (
        "PutVexDocument",
        "Puts a document of OpenVEX or CSAF in the place of one of the same name; all findings of the registry are judged anew.",
        &["tonnage:PutVexDocument"],
    ),
    (
        "RemovePublicDomain",
        "Removes a domain from the caller's public registry.",
        &["tonnage:RemovePublicDomain"],
    ),
    (
        "RenameRepository",
        "Gives a repository another name in its registry; everything in it stays.",
        &["tonnage:RenameRepository", "ecr:CreateRepository"],
    ),
    ("RevokeImageShare", "Ends a share at once.", &["tonnage:RevokeImageShare"]),
    (
        "SearchEvents",
        "Finds what happened in the registry, the newest first. A page may have fewer events than were asked for, or none, and still a token.",
        &["tonnage:SearchEvents"],
    ),
];

/// What each member means, wherever it stands; by name.
pub static MEMBERS: &[(&str, &str)] = &[
    ("artifactMediaType", "The artifact type of the referrer."),
    ("baseImage", "What the image was built on, if that is known."),
    ("checkedAt", "When the proof was last looked for."),
    ("command", "The command that made the layer."),
    ("createdAt", "When it was made."),
    ("createdBy", "The ARN of whoever made it."),
    ("day", "The day in UTC, as `2026-01-31`."),
    ("days", "How many days, the one under way among them; 30 when absent."),
    ("detail", "The `detail` of ECR's event, as a text of JSON."),
    ("document", "The document: JSON."),
    ("documentDigest", "The digest of its text."),
    ("documentMediaType", "Its media type."),
    ("documentName", "Its name in the registry: letters, digits, `.`, `_` and `-`."),
    ("domain", "The domain, in ASCII."),
    ("domainStatus", "Whether it is proven."),
    ("domains", "In the order in which they were asked for."),
    (
        "ecosystem",
        "The ecosystem of the package, with its release (`Debian:12`) or without (`npm`).",
    ),
    ("endTime", "Not after."),
    ("eventKind", "What happened, such as `image-pushed`."),
    ("events", "The events."),
    ("expiresAt", "When it ends."),
    ("fileLine", "The line that the file has to have."),
    ("fileUrl", "Where the proof is looked for."),
    ("filter", "Tags, with `*` for anything."),
    ("filterType", "How the filter is read."),
    ("findingName", "The flaw."),
    ("findingStatus", "`ACTIVE`, or `SUPPRESSED` where it does not count."),
    ("findings", "The worst first."),
    ("fixedVersion", "The first version without the flaw."),
    ("format", "How the bill is written."),
    ("formats", "How bills are written; none where nothing is attached."),
    ("groupBy", "What is added up; every count by itself when absent."),
    ("imageDigest", "The digest of the image."),
    ("imageId", "The image, by its digest, its tag or both."),
    ("imageName", "The name of the image, as the one built on it says it."),
    ("imagePushedAt", "When it was pushed."),
    ("imageShare", "The share."),
    ("imageShares", "The newest first."),
    ("imageStatus", "Whether it can be pulled: `ACTIVE`, `ARCHIVED` or `ACTIVATING`."),
    ("imageTag", "A tag; absent where only the digest is known."),
    ("imageTagMutability", "Whether a push may make a tag name another image."),
    ("imageTagMutabilityExclusionFilters", "Tags for which the opposite holds."),
    ("imageTags", "Its tags."),
    ("images", "The newest first."),
    ("indexDigests", "The indexes that it is in."),
    ("isBase", "Whether the layer is one of the base; absent where nobody knows."),
    ("isNew", "Whether it was not there before."),
    (
        "isOrdered",
        "False for what the ecosystem would not take for a version, so that it was not compared.",
    ),
    (
        "knownBy",
        "`annotation` where the image says so, `layers` where it begins with those of that image.",
    ),
    ("lastPulledAt", "When it, or an index that it is in, was last pulled."),
    ("lastUsedAt", "When it was last used."),
    ("layerCount", "How many of the layers are the base's own."),
    ("layerDigest", "The digest of the layer."),
    ("layerIndex", "The position of the layer that brought it, from 0."),
    ("layers", "The layers, the lowest first."),
    ("maxResults", "How many items a page has at most; 100 when absent."),
    ("maxUses", "How often it may be pulled; any number when absent."),
    ("movedAt", "When."),
    ("movedBy", "The ARN of whoever moved it."),
    ("network", "The network of the clients: 24 bits of IPv4, 48 of IPv6; kept for 90 days."),
    ("newRepositoryName", "The name it gets."),
    ("nextToken", "Where an earlier answer left off; in an answer, there may be more."),
    ("occurredAt", "When."),
    (
        "packageName",
        "The name of the package; where a system knows source packages, the source package.",
    ),
    ("packages", "The package, in each version that the image has."),
    ("password", "The password. It is told once."),
    ("platform", "The platform, where it is known."),
    ("previousImageDigest", "What the tag named before."),
    ("problem", "Why the proof was not seen."),
    ("publicDomain", "The domain."),
    ("pullCounts", "The counts."),
    ("pulledSince", "Only images that were pulled since."),
    ("pulls", "How often."),
    ("recordName", "The name whose text record proves it too."),
    ("recordText", "That text."),
    ("referrerDigest", "The digest of the manifest that has the bill."),
    (
        "registryId",
        "The account of the registry; the caller's when absent. For public registries, an alias too.",
    ),
    ("repositoryFilters", "Repositories, with `*` for anything; all of them when absent."),
    ("repositoryName", "The repository."),
    ("repositoryPrefix", "Only repositories whose names begin so."),
    ("scanDescription", "Why, in a sentence."),
    ("scanOnPush", "Whether images are scanned, and findings shown to everybody."),
    ("scanStatus", "Where the scan stands."),
    ("severity", "How bad it is."),
    ("shareId", "The share's id."),
    ("shareStatus", "Whether it is good, or why it is not."),
    ("sparseManifests", "Whether they may; as the server says when absent."),
    ("startTime", "Not before."),
    ("statementCount", "How many statements are understood."),
    ("tagMoves", "The moves."),
    ("updatedAt", "When it was put."),
    ("userName", "The user name that goes with the password."),
    ("uses", "How often it was pulled."),
    ("validForSeconds", "How long it is good, in seconds: from one minute to seven days."),
    ("version", "The version."),
    ("versionAtLeast", "Only this version and those after it, in the order of the ecosystem."),
    ("versionBelow", "Only versions before this one."),
    ("vexDocument", "What is known of the document."),
    ("vexDocuments", "By name."),
    ("vulnerablePackages", "The packages that have the flaw."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(shape: &'static Shape, into: &mut BTreeSet<&'static str>) {
        match shape {
            Shape::Structure(members) => {
                for member in *members {
                    into.insert(member.name);
                    names(member.shape, into);
                }
            }
            Shape::List { member, .. } => names(member, into),
            Shape::Map { value, .. } => names(value, into),
            Shape::String(text) => {
                assert!(text.pattern.is_none_or(Pattern::compiles));
            }
            _ => {}
        }
    }

    #[test]
    fn every_operation_and_member_is_told_and_no_other() {
        let operations: Vec<&str> = SERVICE.operation_names().collect();
        assert!(operations.is_sorted());
        assert_eq!(ABOUT.iter().map(|row| row.0).collect::<Vec<_>>(), operations);
        let mut found = BTreeSet::new();
        for operation in SERVICE.operations {
            names(operation.input, &mut found);
            operation.output.iter().for_each(|output| names(output, &mut found));
        }
        assert_eq!(MEMBERS.iter().map(|row| row.0).collect::<Vec<_>>(), Vec::from_iter(found));
    }
}
