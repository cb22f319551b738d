//! The actions that `tonnage policy lint` knows, of every service that policies here may speak of.

use tonnage_api::aws::shapes::{ecr, ecr_public, secretsmanager};
use tonnage_policy::lint::KnownAction;

/// Actions of ECR that no operation of its API has (service authorization reference, Amazon ECR).
const ECR_PERMISSIONS_ONLY: &[&str] =
    &["BatchImportUpstreamImage", "GetImageCopyStatus", "ReplicateImage"];

/// Actions of ECR that act on no repository, so that only the resource `*` matches them.
const ECR_WITHOUT_RESOURCE: &[&str] = &[
    "CreatePullThroughCacheRule",
    "CreateRepositoryCreationTemplate",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepositoryCreationTemplate",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeReplicationBackfillResults",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetSigningConfiguration",
    "ListPullTimeUpdateExclusions",
    "ListReplicationBackfills",
    "PutAccountSetting",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "StartReplicationBackfill",
    "StopReplicationBackfill",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
    "ValidatePullThroughCacheRule",
];

/// Our own.
const TONNAGE: &[&str] = &[
    "CancelJob",
    "CreateAccount",
    "CreateBackup",
    "DecidePublicAlias",
    "DecidePublicDomain",
    "DeleteAccountLimit",
    "DescribeGarbageCollection",
    "DescribeJob",
    "DescribeReplication",
    "DescribeScrub",
    "ExplainPolicy",
    "GetAccountLimit",
    "GetImageSbom",
    "GetPublicRepositorySettings",
    "GetPullStatistics",
    "GetReplicationRefinements",
    "ListAccounts",
    "ListAdvisorySources",
    "ListJobs",
    "ListReplications",
    "ListPublicAliases",
    "ListPublicDomains",
    "ProvePublicDomain",
    "PutAccountLimit",
    "PutPublicRepositorySettings",
    "PutReplicationRefinements",
    "PutSparseManifests",
    "RemovePublicDomain",
    "RenameRepository",
    "RequestPublicAlias",
    "RetryJob",
    "RetryReplication",
    "RunGarbageCollection",
    "SetAccountState",
    "SetPrimaryPublicAlias",
    "StartScrub",
    "SyncAdvisories",
    "VerifyPublicRegistry",
];

/// Operations of botocore's `sts`, and its permission-only actions.
const STS: &[&str] = &[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetServiceBearerToken",
    "GetSessionToken",
    "GetWebIdentityToken",
    "SetContext",
    "SetSourceIdentity",
    "TagSession",
];

/// Operations of botocore's `signer`.
const SIGNER: &[&str] = &[
    "AddProfilePermission",
    "CancelSigningProfile",
    "DescribeSigningJob",
    "GetRevocationStatus",
    "GetSigningPlatform",
    "GetSigningProfile",
    "ListProfilePermissions",
    "ListSigningJobs",
    "ListSigningPlatforms",
    "ListSigningProfiles",
    "ListTagsForResource",
    "PutSigningProfile",
    "RemoveProfilePermission",
    "RevokeSignature",
    "RevokeSigningProfile",
    "SignPayload",
    "StartSigningJob",
    "TagResource",
    "UntagResource",
];

