//! The races of policies, account settings, identities and the blobs of a repository.

use tonnage_domain::blobs::delete_blob::DeleteBlob;
use tonnage_domain::identities::users::{CreateUser, DeleteUser};
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::names::AccountId;
use tonnage_domain::policies::account_limit::PutAccountLimit;
use tonnage_domain::policies::registry_policy::PutRegistryPolicy;
use tonnage_domain::policies::repository_policy::SetRepositoryPolicy;
use tonnage_domain::registries::account_settings::{AccountSettingValue, PutAccountSetting};

use super::table::{delete, race};
use super::world::OTHER_ACCOUNT;
use super::{Act, Race, act};

pub(super) fn races() -> Vec<Race> {
    vec![
        race(repository_policy(), repository_policy()),
        race(repository_policy(), delete("tagged", false)),
        race(lifecycle_policy(), lifecycle_policy()),
        race(lifecycle_policy(), delete("tagged", false)),
        race(registry_policy(), registry_policy()),
        race(account_limit(), account_limit()),
        race(account_setting(), account_setting()),
        race(create_user(), create_user()),
        race(create_user(), delete_user()),
        race(delete_blob(), delete("app", true)),
        race(delete_blob(), delete_blob()),
    ]
}

const REGISTRY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:ListImages","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/team/*"}]}"#;
const REPOSITORY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:ListImages"}]}"#;
const LIMIT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const LIFECYCLE_POLICY: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;

fn repository_policy() -> Act {
    act(|world| SetRepositoryPolicy {
        repository: world.tagged.clone(),
        text: REPOSITORY_POLICY.to_owned(),
        force: true,
    })
}

fn lifecycle_policy() -> Act {
    act(|world| PutLifecyclePolicy {
        repository: world.tagged.clone(),
        text: LIFECYCLE_POLICY.to_owned(),
    })
}

fn registry_policy() -> Act {
    act(|_| PutRegistryPolicy { text: REGISTRY_POLICY.to_owned() })
}

fn account_limit() -> Act {
    act(|world| PutAccountLimit {
        management_account: world.management,
        account: AccountId::parse(OTHER_ACCOUNT).unwrap(),
        text: LIMIT.to_owned(),
    })
}

fn account_setting() -> Act {
    act(|_| PutAccountSetting {
        setting: AccountSettingValue {
            name: "BLOB_MOUNTING".to_owned(),
            value: "ENABLED".to_owned(),
        },
    })
}

fn create_user() -> Act {
    act(|_| CreateUser { name: "ci".to_owned(), path: None, boundary: None, tags: Vec::new() })
}

fn delete_user() -> Act {
    act(|_| DeleteUser { name: "ci".to_owned() })
}

fn delete_blob() -> Act {
    act(|world| DeleteBlob { repository: world.app.clone(), digest: world.old.digest.clone() })
}
