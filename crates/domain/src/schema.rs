//! The schema as a list of migrations, applied in order by the store when it opens.

/// One step of the schema. An applied migration never changes.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number. No other has it; numbers may leave gaps.
    pub version: i64,
    /// Its name, as in the file name.
    pub name: &'static str,
    /// Statements, separated by `;`, in the types BIGINT, TEXT and BYTEA.
    pub sql: &'static str,
}

/// Every migration, in the order in which a new database gets them. One that is missing in a database
/// with younger ones is applied all the same.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "foundation",
        sql: include_str!("../migrations/0001_foundation.sql"),
    },
    Migration { version: 3, name: "scrub", sql: include_str!("../migrations/0003_scrub.sql") },
    Migration { version: 20, name: "jobs", sql: include_str!("../migrations/0020_jobs.sql") },
    Migration {
        version: 21,
        name: "lifecycle",
        sql: include_str!("../migrations/0021_lifecycle.sql"),
    },
    Migration {
        version: 15,
        name: "resource_policies",
        sql: include_str!("../migrations/0015_resource_policies.sql"),
    },
    Migration {
        version: 10,
        name: "identities",
        sql: include_str!("../migrations/0010_identities.sql"),
    },
    Migration {
        version: 25,
        name: "registry_settings",
        sql: include_str!("../migrations/0025_registry_settings.sql"),
    },
    Migration {
        version: 30,
        name: "sparse_manifests",
        sql: include_str!("../migrations/0030_sparse_manifests.sql"),
    },
    Migration {
        version: 31,
        name: "sparse_repositories",
        sql: include_str!("../migrations/0031_sparse_repositories.sql"),
    },
    Migration { version: 41, name: "denials", sql: include_str!("../migrations/0041_denials.sql") },
    Migration { version: 46, name: "archive", sql: include_str!("../migrations/0046_archive.sql") },
    Migration {
        version: 40,
        name: "trusted_principals",
        sql: include_str!("../migrations/0040_trusted_principals.sql"),
    },
    Migration { version: 55, name: "signing", sql: include_str!("../migrations/0055_signing.sql") },
    Migration { version: 60, name: "secrets", sql: include_str!("../migrations/0060_secrets.sql") },
    Migration {
        version: 65,
        name: "pull_through",
        sql: include_str!("../migrations/0065_pull_through.sql"),
    },
    Migration {
        version: 66,
        name: "upstream_images",
        sql: include_str!("../migrations/0066_upstream_images.sql"),
    },
    Migration {
        version: 70,
        name: "replication",
        sql: include_str!("../migrations/0070_replication.sql"),
    },
    Migration {
        version: 72,
        name: "replicated_settings",
        sql: include_str!("../migrations/0072_replicated_settings.sql"),
    },
    Migration {
        version: 73,
        name: "replication_lag",
        sql: include_str!("../migrations/0073_replication_lag.sql"),
    },
    Migration { version: 80, name: "public", sql: include_str!("../migrations/0080_public.sql") },
    Migration {
        version: 90,
        name: "advisories",
        sql: include_str!("../migrations/0090_advisories.sql"),
    },
    Migration {
        version: 91,
        name: "advisory_entries",
        sql: include_str!("../migrations/0091_advisory_entries.sql"),
    },
    Migration { version: 92, name: "flaws", sql: include_str!("../migrations/0092_flaws.sql") },
    Migration {
        version: 93,
        name: "scanning",
        sql: include_str!("../migrations/0093_scanning.sql"),
    },
    Migration {
        version: 94,
        name: "finding_filters",
        sql: include_str!("../migrations/0094_finding_filters.sql"),
    },
    Migration {
        version: 95,
        name: "advisory_changes_seen",
        sql: include_str!("../migrations/0095_advisory_changes_seen.sql"),
    },
    Migration { version: 98, name: "gallery", sql: include_str!("../migrations/0098_gallery.sql") },
    Migration {
        version: 99,
        name: "public_pulls",
        sql: include_str!("../migrations/0099_public_pulls.sql"),
    },
    Migration {
        version: 100,
        name: "console_sessions",
        sql: include_str!("../migrations/0100_console_sessions.sql"),
    },
    Migration {
        version: 101,
        name: "packages_by_name",
        sql: include_str!("../migrations/0101_packages_by_name.sql"),
    },
    Migration {
        version: 102,
        name: "vex_documents",
        sql: include_str!("../migrations/0102_vex_documents.sql"),
    },
    Migration {
        version: 103,
        name: "scanned_architecture",
        sql: include_str!("../migrations/0103_scanned_architecture.sql"),
    },
    Migration {
        version: 104,
        name: "records_by_account",
        sql: include_str!("../migrations/0104_records_by_account.sql"),
    },
    Migration {
        version: 105,
        name: "federated_sessions",
        sql: include_str!("../migrations/0105_federated_sessions.sql"),
    },
    Migration {
        version: 107,
        name: "lifecycle_effects",
        sql: include_str!("../migrations/0107_lifecycle_effects.sql"),
    },
    Migration {
        version: 108,
        name: "activity",
        sql: include_str!("../migrations/0108_activity.sql"),
    },
    Migration {
        version: 109,
        name: "tag_history_pages",
        sql: include_str!("../migrations/0109_tag_history_pages.sql"),
    },
    Migration {
        version: 110,
        name: "image_shares",
        sql: include_str!("../migrations/0110_image_shares.sql"),
    },
    Migration {
        version: 111,
        name: "recent_public_pulls",
        sql: include_str!("../migrations/0111_recent_public_pulls.sql"),
    },
    Migration {
        version: 112,
        name: "public_pull_networks",
        sql: include_str!("../migrations/0112_public_pull_networks.sql"),
    },
    Migration {
        version: 113,
        name: "gallery_order",
        sql: include_str!("../migrations/0113_gallery_order.sql"),
    },
    Migration {
        version: 114,
        name: "access_details",
        sql: include_str!("../migrations/0114_access_details.sql"),
    },
    Migration {
        version: 115,
        name: "console_roles",
        sql: include_str!("../migrations/0115_console_roles.sql"),
    },
    Migration {
        version: 116,
        name: "settled_packages",
        sql: include_str!("../migrations/0116_settled_packages.sql"),
    },
    Migration {
        version: 117,
        name: "scan_again",
        sql: include_str!("../migrations/0117_scan_again.sql"),
    },
    Migration {
        version: 118,
        name: "scans_and_advisories",
        sql: include_str!("../migrations/0118_scans_and_advisories.sql"),
    },
    Migration {
        version: 119,
        name: "end_of_history",
        sql: include_str!("../migrations/0119_end_of_history.sql"),
    },
    Migration {
        version: 121,
        name: "image_lists",
        sql: include_str!("../migrations/0121_image_lists.sql"),
    },
];
