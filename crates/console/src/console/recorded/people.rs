//! Of people and what they may do: IAM.

use serde_json::{Map, Value, json};
use tonnage_domain::identities::access_keys::operations::{
    CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys, UpdateAccessKey,
};
use tonnage_domain::identities::attachments::{
    AttachPolicy, DetachPolicy, ListAttachedPolicies, ListEntitiesForPolicy,
};
use tonnage_domain::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, ListGroupsForUser,
    RemoveUserFromGroup,
};
use tonnage_domain::identities::inline_policies::{self as inline, Identity, PutPolicy};
use tonnage_domain::identities::login_profiles::{
    ChangePassword, CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, UpdateLoginProfile,
};
use tonnage_domain::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
    SetDefaultPolicyVersion,
};
use tonnage_domain::identities::policies::{CreatePolicy, DeletePolicy, GetPolicy, ListPolicies};
use tonnage_domain::identities::roles::{
    CreateRole, DeleteRole, GetRole, ListRoles, UpdateAssumeRolePolicy,
};
use tonnage_domain::identities::users::{CreateUser, DeleteUser, GetUser, ListUsers};

use super::{Recorded, changes, reads};

reads! {
    GetAccessKeyLastUsed,
    GetGroup,
    GetLoginProfile,
    GetPolicy,
    GetPolicyVersion,
    GetRole,
    GetUser,
    ListAccessKeys,
    ListEntitiesForPolicy,
    ListGroups,
    ListGroupsForUser,
    ListPolicies,
    ListPolicyVersions,
    ListRoles,
    ListUsers,
}

changes! {
    AddUserToGroup: |it| { "groupName": it.group_name, "userName": it.user_name };
    ChangePassword: |_it| { "oldPassword": "", "newPassword": "" };
    CreateAccessKey: |it| { "userName": it.user_name };
    CreateGroup: |it| { "groupName": it.name, "path": it.path };
    CreateLoginProfile: |it| {
        "userName": it.user_name,
        "password": "",
        "passwordResetRequired": it.reset_required,
    };
    CreatePolicy: |it| {
        "policyName": it.name,
        "path": it.path,
        "policyDocument": it.document,
        "description": text(&it.description),
    };
    CreatePolicyVersion: |it| {
        "policyArn": it.arn,
        "policyDocument": it.document,
        "setAsDefault": it.set_as_default,
    };
    CreateRole: |it| {
        "roleName": it.name,
        "path": it.path,
        "assumeRolePolicyDocument": it.trust_policy,
        "description": text(&it.description),
        "maxSessionDuration": it.session_seconds_max,
        "permissionsBoundary": it.boundary,
    };
    CreateUser: |it| {
        "userName": it.name,
        "path": it.path,
        "permissionsBoundary": it.boundary,
    };
    DeleteAccessKey: |it| { "userName": it.user_name, "accessKeyId": it.id };
    DeleteGroup: |it| { "groupName": it.name };
    DeleteLoginProfile: |it| { "userName": it.user_name };
    DeletePolicy: |it| { "policyArn": it.arn };
    DeletePolicyVersion: |it| { "policyArn": it.arn, "versionId": it.version_id };
    DeleteRole: |it| { "roleName": it.name };
    DeleteUser: |it| { "userName": it.name };
    RemoveUserFromGroup: |it| { "groupName": it.group_name, "userName": it.user_name };
    SetDefaultPolicyVersion: |it| { "policyArn": it.arn, "versionId": it.version_id };
    UpdateAccessKey: |it| {
        "userName": it.user_name,
        "accessKeyId": it.id,
        "status": if it.active { "Active" } else { "Inactive" },
    };
    UpdateAssumeRolePolicy: |it| { "roleName": it.name, "policyDocument": it.trust_policy };
    UpdateLoginProfile: |it| {
        "userName": it.user_name,
        "password": it.password.as_ref().map(|_| ""),
        "passwordResetRequired": it.reset_required,
    };
}

/// A text that may be empty, which is as if it were not said.
fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// `userName` and so on, and what follows.
fn of<K: Identity>(name: &str, others: &[(&str, &str)]) -> Option<Value> {
    let own = [(format!("{}Name", K::KIND.as_str()), Value::from(name))];
    let others = others.iter().map(|(member, value)| ((*member).to_owned(), Value::from(*value)));
    Some(Value::Object(own.into_iter().chain(others).collect::<Map<_, _>>()))
}

impl<K: Identity> Recorded for ListAttachedPolicies<K> {}
impl<K: Identity> Recorded for inline::GetPolicy<K> {}
impl<K: Identity> Recorded for inline::ListPolicies<K> {}

impl<K: Identity> Recorded for AttachPolicy<K> {
    fn parameters(&self) -> Option<Value> {
        of::<K>(&self.name, &[("policyArn", &self.policy_arn)])
    }
}

impl<K: Identity> Recorded for DetachPolicy<K> {
    fn parameters(&self) -> Option<Value> {
        of::<K>(&self.name, &[("policyArn", &self.policy_arn)])
    }
}

impl<K: Identity> Recorded for PutPolicy<K> {
    fn parameters(&self) -> Option<Value> {
        let (name, document) = (&self.policy.name, &self.policy.document);
        of::<K>(&self.name, &[("policyName", name), ("policyDocument", document)])
    }
}

impl<K: Identity> Recorded for inline::DeletePolicy<K> {
    fn parameters(&self) -> Option<Value> {
        of::<K>(&self.name, &[("policyName", &self.policy_name)])
    }
}
