//! Managed policies and their versions.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
    SetDefaultPolicyVersion,
};
use tonnage_domain::identities::policies::{
    CreatePolicy, DeletePolicy, GetPolicy, ListPolicies, ManagedPolicy, PolicyScope,
};

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

fn with_tags(policy: &ManagedPolicy) -> Map<String, Value> {
    let mut members = output::policy(policy);
    members.insert("Tags".to_owned(), output::tags(&policy.tags));
    members
}

pub(super) async fn create_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreatePolicy {
        name: input.text("PolicyName")?,
        path: input.optional("Path"),
        document: input.text("PolicyDocument")?,
        description: input.optional("Description").unwrap_or_default(),
        tags: input.tags(),
    };
    let policy = call.execute(operation).await?;
    Ok(json!({"Policy": with_tags(&policy)}))
}

pub(super) async fn get_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let policy = call.execute(GetPolicy { arn: input.text("PolicyArn")? }).await?;
    Ok(json!({"Policy": with_tags(&policy)}))
}

pub(super) async fn delete_policy(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeletePolicy { arn: input.text("PolicyArn")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn list_policies(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let scope = match input.optional("Scope").as_deref() {
        Some("AWS") => PolicyScope::Aws,
        Some("Local") => PolicyScope::Local,
        _ => PolicyScope::All,
    };
    let operation = ListPolicies {
        scope,
        only_attached: input.flag("OnlyAttached").unwrap_or(false),
        path_prefix: input.optional("PathPrefix").unwrap_or_else(|| "/".to_owned()),
        page,
    };
    let policies = call.execute(operation).await?;
    let items = policies.items.iter().map(|policy| {
        let mut members = output::policy(policy);
        // Listings leave it out.
        members.remove("Description");
        Value::Object(members)
    });
    listing.answer(call, "Policies", items.collect(), policies.next).await
}

pub(super) async fn create_policy_version(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let operation = CreatePolicyVersion {
        arn: input.text("PolicyArn")?,
        document: input.text("PolicyDocument")?,
        set_as_default: input.flag("SetAsDefault").unwrap_or(false),
    };
    let version = call.execute(operation).await?;
    Ok(json!({"PolicyVersion": output::policy_version(&version, false)}))
}

pub(super) async fn get_policy_version(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (arn, version_id) = (input.text("PolicyArn")?, input.text("VersionId")?);
    let version = call.execute(GetPolicyVersion { arn, version_id }).await?;
    Ok(json!({"PolicyVersion": output::policy_version(&version, true)}))
}

pub(super) async fn list_policy_versions(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let versions = call.execute(ListPolicyVersions { arn: input.text("PolicyArn")? }).await?;
    let items: Value =
        versions.iter().map(|version| output::policy_version(version, false)).collect();
    Ok(json!({"Versions": items, "IsTruncated": false}))
}

pub(super) async fn delete_policy_version(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (arn, version_id) = (input.text("PolicyArn")?, input.text("VersionId")?);
    call.execute(DeletePolicyVersion { arn, version_id }).await?;
    Ok(output::nothing())
}

pub(super) async fn set_default_policy_version(call: &Call<'_>, mut input: Input) -> Result<Value> {
    let (arn, version_id) = (input.text("PolicyArn")?, input.text("VersionId")?);
    call.execute(SetDefaultPolicyVersion { arn, version_id }).await?;
    Ok(output::nothing())
}
