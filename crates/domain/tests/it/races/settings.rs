//! The races of the settings of a registry.

use std::collections::BTreeMap;

use tonnage_domain::inspector::criteria::Criteria;
use tonnage_domain::inspector::filters::{CreateFilter, FilterAction};
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, RegisterPullTimeUpdateExclusion,
};
use tonnage_domain::replication::backfills::start_replication_backfill::StartReplicationBackfill;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule,
};
use tonnage_domain::repositories::TagMutabilityRule;
use tonnage_domain::scanning::RegistryScanningConfiguration;
use tonnage_domain::scanning::put_image_scanning_configuration::PutImageScanningConfiguration;
use tonnage_domain::scanning::registry_scanning_configuration::PutRegistryScanningConfiguration;
use tonnage_domain::signing::configuration::SigningConfiguration;
use tonnage_domain::signing::delete_signing_configuration::DeleteSigningConfiguration;
use tonnage_domain::signing::profiles::PLATFORM;
use tonnage_domain::signing::profiles::put_signing_profile::PutSigningProfile;
use tonnage_domain::signing::put_signing_configuration::PutSigningConfiguration;
use tonnage_domain::templates::create::CreateRepositoryCreationTemplate;
use tonnage_domain::templates::delete::DeleteRepositoryCreationTemplate;
use tonnage_domain::templates::update::{TemplateChanges, UpdateRepositoryCreationTemplate};
use tonnage_domain::templates::{AppliedFor, TemplatePrefix, TemplateSettings};

use super::table::{app, delete, initiate, put, race, second};
use super::{Act, Race, act};
use crate::registry::{ACCOUNT, create_repository};

pub(super) fn races() -> Vec<Race> {
    vec![
        race(scan_on_push("app"), delete("app", true)),
        race(registry_scanning(), registry_scanning()),
        race(replication(), replication()),
        race(signing_profile(), signing_profile()),
        race(finding_filter(), finding_filter()),
        race(signing_rules(), no_signing_rules()),
        race(start_backfill(), start_backfill()),
        race(start_backfill(), no_replication()),
        race(exclude(), exclude()),
        race(exclude(), include()),
        race(create_rule("mirror"), create_rule("mirror")),
        race(create_rule("mirror"), delete_rule()),
        race(create_rule("ROOT"), put(app, second, Some("v2"))),
        race(create_rule("ROOT"), initiate()),
        race(create_template(), create_template()),
        race(create_template(), update_template()),
        race(create_template(), delete_template()),
    ]
}

fn scan_on_push(name: &'static str) -> Act {
    act(move |_| PutImageScanningConfiguration {
        registry_id: None,
        name: create_repository(name).name,
        scan_on_push: true,
    })
}

fn registry_scanning() -> Act {
    act(|_| PutRegistryScanningConfiguration {
        configuration: RegistryScanningConfiguration::default(),
    })
}

fn signing_profile() -> Act {
    act(|_| PutSigningProfile {
        name: "release".to_owned(),
        platform: PLATFORM.to_owned(),
        tags: BTreeMap::new(),
    })
}

fn finding_filter() -> Act {
    act(|_| CreateFilter {
        name: "noise".to_owned(),
        action: FilterAction::Suppress,
        description: None,
        reason: None,
        criteria: Criteria::default(),
        tags: BTreeMap::new(),
    })
}

fn signing_rules() -> Act {
    act(|_| PutSigningConfiguration { configuration: SigningConfiguration::default() })
}

fn no_signing_rules() -> Act {
    act(|_| DeleteSigningConfiguration)
}

fn destination() -> ReplicationDestination {
    ReplicationDestination { region: "eu-west-1".to_owned(), account: ACCOUNT.to_owned() }
}

fn replication() -> Act {
    act(|_| PutReplicationConfiguration {
        configuration: ReplicationConfiguration {
            rules: vec![ReplicationRule {
                destinations: vec![destination()],
                prefixes: Vec::new(),
                delete_replication: None,
            }],
        },
    })
}

fn no_replication() -> Act {
    act(|_| PutReplicationConfiguration { configuration: ReplicationConfiguration::default() })
}

fn start_backfill() -> Act {
    act(|_| StartReplicationBackfill { destination: destination() })
}

fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/ci")
}

fn exclude() -> Act {
    act(|_| RegisterPullTimeUpdateExclusion { principal_arn: role() })
}

fn include() -> Act {
    act(|_| DeregisterPullTimeUpdateExclusion { principal_arn: role() })
}

fn create_rule(prefix: &'static str) -> Act {
    act(move |_| CreatePullThroughCacheRule {
        registry_id: None,
        prefix: prefix.to_owned(),
        upstream_url: "quay.io".to_owned(),
        upstream_registry: None,
        upstream_prefix: None,
        credential_arn: None,
        custom_role_arn: None,
    })
}

fn delete_rule() -> Act {
    act(|_| DeletePullThroughCacheRule { registry_id: None, prefix: "mirror".to_owned() })
}

fn prefix() -> TemplatePrefix {
    TemplatePrefix::new("team")
}

fn create_template() -> Act {
    act(|_| CreateRepositoryCreationTemplate {
        prefix: prefix(),
        settings: TemplateSettings {
            description: None,
            resource_tags: Vec::new(),
            tag_mutability: TagMutabilityRule::default(),
            repository_policy: None,
            lifecycle_policy: None,
            applied_for: vec![AppliedFor::CreateOnPush],
            custom_role_arn: None,
        },
    })
}

fn update_template() -> Act {
    act(|_| UpdateRepositoryCreationTemplate {
        prefix: prefix(),
        changes: TemplateChanges {
            description: Some("changed".to_owned()),
            ..TemplateChanges::default()
        },
    })
}

fn delete_template() -> Act {
    act(|_| DeleteRepositoryCreationTemplate { prefix: prefix() })
}
