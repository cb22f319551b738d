//! The rows of IAM and STS.

use secrecy::SecretString;
use tonnage_domain::identities::access_keys::operations::{
    CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, ListAccessKeys, UpdateAccessKey,
};
use tonnage_domain::identities::account::{
    CreateAccountAlias, DeleteAccountAlias, GetAccountAuthorizationDetails, GetAccountSummary,
    ListAccountAliases,
};
use tonnage_domain::identities::attachments::{
    AttachPolicy, Bounded, DeletePermissionsBoundary, DetachPolicy, ListAttachedPolicies,
    ListEntitiesForPolicy, PutPermissionsBoundary,
};
use tonnage_domain::identities::entities::tags::{self, ListTags, Tag, Taggable, Untag};
use tonnage_domain::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, GetGroup, ListGroups, ListGroupsForUser,
    RemoveUserFromGroup, UpdateGroup,
};
use tonnage_domain::identities::inline_policies::{
    self as inline, Group, Identity, InlinePolicy, Role, User,
};
use tonnage_domain::identities::instance_profiles::{
    AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, GetInstanceProfile,
    ListInstanceProfiles, ListInstanceProfilesForRole, RemoveRoleFromInstanceProfile,
};
use tonnage_domain::identities::login_profiles::{
    ChangePassword, CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, UpdateLoginProfile,
};
use tonnage_domain::identities::oidc_providers::{
    AddClientIdToOpenIdConnectProvider, CreateOpenIdConnectProvider, DeleteOpenIdConnectProvider,
    GetOpenIdConnectProvider, ListOpenIdConnectProviders, RemoveClientIdFromOpenIdConnectProvider,
    UpdateOpenIdConnectProviderThumbprint,
};
use tonnage_domain::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
    SetDefaultPolicyVersion,
};
use tonnage_domain::identities::policies::{
    CreatePolicy, DeletePolicy, GetPolicy, ListPolicies, PolicyScope,
};
use tonnage_domain::identities::roles::{
    CreateRole, DeleteRole, GetRole, ListRoles, UpdateAssumeRolePolicy, UpdateRole,
    UpdateRoleDescription,
};
use tonnage_domain::identities::sessions::assume_role::AssumeRole;
use tonnage_domain::identities::sessions::assume_role_with_web_identity::AssumeRoleWithWebIdentity;
use tonnage_domain::identities::sessions::decode_authorization_message::DecodeAuthorizationMessage;
use tonnage_domain::identities::sessions::get_access_key_info::GetAccessKeyInfo;
use tonnage_domain::identities::sessions::get_federation_token::GetFederationToken;
use tonnage_domain::identities::sessions::get_session_token::GetSessionToken;
use tonnage_domain::identities::simulation::{
    SimulateCustomPolicy, SimulatePrincipalPolicy, Simulation,
};
use tonnage_domain::identities::users::{
    self, CreateUser, CredentialKind, DeleteUser, GetUser, ListCredentials, ListUsers, UpdateUser,
};

use tonnage_domain::identities::web_identity::WebIdentity;

use super::Table;
use crate::registry::{page, resource_tags};

const POLICY: &str = "arn:aws:iam::123456789012:policy/team/push";
const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/issuer.example";

