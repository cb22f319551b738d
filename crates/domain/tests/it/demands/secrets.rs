//! The rows of AWS Secrets Manager.

use secrecy::SecretString;
use tonnage_domain::secrets::Value;
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::delete_secret::DeleteSecret;
use tonnage_domain::secrets::describe_secret::DescribeSecret;
use tonnage_domain::secrets::get_secret_value::GetSecretValue;
use tonnage_domain::secrets::list_secret_version_ids::ListSecretVersionIds;
use tonnage_domain::secrets::list_secrets::{ListSecrets, SortBy};
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::secrets::resource_policy::{DeleteSecretPolicy, GetSecretPolicy};
use tonnage_domain::secrets::restore_secret::RestoreSecret;
use tonnage_domain::secrets::tags::{TagSecret, UntagSecret};
use tonnage_domain::secrets::update_secret::UpdateSecret;
use tonnage_domain::secrets::update_secret_version_stage::UpdateSecretVersionStage;

use super::Table;
use crate::registry::{page, resource_tags};
use crate::secrets::{create, id, token};

pub(super) fn add(table: &mut Table) {
    let tags = resource_tags(&[("env", "prod")]);
    table.add("", &create("team/app", "text"));
    let description = Some("words".to_owned());
    let with_tags = CreateSecret {
        tags: tags.clone(),
        description: description.clone(),
        ..create("team/app", "text")
    };
    table.add("with tags and description", &with_tags);
    let id = || id("team/app");
    let value = || Value::Text(SecretString::from("text"));
    let token = || Some(token("text"));
    table.add("", &PutSecretValue { id: id(), value: value(), token: token(), stages: Vec::new() });
    table.add("description", &UpdateSecret { id: id(), description, value: None, token: None });
    table.add("", &UpdateSecret { id: id(), description: None, value: None, token: None });
    table.add("", &GetSecretValue { id: id(), version_id: None, stage: None });
    table.add("version", &GetSecretValue { id: id(), version_id: token(), stage: None });
    let stage = || "AWSPENDING".to_owned();
    table.add("label", &GetSecretValue { id: id(), version_id: None, stage: Some(stage()) });
    table.add("", &DescribeSecret { id: id() });
    table.add("", &DeleteSecret { id: id(), days: Some(7), force: false });
    table.add("with force", &DeleteSecret { id: id(), days: None, force: true });
    table.add("", &RestoreSecret { id: id() });
    table.add("", &TagSecret { id: id(), tags });
    table.add("", &UntagSecret { id: id(), keys: vec!["env".to_owned()] });
    table.add("", &GetSecretPolicy { id: id() });
    table.add("", &DeleteSecretPolicy { id: id() });
    let relabel =
        UpdateSecretVersionStage { id: id(), stage: stage(), remove_from: None, move_to: token() };
    table.add("", &relabel);
    let versions =
        ListSecretVersionIds { id: id(), include_deprecated: false, page: page(None, 1) };
    table.add("", &versions);
    let list = ListSecrets {
        include_deleted: false,
        filters: Vec::new(),
        sort_by: SortBy::Name,
        descending: false,
        page: page(None, 1),
    };
    table.add("", &list);
}