/// Operations of botocore's `iam`, and its permission-only action.
const IAM: &[&str] = &[
    "AcceptDelegationRequest",
    "AddClientIDToOpenIDConnectProvider",
    "AddRoleToInstanceProfile",
    "AddUserToGroup",
    "AssociateDelegationRequest",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "ChangePassword",
    "CreateAccessKey",
    "CreateAccountAlias",
    "CreateDelegationRequest",
    "CreateGroup",
    "CreateInstanceProfile",
    "CreateLoginProfile",
    "CreateOpenIDConnectProvider",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "CreateSAMLProvider",
    "CreateServiceLinkedRole",
    "CreateServiceSpecificCredential",
    "CreateUser",
    "CreateVirtualMFADevice",
    "DeactivateMFADevice",
    "DeleteAccessKey",
    "DeleteAccountAlias",
    "DeleteAccountPasswordPolicy",
    "DeleteGroup",
    "DeleteGroupPolicy",
    "DeleteInstanceProfile",
    "DeleteLoginProfile",
    "DeleteOpenIDConnectProvider",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteSAMLProvider",
    "DeleteSSHPublicKey",
    "DeleteServerCertificate",
    "DeleteServiceLinkedRole",
    "DeleteServiceSpecificCredential",
    "DeleteSigningCertificate",
    "DeleteUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DeleteVirtualMFADevice",
    "DetachGroupPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "DisableOrganizationsRootCredentialsManagement",
    "DisableOrganizationsRootSessions",
    "DisableOutboundWebIdentityFederation",
    "EnableMFADevice",
    "EnableOrganizationsRootCredentialsManagement",
    "EnableOrganizationsRootSessions",
    "EnableOutboundWebIdentityFederation",
    "GenerateCredentialReport",
    "GenerateOrganizationsAccessReport",
    "GenerateServiceLastAccessedDetails",
    "GetAccessKeyLastUsed",
    "GetAccountAuthorizationDetails",
    "GetAccountPasswordPolicy",
    "GetAccountSummary",
    "GetContextKeysForCustomPolicy",
    "GetContextKeysForPrincipalPolicy",
    "GetCredentialReport",
    "GetDelegationRequest",
    "GetGroup",
    "GetGroupPolicy",
    "GetHumanReadableSummary",
    "GetInstanceProfile",
    "GetLoginProfile",
    "GetMFADevice",
    "GetOpenIDConnectProvider",
    "GetOrganizationsAccessReport",
    "GetOutboundWebIdentityFederationInfo",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetSAMLProvider",
    "GetSSHPublicKey",
    "GetServerCertificate",
    "GetServiceLastAccessedDetails",
    "GetServiceLastAccessedDetailsWithEntities",
    "GetServiceLinkedRoleDeletionStatus",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAccountAliases",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListDelegationRequests",
    "ListEntitiesForPolicy",
    "ListGroupPolicies",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfileTags",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "ListMFADeviceTags",
    "ListMFADevices",
    "ListOpenIDConnectProviderTags",
    "ListOpenIDConnectProviders",
    "ListOrganizationsFeatures",
    "ListPolicies",
    "ListPoliciesGrantingServiceAccess",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoleTags",
    "ListRoles",
    "ListSAMLProviderTags",
    "ListSAMLProviders",
    "ListSSHPublicKeys",
    "ListServerCertificateTags",
    "ListServerCertificates",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListUserPolicies",
    "ListUserTags",
    "ListUsers",
    "ListVirtualMFADevices",
    "PassRole",
    "PutGroupPolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RejectDelegationRequest",
    "RemoveClientIDFromOpenIDConnectProvider",
    "RemoveRoleFromInstanceProfile",
    "RemoveUserFromGroup",
    "ResetServiceSpecificCredential",
    "ResyncMFADevice",
    "SendDelegationToken",
    "SetDefaultPolicyVersion",
    "SetSecurityTokenServicePreferences",
    "SimulateCustomPolicy",
    "SimulatePrincipalPolicy",
    "TagInstanceProfile",
    "TagMFADevice",
    "TagOpenIDConnectProvider",
    "TagPolicy",
    "TagRole",
    "TagSAMLProvider",
    "TagServerCertificate",
    "TagUser",
    "UntagInstanceProfile",
    "UntagMFADevice",
    "UntagOpenIDConnectProvider",
    "UntagPolicy",
    "UntagRole",
    "UntagSAMLProvider",
    "UntagServerCertificate",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAccountPasswordPolicy",
    "UpdateAssumeRolePolicy",
    "UpdateDelegationRequest",
    "UpdateGroup",
    "UpdateLoginProfile",
    "UpdateOpenIDConnectProviderThumbprint",
    "UpdateRole",
    "UpdateRoleDescription",
    "UpdateSAMLProvider",
    "UpdateSSHPublicKey",
    "UpdateServerCertificate",
    "UpdateServiceSpecificCredential",
    "UpdateSigningCertificate",
    "UpdateUser",
    "UploadSSHPublicKey",
    "UploadServerCertificate",
    "UploadSigningCertificate",
];

/// Every known action.
pub(super) fn known() -> Vec<KnownAction> {
    let mut known = Vec::new();
    let mut add = |service: &'static str, names: &mut dyn Iterator<Item = &'static str>| {
        known.extend(names.map(|name| KnownAction {
            service,
            name,
            without_resource: match service {
                "ecr" => ECR_WITHOUT_RESOURCE.contains(&name),
                "ecr-public" => name == "GetAuthorizationToken",
                _ => false,
            },
        }));
    };
    add("ecr", &mut ecr::SERVICE.operation_names());
    add("ecr", &mut ECR_PERMISSIONS_ONLY.iter().copied());
    add("ecr-public", &mut ecr_public::SERVICE.operation_names());
    add("sts", &mut STS.iter().copied());
    add("iam", &mut IAM.iter().copied());
    add("secretsmanager", &mut secretsmanager::SERVICE.operation_names());
    add("signer", &mut SIGNER.iter().copied());
    add("tonnage", &mut TONNAGE.iter().copied());
    known
}

#[cfg(test)]
mod tests {
    use tonnage_domain::execute::Service;
    use tonnage_domain::operations::OPERATIONS;

    use super::*;

    #[test]
    fn every_served_operation_is_known_and_nothing_is_listed_for_nothing() {
        let known = known();
        let has = |service: &str, name: &str| {
            known.iter().any(|action| action.service == service && action.name == name)
        };
        for entry in OPERATIONS.iter().filter(|entry| entry.service != Service::Tonnage) {
            assert!(has(entry.service.as_str(), entry.name), "{entry:?}");
        }
        for name in TONNAGE {
            let served = OPERATIONS
                .iter()
                .any(|entry| entry.service == Service::Tonnage && entry.name == *name);
            assert!(served, "{name}");
        }
        for name in ECR_WITHOUT_RESOURCE {
            assert!(has("ecr", name), "{name}");
        }
    }
}