fn alice() -> String {
    "alice".to_owned()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(super) fn rows(table: &mut Table) {
    users(table);
    groups(table);
    roles(table);
    policies(table);
    providers(table);
    of_identity(table, User);
    of_identity(table, Group);
    of_identity(table, Role);
    bounded(table, User);
    bounded(table, Role);
    tagged(table, "alice", tags::User);
    tagged(table, "deploy", tags::Role);
    tagged(table, POLICY, tags::Policy);
    tagged(table, "machine", tags::InstanceProfile);
    tagged(table, PROVIDER, tags::OidcProvider);
    sessions(table);
}

fn users(table: &mut Table) {
    let tags = resource_tags(&[("team", "blue")]);
    let create = CreateUser { name: alice(), path: None, boundary: None, tags: vec![] };
    table.add("", &create);
    let path = some("/team/");
    table.add("with everything", &CreateUser { path, boundary: some(POLICY), tags, ..create });
    table.add("", &GetUser { name: some("alice") });
    table.add("the caller", &GetUser { name: None });
    let rename = UpdateUser { name: alice(), new_name: some("bob"), new_path: some("/other/") };
    table.add("name and path", &rename);
    table.add("", &DeleteUser { name: alice() });
    table.add("", &ListUsers { path_prefix: "/".to_owned(), page: page(None, 100) });
    let user_name = || some("alice");
    let id = || "AKIAIOSFODNN7EXAMPLE".to_owned();
    table.add("", &CreateAccessKey { user_name: user_name() });
    table.add("of the caller", &CreateAccessKey { user_name: None });
    table.add("", &UpdateAccessKey { user_name: user_name(), id: id(), active: false });
    table.add("", &DeleteAccessKey { user_name: user_name(), id: id() });
    table.add("", &ListAccessKeys { user_name: user_name(), page: page(None, 100) });
    table.add("", &GetAccessKeyLastUsed { id: id() });
    let password = || SecretString::from("Correct-horse-1".to_owned());
    let create =
        CreateLoginProfile { user_name: user_name(), password: password(), reset_required: false };
    table.add("", &create);
    table.add("", &GetLoginProfile { user_name: user_name() });
    let update =
        UpdateLoginProfile { user_name: alice(), password: None, reset_required: Some(true) };
    table.add("", &update);
    table.add("", &DeleteLoginProfile { user_name: user_name() });
    table.add("", &ChangePassword { old: password(), new: password() });
    credentials(table, users::MfaDevice);
    credentials(table, users::VirtualMfaDevice);
    credentials(table, users::SshPublicKey);
    credentials(table, users::ServiceSpecificCredential);
    credentials(table, users::SigningCertificate);
}

fn credentials<K: CredentialKind>(table: &mut Table, kind: K) {
    table.add("", &ListCredentials { name: some("alice"), kind });
}

fn groups(table: &mut Table) {
    let name = || "staff".to_owned();
    table.add("", &CreateGroup { name: name(), path: None });
    table.add("", &GetGroup { name: name(), page: page(None, 100) });
    table.add("", &UpdateGroup { name: name(), new_name: some("crew"), new_path: None });
    table.add("", &DeleteGroup { name: name() });
    table.add("", &ListGroups { path_prefix: "/".to_owned(), page: page(None, 100) });
    table.add("", &ListGroupsForUser { user_name: alice(), page: page(None, 100) });
    table.add("", &AddUserToGroup { group_name: name(), user_name: alice() });
    table.add("", &RemoveUserFromGroup { group_name: name(), user_name: alice() });
}

fn roles(table: &mut Table) {
    let name = || "deploy".to_owned();
    let create = CreateRole {
        name: name(),
        path: None,
        trust_policy: String::new(),
        description: String::new(),
        session_seconds_max: 3600,
        boundary: None,
        tags: resource_tags(&[("team", "blue")]),
    };
    table.add("with tags", &create);
    table.add("", &GetRole { name: name() });
    table.add("", &UpdateRole { name: name(), description: None, session_seconds_max: None });
    table.add("", &UpdateRoleDescription { name: name(), description: String::new() });
    table.add("", &UpdateAssumeRolePolicy { name: name(), trust_policy: String::new() });
    table.add("", &DeleteRole { name: name() });
    table.add("", &ListRoles { path_prefix: "/".to_owned(), page: page(None, 100) });
    let profile = || "machine".to_owned();
    table.add("", &CreateInstanceProfile { name: profile(), path: None, tags: vec![] });
    table.add("", &GetInstanceProfile { name: profile() });
    table.add("", &DeleteInstanceProfile { name: profile() });
    table.add("", &ListInstanceProfiles { path_prefix: "/".to_owned(), page: page(None, 100) });
    table.add("", &ListInstanceProfilesForRole { role_name: name(), page: page(None, 100) });
    table.add("", &AddRoleToInstanceProfile { name: profile(), role_name: name() });
    table.add("", &RemoveRoleFromInstanceProfile { name: profile(), role_name: name() });
}

fn policies(table: &mut Table) {
    let arn = || POLICY.to_owned();
    let create = CreatePolicy {
        name: "push".to_owned(),
        path: some("/team/"),
        document: String::new(),
        description: String::new(),
        tags: vec![],
    };
    table.add("", &create);
    table.add("", &GetPolicy { arn: arn() });
    table.add("", &DeletePolicy { arn: arn() });
    let list = ListPolicies {
        scope: PolicyScope::All,
        only_attached: false,
        path_prefix: "/".to_owned(),
        page: page(None, 100),
    };
    table.add("", &list);
    let document = String::new();
    table.add("", &CreatePolicyVersion { arn: arn(), document, set_as_default: true });
    let version_id = || "v1".to_owned();
    table.add("", &GetPolicyVersion { arn: arn(), version_id: version_id() });
    table.add("", &ListPolicyVersions { arn: arn() });
    table.add("", &DeletePolicyVersion { arn: arn(), version_id: version_id() });
    table.add("", &SetDefaultPolicyVersion { arn: arn(), version_id: version_id() });
    let entities = ListEntitiesForPolicy {
        policy_arn: arn(),
        kind: None,
        usage: None,
        path_prefix: "/".to_owned(),
        page: page(None, 100),
    };
    table.add("", &entities);
    table.add("", &SimulateCustomPolicy { simulation: Simulation::default() });
    let source_arn = "arn:aws:iam::123456789012:user/alice".to_owned();
    table.add("", &SimulatePrincipalPolicy { source_arn, simulation: Simulation::default() });
    table.add("", &CreateAccountAlias { alias: "team".to_owned() });
    table.add("", &DeleteAccountAlias { alias: "team".to_owned() });
    table.add("", &ListAccountAliases);
    table.add("", &GetAccountSummary);
    table.add("", &GetAccountAuthorizationDetails { kinds: vec![], page: page(None, 100) });
}

fn providers(table: &mut Table) {
    let arn = || PROVIDER.to_owned();
    let create = CreateOpenIdConnectProvider {
        url: "https://issuer.example".to_owned(),
        client_ids: vec![],
        thumbprints: vec![],
        tags: vec![],
    };
    table.add("", &create);
    table.add("", &GetOpenIdConnectProvider { arn: arn() });
    table.add("", &ListOpenIdConnectProviders);
    table.add("", &DeleteOpenIdConnectProvider { arn: arn() });
    table.add("", &UpdateOpenIdConnectProviderThumbprint { arn: arn(), thumbprints: vec![] });
    let client_id = || "client".to_owned();
    table.add("", &AddClientIdToOpenIdConnectProvider { arn: arn(), client_id: client_id() });
    table.add("", &RemoveClientIdFromOpenIdConnectProvider { arn: arn(), client_id: client_id() });
}

fn of_identity<K: Identity + Copy>(table: &mut Table, kind: K) {
    let name = || "name".to_owned();
    let policy_name = || "inline".to_owned();
    let policy = InlinePolicy { name: policy_name(), document: String::new() };
    let policy_arn = || POLICY.to_owned();
    table.add("", &inline::PutPolicy { name: name(), policy, kind });
    table.add("", &inline::GetPolicy { name: name(), policy_name: policy_name(), kind });
    table.add("", &inline::DeletePolicy { name: name(), policy_name: policy_name(), kind });
    table.add("", &inline::ListPolicies { name: name(), page: page(None, 100), kind });
    table.add("", &AttachPolicy { name: name(), policy_arn: policy_arn(), kind });
    table.add("", &DetachPolicy { name: name(), policy_arn: policy_arn(), kind });
    let path_prefix = "/".to_owned();
    table.add("", &ListAttachedPolicies { name: name(), path_prefix, page: page(None, 100), kind });
}

fn bounded<K: Bounded + Copy>(table: &mut Table, kind: K) {
    let name = || "name".to_owned();
    let policy_arn = POLICY.to_owned();
    table.add("", &PutPermissionsBoundary { name: name(), policy_arn, kind });
    table.add("", &DeletePermissionsBoundary { name: name(), kind });
}

fn tagged<K: Taggable + Copy>(table: &mut Table, name: &str, kind: K) {
    let name = || name.to_owned();
    let tags = resource_tags(&[("team", "blue")]);
    table.add("", &Tag { name: name(), tags, kind });
    table.add("", &Untag { name: name(), keys: vec!["team".to_owned()], kind });
    table.add("", &ListTags { name: name(), page: page(None, 100), kind });
}

fn sessions(table: &mut Table) {
    let assume = AssumeRole {
        role_arn: "arn:aws:iam::210987654321:role/deploy".to_owned(),
        session_name: "build".to_owned(),
        duration_seconds: None,
        policy: None,
        policy_arns: vec![],
        tags: vec![],
        transitive_tag_keys: vec![],
        external_id: None,
        source_identity: None,
    };
    table.add("", &assume);
    let everything = AssumeRole {
        tags: resource_tags(&[("team", "blue")]),
        transitive_tag_keys: vec!["team".to_owned()],
        external_id: some("42"),
        source_identity: some("alice"),
        ..assume
    };
    table.add("with everything", &everything);
    let with_token = AssumeRoleWithWebIdentity {
        role_arn: "arn:aws:iam::123456789012:role/deploy".to_owned(),
        session_name: "build".to_owned(),
        identity: WebIdentity {
            provider: "issuer.example".to_owned(),
            provider_arn: PROVIDER.to_owned(),
            subject: "repo:team/app".to_owned(),
            audience: "sts.amazonaws.com".to_owned(),
            ..WebIdentity::default()
        },
        duration_seconds: None,
        policy: None,
        policy_arns: vec![],
    };
    table.add("", &with_token);
    let everything = AssumeRoleWithWebIdentity {
        identity: WebIdentity {
            original_audience: vec!["first".to_owned()],
            methods: vec!["pwd".to_owned()],
            tags: resource_tags(&[("team", "blue")]),
            transitive_tag_keys: vec!["team".to_owned()],
            source_identity: some("alice"),
            ..with_token.identity.clone()
        },
        ..with_token
    };
    table.add("with everything", &everything);
    table.add("", &GetSessionToken { duration_seconds: None });
    let federate = GetFederationToken {
        name: "bob".to_owned(),
        duration_seconds: None,
        policy: None,
        policy_arns: vec![],
        tags: resource_tags(&[("team", "blue")]),
    };
    table.add("with tags", &federate);
    table.add("", &DecodeAuthorizationMessage { message: "none".to_owned() });
    table.add("", &GetAccessKeyInfo { access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned() });
}
