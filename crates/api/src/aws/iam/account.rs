//! The account: its alias, its numbers, and everything in it.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::account::{
    CreateAccountAlias, DeleteAccountAlias, Detail, DetailKind, GetAccountAuthorizationDetails,
    GetAccountSummary, ListAccountAliases,
};
use tonnage_domain::identities::inline_policies::InlinePolicy;

use super::input::Input;
use super::output;
use crate::aws::Call;
use crate::aws::error::Result;

pub(super) async fn create_account_alias(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(CreateAccountAlias { alias: input.text("AccountAlias")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn delete_account_alias(call: &Call<'_>, mut input: Input) -> Result<Value> {
    call.execute(DeleteAccountAlias { alias: input.text("AccountAlias")? }).await?;
    Ok(output::nothing())
}

pub(super) async fn list_account_aliases(call: &Call<'_>, _input: Input) -> Result<Value> {
    let alias = call.execute(ListAccountAliases).await?;
    Ok(json!({"AccountAliases": alias.into_iter().collect::<Vec<_>>(), "IsTruncated": false}))
}

pub(super) async fn get_account_summary(call: &Call<'_>, _input: Input) -> Result<Value> {
    let numbers = call.execute(GetAccountSummary).await?;
    let map: Map<String, Value> =
        numbers.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
    Ok(json!({"SummaryMap": map}))
}

fn inline(policies: &[InlinePolicy]) -> Value {
    policies
        .iter()
        .map(|policy| {
            json!({
                "PolicyName": policy.name,
                "PolicyDocument": output::document(&policy.document),
            })
        })
        .collect()
}

pub(super) async fn get_account_authorization_details(
    call: &Call<'_>,
    mut input: Input,
) -> Result<Value> {
    let (page, listing) = input.page(call).await?;
    let filter = input.list("Filter");
    let kinds = filter.iter().map(|kind| match kind.as_str() {
        "User" => DetailKind::User,
        "Group" => DetailKind::Group,
        "Role" => DetailKind::Role,
        "AWSManagedPolicy" => DetailKind::AwsPolicy,
        _ => DetailKind::LocalPolicy,
    });
    let operation = GetAccountAuthorizationDetails { kinds: kinds.collect(), page };
    let details = call.execute(operation).await?;
    let (mut users, mut groups, mut roles, mut policies) = (vec![], vec![], vec![], vec![]);
    for detail in &details.items {
        match detail {
            Detail::User(user, own, attached, names) => {
                let mut members = output::user(user);
                members.insert("UserPolicyList".to_owned(), inline(own));
                members.insert("GroupList".to_owned(), names.as_slice().into());
                members.insert("AttachedManagedPolicies".to_owned(), output::attached(attached));
                users.push(members);
            }
            Detail::Group(group, own, attached) => {
                let mut members = output::entity(group);
                members.insert("GroupPolicyList".to_owned(), inline(own));
                members.insert("AttachedManagedPolicies".to_owned(), output::attached(attached));
                groups.push(members);
            }
            Detail::Role(role, own, attached, profiles) => {
                let mut members = output::role(role);
                members.remove("Description");
                members.remove("MaxSessionDuration");
                let profiles: Value = profiles
                    .iter()
                    .map(|profile| Value::Object(output::instance_profile(profile)))
                    .collect();
                members.insert("InstanceProfileList".to_owned(), profiles);
                members.insert("RolePolicyList".to_owned(), inline(own));
                members.insert("AttachedManagedPolicies".to_owned(), output::attached(attached));
                roles.push(members);
            }
            Detail::Policy(policy, versions) => {
                let mut members = output::policy(policy);
                let versions: Value =
                    versions.iter().map(|version| output::policy_version(version, true)).collect();
                members.insert("PolicyVersionList".to_owned(), versions);
                policies.push(members);
            }
        }
    }
    let lists = [
        ("UserDetailList".to_owned(), users.into()),
        ("GroupDetailList".to_owned(), groups.into()),
        ("RoleDetailList".to_owned(), roles.into()),
        ("Policies".to_owned(), policies.into()),
    ];
    listing.end(call, lists.into_iter().collect(), details.next).await
}
