//! Rows against rows. The database holds foreign keys while it runs; a back-up that was put
//! together by hand, or a damaged file, does not.

use super::{Finding, Problem, Report};
use crate::error::Result;
use crate::execute::Tx;

/// A column that refers to another table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The table that refers.
    pub table: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The table referred to.
    pub to: &'static str,
    /// Counts rows that refer to nothing.
    sql: &'static str,
}

macro_rules! reference {
    ($table:literal . $column:literal => $to:literal . $key:literal) => {
        Reference {
            table: $table,
            column: $column,
            to: $to,
            sql: concat!(
                "SELECT COUNT(*) FROM ",
                $table,
                " WHERE ",
                $table,
                ".",
                $column,
                " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ",
                $to,
                " AS referred WHERE referred.",
                $key,
                " = ",
                $table,
                ".",
                $column,
                ")"
            ),
        }
    };
}

const REFERENCES: &[Reference] = &[
    reference!("principals"."account_id" => "accounts"."id"),
    reference!("principal_policies"."principal_id" => "principals"."id"),
    reference!("access_keys"."principal_id" => "principals"."id"),
    reference!("registries"."account_id" => "accounts"."id"),
    reference!("account_limits"."account_id" => "accounts"."id"),
    reference!("registry_documents"."registry_id" => "registries"."id"),
    reference!("registry_policies"."registry_id" => "registries"."id"),
    reference!("repository_creation_templates"."registry_id" => "registries"."id"),
    reference!("pull_time_exclusions"."registry_id" => "registries"."id"),
    reference!("pull_through_cache_rules"."registry_id" => "registries"."id"),
    reference!("repositories"."registry_id" => "registries"."id"),
    reference!("repository_policies"."repository_id" => "repositories"."id"),
    reference!("resource_tags"."repository_id" => "repositories"."id"),
    reference!("encryption_domains"."account_id" => "accounts"."id"),
    reference!("blobs"."encryption_domain_id" => "encryption_domains"."id"),
    reference!("repository_blobs"."repository_id" => "repositories"."id"),
    reference!("repository_blobs"."blob_id" => "blobs"."id"),
    reference!("images"."repository_id" => "repositories"."id"),
    reference!("image_blobs"."image_id" => "images"."id"),
    Reference {
        table: "image_blobs",
        column: "blob_id",
        to: "repository_blobs",
        sql: "SELECT COUNT(*) FROM image_blobs WHERE blob_id IS NOT NULL AND NOT EXISTS \
              (SELECT 1 FROM repository_blobs \
              WHERE repository_blobs.repository_id = image_blobs.repository_id \
              AND repository_blobs.blob_id = image_blobs.blob_id)",
    },
    reference!("image_children"."image_id" => "images"."id"),
    reference!("image_children"."child_image_id" => "images"."id"),
    reference!("tags"."repository_id" => "repositories"."id"),
    reference!("tags"."image_id" => "images"."id"),
    reference!("replication_queue"."repository_id" => "repositories"."id"),
    reference!("replications"."image_id" => "images"."id"),
    reference!("replicated_settings"."repository_id" => "repositories"."id"),
    reference!("image_signatures"."image_id" => "images"."id"),
    reference!("arriving_images"."image_id" => "images"."id"),
    reference!("layer_indexes"."blob_id" => "blobs"."id"),
    reference!("image_scans"."image_id" => "images"."id"),
    Reference {
        table: "image_findings",
        column: "scan_type",
        to: "image_scans",
        sql: "SELECT COUNT(*) FROM image_findings WHERE NOT EXISTS \
              (SELECT 1 FROM image_scans WHERE image_scans.image_id = image_findings.image_id \
              AND image_scans.scan_type = image_findings.scan_type)",
    },
    reference!("closed_findings"."image_id" => "images"."id"),
    reference!("finding_filters"."registry_id" => "registries"."id"),
    reference!("vex_documents"."registry_id" => "registries"."id"),
    reference!("image_packages"."image_id" => "images"."id"),
    reference!("image_packages"."package_version_id" => "package_versions"."id"),
    reference!("signing_authorities"."account_id" => "accounts"."id"),
    reference!("signing_profiles"."account_id" => "accounts"."id"),
    reference!("secrets"."account_id" => "accounts"."id"),
    reference!("secret_versions"."secret_id" => "secrets"."id"),
    Reference {
        table: "secret_stages",
        column: "version_id",
        to: "secret_versions",
        sql: "SELECT COUNT(*) FROM secret_stages WHERE NOT EXISTS \
              (SELECT 1 FROM secret_versions \
              WHERE secret_versions.secret_id = secret_stages.secret_id \
              AND secret_versions.version_id = secret_stages.version_id)",
    },
    reference!("advisories"."source" => "advisory_sources"."name"),
    reference!("advisory_cves"."advisory_id" => "advisories"."id"),
    reference!("advisory_entries"."advisory_id" => "advisories"."id"),
    reference!("flaw_records"."source" => "advisory_sources"."name"),
    reference!("replication_backfills"."registry_id" => "registries"."id"),
    reference!("replication_backfill_results"."backfill_id" => "replication_backfills"."id"),
    reference!("image_shares"."repository_id" => "repositories"."id"),
    reference!("uploads"."repository_id" => "repositories"."id"),
    reference!("lifecycle_policies"."repository_id" => "repositories"."id"),
    reference!("lifecycle_expired_subjects"."repository_id" => "repositories"."id"),
    reference!("lifecycle_previews"."repository_id" => "repositories"."id"),
    reference!("iam_entities"."account_id" => "accounts"."id"),
    reference!("iam_tags"."entity_id" => "iam_entities"."id"),
    reference!("iam_memberships"."group_id" => "iam_entities"."id"),
    reference!("iam_memberships"."user_id" => "iam_entities"."id"),
    reference!("iam_inline_policies"."entity_id" => "iam_entities"."id"),
    reference!("iam_policies"."policy_id" => "iam_entities"."id"),
    reference!("iam_policy_versions"."policy_id" => "iam_entities"."id"),
    reference!("iam_attachments"."entity_id" => "iam_entities"."id"),
    reference!("iam_boundaries"."entity_id" => "iam_entities"."id"),
    reference!("iam_roles"."role_id" => "iam_entities"."id"),
    reference!("iam_instance_profile_roles"."instance_profile_id" => "iam_entities"."id"),
    reference!("iam_instance_profile_roles"."role_id" => "iam_entities"."id"),
    reference!("iam_oidc_providers"."provider_id" => "iam_entities"."id"),
    reference!("iam_login_profiles"."user_id" => "iam_entities"."id"),
    reference!("iam_account_aliases"."account_id" => "accounts"."id"),
    reference!("public_aliases"."registry_id" => "registries"."id"),
    reference!("public_catalog_data"."repository_id" => "repositories"."id"),
    reference!("access_key_uses"."access_key_id" => "access_keys"."id"),
];

