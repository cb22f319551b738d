//! AWS IAM, version 2010-05-08, over AWS Query.
//!
//! Every operation is one function: it decodes its own wire shape, runs one operation of the domain
//! and encodes what that gives back. Shapes were validated before.

mod access_keys;
mod account;
mod attachments;
mod groups;
mod inline_policies;
pub(super) mod input;
mod instance_profiles;
mod kinds;
mod login_profiles;
mod oidc_providers;
pub(super) mod output;
mod policies;
mod roles;
mod simulation;
mod tags;
mod users;

use std::sync::Arc;

use http::request::Parts;
use tonnage_domain::app::App;
use tonnage_domain::audit::parameters::RequestInput;
use tonnage_domain::execute::not_served;
use tonnage_domain::identities::entities::tags as tagged;
use tonnage_domain::identities::inline_policies::{Group, Role, User};
use tonnage_domain::identities::users as credentials;
use tonnage_domain::uploads::BodyStream;

use self::input::Input;
use super::error::{Failure, Result};
use super::query::{self, Parameters};
use super::{BODY_BYTES_MAX, Call, authenticated, shapes};
use crate::Arrival;
use crate::request::Response;

pub(super) use shapes::iam::SERVICE;

/// The namespace of every answer.
pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Answers a request of AWS Query that was signed for IAM.
pub(super) async fn handle(
    app: &Arc<App>,
    parts: &Parts,
    body: BodyStream,
    arrival: &Arrival,
) -> Result<Response> {
    let (body, mut context) =
        authenticated(app, parts, body, arrival, SERVICE.signing_name, BODY_BYTES_MAX).await?;
    let parameters = Parameters::read(parts.uri.query(), &body);
    let action = parameters.get("Action").unwrap_or_default();
    let operation = SERVICE.find(action).ok_or_else(|| query::unknown_operation(&parameters))?;
    if !SERVED.contains(&operation.name) {
        return Err(not_served(SERVICE.signing_name, operation.name).into());
    }
    let document = parameters.document(operation.input)?;
    shapes::validate(operation.input, &document)
        .map_err(|failure| Failure::from((SERVICE.style, failure)))?;
    context.input = Some(Arc::new(RequestInput::document(document.clone())));
    let call = Call { app, context, arrival };
    let output = run(operation.name, &call, Input::new(operation.name, document)).await?;
    query::answer(operation, &output, NAMESPACE, &arrival.request_id)
}