/// What no foreign key says: a sentence, and the count of rows that contradict it.
const AGREEMENTS: &[(&str, &str)] = &[
    (
        "users and roles are principals under the same id and ARN",
        "SELECT COUNT(*) FROM iam_entities WHERE kind IN ('user', 'role') AND NOT EXISTS \
         (SELECT 1 FROM principals WHERE principals.id = iam_entities.id \
         AND principals.arn = iam_entities.arn)",
    ),
    (
        "a tag names an image of its own repository",
        "SELECT COUNT(*) FROM tags JOIN images ON images.id = tags.image_id \
         WHERE images.repository_id <> tags.repository_id",
    ),
    (
        "an index refers to images of its own repository, by their digests",
        "SELECT COUNT(*) FROM image_children \
         JOIN images AS parents ON parents.id = image_children.image_id \
         JOIN images AS children ON children.id = image_children.child_image_id \
         WHERE parents.repository_id <> children.repository_id \
         OR children.digest <> image_children.digest",
    ),
    (
        "an image refers to blobs of its own repository, by their digests",
        "SELECT COUNT(*) FROM image_blobs JOIN images ON images.id = image_blobs.image_id \
         JOIN blobs ON blobs.id = image_blobs.blob_id \
         WHERE images.repository_id <> image_blobs.repository_id \
         OR blobs.digest <> image_blobs.digest",
    ),
    (
        "a repository holds blobs of its own account",
        "SELECT COUNT(*) FROM repository_blobs \
         JOIN repositories ON repositories.id = repository_blobs.repository_id \
         JOIN registries ON registries.id = repositories.registry_id \
         JOIN blobs ON blobs.id = repository_blobs.blob_id \
         JOIN encryption_domains ON encryption_domains.id = blobs.encryption_domain_id \
         WHERE encryption_domains.account_id <> registries.account_id",
    ),
];

/// Every column that is examined. The schema's foreign keys are all among them.
pub fn references() -> impl Iterator<Item = &'static Reference> {
    REFERENCES.iter()
}

pub(super) async fn examine(tx: &mut Tx, report: &mut Report) -> Result<()> {
    for Reference { table, column, to, sql } in REFERENCES {
        let rows = count(tx, sql).await?;
        if rows > 0 {
            report.add(finding(
                Problem::Reference,
                format!("{table}.{column}"),
                format!("{rows} rows refer to rows of {to} that do not exist"),
            ));
        }
    }
    for (sentence, sql) in AGREEMENTS {
        let rows = count(tx, sql).await?;
        if rows > 0 {
            let detail = format!("{rows} rows contradict it");
            report.add(finding(Problem::Disagreement, (*sentence).to_owned(), detail));
        }
    }
    Ok(())
}

fn finding(problem: Problem, subject: String, detail: String) -> Finding {
    Finding { problem, subject, detail, images: Vec::new(), images_omitted: 0, repair: None }
}

async fn count(tx: &mut Tx, sql: &'static str) -> Result<u64> {
    Ok(tx.optional(sql, &[]).await?.map_or(Ok(0), |row| row.get(0))?)
}