query::operations! {
    "AddClientIDToOpenIDConnectProvider" => oidc_providers::add_client_id,
    "AddRoleToInstanceProfile" => instance_profiles::add_role_to_instance_profile,
    "AddUserToGroup" => groups::add_user_to_group,
    "AttachGroupPolicy" => attachments::attach::<Group>,
    "AttachRolePolicy" => attachments::attach::<Role>,
    "AttachUserPolicy" => attachments::attach::<User>,
    "ChangePassword" => login_profiles::change_password,
    "CreateAccessKey" => access_keys::create_access_key,
    "CreateAccountAlias" => account::create_account_alias,
    "CreateGroup" => groups::create_group,
    "CreateInstanceProfile" => instance_profiles::create_instance_profile,
    "CreateLoginProfile" => login_profiles::create_login_profile,
    "CreateOpenIDConnectProvider" => oidc_providers::create,
    "CreatePolicy" => policies::create_policy,
    "CreatePolicyVersion" => policies::create_policy_version,
    "CreateRole" => roles::create_role,
    "CreateUser" => users::create_user,
    "DeleteAccessKey" => access_keys::delete_access_key,
    "DeleteAccountAlias" => account::delete_account_alias,
    "DeleteGroup" => groups::delete_group,
    "DeleteGroupPolicy" => inline_policies::delete::<Group>,
    "DeleteInstanceProfile" => instance_profiles::delete_instance_profile,
    "DeleteLoginProfile" => login_profiles::delete_login_profile,
    "DeleteOpenIDConnectProvider" => oidc_providers::delete,
    "DeletePolicy" => policies::delete_policy,
    "DeletePolicyVersion" => policies::delete_policy_version,
    "DeleteRole" => roles::delete_role,
    "DeleteRolePermissionsBoundary" => attachments::delete_boundary::<Role>,
    "DeleteRolePolicy" => inline_policies::delete::<Role>,
    "DeleteUser" => users::delete_user,
    "DeleteUserPermissionsBoundary" => attachments::delete_boundary::<User>,
    "DeleteUserPolicy" => inline_policies::delete::<User>,
    "DetachGroupPolicy" => attachments::detach::<Group>,
    "DetachRolePolicy" => attachments::detach::<Role>,
    "DetachUserPolicy" => attachments::detach::<User>,
    "GetAccessKeyLastUsed" => access_keys::get_access_key_last_used,
    "GetAccountAuthorizationDetails" => account::get_account_authorization_details,
    "GetAccountSummary" => account::get_account_summary,
    "GetGroup" => groups::get_group,
    "GetGroupPolicy" => inline_policies::get::<Group>,
    "GetInstanceProfile" => instance_profiles::get_instance_profile,
    "GetLoginProfile" => login_profiles::get_login_profile,
    "GetOpenIDConnectProvider" => oidc_providers::get,
    "GetPolicy" => policies::get_policy,
    "GetPolicyVersion" => policies::get_policy_version,
    "GetRole" => roles::get_role,
    "GetRolePolicy" => inline_policies::get::<Role>,
    "GetUser" => users::get_user,
    "GetUserPolicy" => inline_policies::get::<User>,
    "ListAccessKeys" => access_keys::list_access_keys,
    "ListAccountAliases" => account::list_account_aliases,
    "ListAttachedGroupPolicies" => attachments::list::<Group>,
    "ListAttachedRolePolicies" => attachments::list::<Role>,
    "ListAttachedUserPolicies" => attachments::list::<User>,
    "ListEntitiesForPolicy" => attachments::list_entities,
    "ListGroupPolicies" => inline_policies::list::<Group>,
    "ListGroups" => groups::list_groups,
    "ListGroupsForUser" => groups::list_groups_for_user,
    "ListInstanceProfileTags" => tags::list::<tagged::InstanceProfile>,
    "ListInstanceProfiles" => instance_profiles::list_instance_profiles,
    "ListInstanceProfilesForRole" => instance_profiles::list_instance_profiles_for_role,
    "ListMFADevices" => users::list_credentials::<credentials::MfaDevice>,
    "ListOpenIDConnectProviderTags" => tags::list::<tagged::OidcProvider>,
    "ListOpenIDConnectProviders" => oidc_providers::list_open_id_connect_providers,
    "ListPolicies" => policies::list_policies,
    "ListPolicyTags" => tags::list::<tagged::Policy>,
    "ListPolicyVersions" => policies::list_policy_versions,
    "ListRolePolicies" => inline_policies::list::<Role>,
    "ListRoleTags" => tags::list::<tagged::Role>,
    "ListRoles" => roles::list_roles,
    "ListSSHPublicKeys" => users::list_credentials::<credentials::SshPublicKey>,
    "ListServiceSpecificCredentials" => users::list_credentials::<credentials::ServiceSpecificCredential>,
    "ListSigningCertificates" => users::list_credentials::<credentials::SigningCertificate>,
    "ListUserPolicies" => inline_policies::list::<User>,
    "ListUserTags" => tags::list::<tagged::User>,
    "ListUsers" => users::list_users,
    "ListVirtualMFADevices" => users::list_credentials::<credentials::VirtualMfaDevice>,
    "PutGroupPolicy" => inline_policies::put::<Group>,
    "PutRolePermissionsBoundary" => attachments::put_boundary::<Role>,
    "PutRolePolicy" => inline_policies::put::<Role>,
    "PutUserPermissionsBoundary" => attachments::put_boundary::<User>,
    "PutUserPolicy" => inline_policies::put::<User>,
    "RemoveClientIDFromOpenIDConnectProvider" => oidc_providers::remove_client_id,
    "RemoveRoleFromInstanceProfile" => instance_profiles::remove_role_from_instance_profile,
    "RemoveUserFromGroup" => groups::remove_user_from_group,
    "SetDefaultPolicyVersion" => policies::set_default_policy_version,
    "SimulateCustomPolicy" => simulation::simulate_custom_policy,
    "SimulatePrincipalPolicy" => simulation::simulate_principal_policy,
    "TagInstanceProfile" => tags::tag::<tagged::InstanceProfile>,
    "TagOpenIDConnectProvider" => tags::tag::<tagged::OidcProvider>,
    "TagPolicy" => tags::tag::<tagged::Policy>,
    "TagRole" => tags::tag::<tagged::Role>,
    "TagUser" => tags::tag::<tagged::User>,
    "UntagInstanceProfile" => tags::untag::<tagged::InstanceProfile>,
    "UntagOpenIDConnectProvider" => tags::untag::<tagged::OidcProvider>,
    "UntagPolicy" => tags::untag::<tagged::Policy>,
    "UntagRole" => tags::untag::<tagged::Role>,
    "UntagUser" => tags::untag::<tagged::User>,
    "UpdateAccessKey" => access_keys::update_access_key,
    "UpdateAssumeRolePolicy" => roles::update_assume_role_policy,
    "UpdateGroup" => groups::update_group,
    "UpdateLoginProfile" => login_profiles::update_login_profile,
    "UpdateOpenIDConnectProviderThumbprint" => oidc_providers::update_thumbprint,
    "UpdateRole" => roles::update_role,
    "UpdateRoleDescription" => roles::update_role_description,
    "UpdateUser" => users::update_user,
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_operation_of_the_domain_is_served_and_no_other() {
        let domain: Vec<&str> = OPERATIONS
            .iter()
            .filter(|entry| entry.service == Service::Iam)
            .map(|entry| entry.name)
            .collect();
        assert_eq!(SERVED, domain);
    }

    #[test]
    fn every_served_operation_is_of_the_model() {
        for name in SERVED {
            assert!(SERVICE.find(name).is_some(), "{name}");
        }
    }
}
