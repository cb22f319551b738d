//! Users.

use super::entities::{self, Entity, EntityKind, New, tags};
use super::policies::{all_of, creation};
use super::{IamOperation, attachments, inline_policies};
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::names::{Arn, Partition};
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::resource_tags::ResourceTag;

const KIND: EntityKind = EntityKind::User;

/// A user with what answers show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub entity: Entity,
    /// The ARN of its boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
}

pub(crate) async fn describe(tx: &mut Tx, entity: Entity) -> Result<User> {
    let boundary = attachments::boundary(tx, entity.id).await?;
    let tags = tags::list(tx, entity.id).await?;
    Ok(User { entity, boundary, tags })
}

/// The name of the user that a principal is.
pub(crate) fn name_of(principal: &Principal) -> Option<&str> {
    match principal.kind {
        PrincipalKind::User => principal.arn.rsplit('/').next(),
        _ => None,
    }
}

/// The named user, or the caller when none is named.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] when none is named and the caller is not a user.
pub(crate) fn named_or_caller<'a>(
    name: Option<&'a str>,
    context: &'a RequestContext,
) -> Result<&'a str> {
    name.or_else(|| name_of(&context.principal)).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "Must specify userName when calling with non-User credentials",
        )
    })
}

/// The resource of the named user or of the caller.
pub(crate) fn resource(name: Option<&str>, context: &RequestContext) -> Resource {
    match named_or_caller(name, context) {
        Ok(name) => KIND.resource(context, name),
        Err(_) => {
            Resource::Arn { arn: context.principal.arn.clone(), account: context.principal.account }
        }
    }
}

/// Creates a user.
#[derive(Clone, Debug)]
pub struct CreateUser {
    /// 1 to 64 characters.
    pub name: String,
    /// `/` when absent.
    pub path: Option<String>,
    /// The ARN of a managed policy.
    pub boundary: Option<String>,
    /// At most 50.
    pub tags: Vec<ResourceTag>,
}

impl IamOperation for CreateUser {
    const ACTION: &'static str = "iam:CreateUser";
    type Output = User;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let path = self.path.as_deref().unwrap_or("/");
        let resource = KIND.resource_at(context, Some(path), &self.name);
        let mut demands = creation(Self::ACTION, "iam:TagUser", resource, &self.tags);
        for demand in &mut demands {
            let boundary = self.boundary.iter().cloned().collect::<Vec<_>>();
            demand.keys.push(("iam:PermissionsBoundary".to_owned(), boundary));
        }
        demands
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<User> {
        let path = self.path.as_deref().unwrap_or("/");
        let new = New { kind: KIND, path, name: &self.name, description: "" };
        if let Some(arn) = &self.boundary {
            super::policies::find(tx, call, arn).await?;
        }
        let entity = entities::insert(tx, call, new).await?;
        tags::put(tx, entity.id, &self.tags).await?;
        if let Some(arn) = &self.boundary {
            attachments::set_boundary(tx, call, &entity, arn).await?;
        }
        describe(tx, entity).await
    }
}

/// Describes a user, the caller when none is named.
#[derive(Clone, Debug)]
pub struct GetUser {
    /// Its name.
    pub name: Option<String>,
}

impl IamOperation for GetUser {
    const ACTION: &'static str = "iam:GetUser";
    const CHANGES: bool = false;
    type Output = User;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<User> {
        let principal = &call.context.principal;
        if self.name.is_none() && principal.kind == PrincipalKind::Root {
            return root(tx, call).await;
        }
        let name = named_or_caller(self.name.as_deref(), call.context)?;
        let entity = entities::get(tx, call, KIND, name).await?;
        describe(tx, entity).await
    }
}

/// The root of the account as `GetUser` shows it: a user without a name, made with the account.
async fn root(tx: &mut Tx, call: &Call<'_>) -> Result<User> {
    let account = call.context.principal.account;
    let row = tx
        .optional("SELECT created_at FROM accounts WHERE id = $1", params![account.as_str()])
        .await?
        .ok_or_else(|| Error::internal("the caller's account is gone"))?;
    let partition = Partition::of(&call.context.region);
    Ok(User {
        entity: Entity {
            id: call.context.principal.id,
            account,
            kind: KIND,
            path: String::new(),
            name: String::new(),
            arn: Arn::account_root(partition, &account).as_str().to_owned(),
            unique_id: account.to_string(),
            description: String::new(),
            created_at: row.get(0)?,
            updated_at: row.get(0)?,
        },
        boundary: None,
        tags: Vec::new(),
    })
}

/// Gives a user another name or path. Policies that name its ARN do not follow.
#[derive(Clone, Debug)]
pub struct UpdateUser {
    /// Its name.
    pub name: String,
    /// Its new name.
    pub new_name: Option<String>,
    /// Its new path.
    pub new_path: Option<String>,
}

impl IamOperation for UpdateUser {
    const ACTION: &'static str = "iam:UpdateUser";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        renaming(Self::ACTION, KIND, &self.name, &self.new_name, &self.new_path, context)
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = entities::get(tx, call, KIND, &self.name).await?;
        entities::rename(tx, call, entity, self.new_name, self.new_path).await?;
        Ok(())
    }
}

/// Renaming demands the permission for both names (IAM user guide, "Rename an IAM user").
pub(crate) fn renaming(
    action: &'static str,
    kind: EntityKind,
    name: &str,
    new_name: &Option<String>,
    new_path: &Option<String>,
    context: &RequestContext,
) -> Vec<Demand> {
    let mut demands = vec![Demand::new(action, kind.resource(context, name))];
    if new_name.is_some() || new_path.is_some() {
        let new_name = new_name.as_deref().unwrap_or(name);
        let resource = kind.resource_at(context, new_path.as_deref(), new_name);
        demands.push(Demand::new(action, resource));
    }
    demands
}

/// Deletes a user that has nothing left: no keys, password, policies and groups.
#[derive(Clone, Debug)]
pub struct DeleteUser {
    /// Its name.
    pub name: String,
}

impl IamOperation for DeleteUser {
    const ACTION: &'static str = "iam:DeleteUser";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, KIND.resource(context, &self.name))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let user = entities::get(tx, call, KIND, &self.name).await?;
        let id = user.id;
        let used = tx
            .optional(
                "SELECT (SELECT COUNT(*) FROM access_keys WHERE principal_id = $1), \
                 (SELECT COUNT(*) FROM iam_login_profiles WHERE user_id = $1), \
                 (SELECT COUNT(*) FROM iam_memberships WHERE user_id = $1)",
                params![id],
            )
            .await?
            .ok_or_else(|| Error::internal("a count without a row"))?;
        if used.get::<i64>(0)? > 0 {
            return Err(entities::in_use("must delete access keys first."));
        }
        if used.get::<i64>(1)? > 0 {
            return Err(entities::in_use("must delete login profile first."));
        }
        if used.get::<i64>(2)? > 0 {
            return Err(entities::in_use("must remove users from group first."));
        }
        refuse_policies(tx, id).await?;
        entities::delete(tx, &user).await
    }
}

/// What still has policies is not deleted.
pub(crate) async fn refuse_policies(tx: &mut Tx, entity_id: i64) -> Result<()> {
    if !attachments::attached(tx, entity_id).await?.is_empty() {
        return Err(entities::in_use("must detach all policies first."));
    }
    if !inline_policies::list(tx, entity_id).await?.is_empty() {
        return Err(entities::in_use("must delete policies first."));
    }
    Ok(())
}

/// Lists users by name. As in AWS, without tags and boundaries.
#[derive(Clone, Debug)]
pub struct ListUsers {
    /// Only whose path begins so.
    pub path_prefix: String,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListUsers {
    const ACTION: &'static str = "iam:ListUsers";
    const CHANGES: bool = false;
    type Output = Page<Entity>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![all_of(Self::ACTION, KIND, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Entity>> {
        entities::list(tx, &call.context.principal.account, KIND, &self.path_prefix, &self.page)
            .await
    }
}

/// What Terraform and the console read of a user and what nobody can have here: devices for
/// multi-factor authentication, keys and certificates of other services. The lists are empty.
#[derive(Clone, Debug)]
pub struct ListCredentials<K> {
    /// The user, the caller when absent.
    pub name: Option<String>,
    /// Which list.
    pub kind: K,
}

/// A kind of credential that nobody can have here.
pub trait CredentialKind: Send + 'static {
    /// The action that lists it.
    const ACTION: &'static str;
    /// Whether the list is one user's rather than the account's.
    const OF_USER: bool = true;
}

macro_rules! credentials {
    ($($(#[$doc:meta])* $kind:ident $action:literal $of_user:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $kind;

            impl CredentialKind for $kind {
                const ACTION: &'static str = $action;
                const OF_USER: bool = $of_user;
            }
        )*
    };
}

credentials! {
    /// Devices of a user.
    MfaDevice "iam:ListMFADevices" true;
    /// Virtual devices of the account.
    VirtualMfaDevice "iam:ListVirtualMFADevices" false;
    /// SSH keys for CodeCommit.
    SshPublicKey "iam:ListSSHPublicKeys" true;
    /// Passwords for single services.
    ServiceSpecificCredential "iam:ListServiceSpecificCredentials" true;
    /// X.509 certificates.
    SigningCertificate "iam:ListSigningCertificates" true;
}

impl<K: CredentialKind> IamOperation for ListCredentials<K> {
    const ACTION: &'static str = K::ACTION;
    const CHANGES: bool = false;
    /// The name of the user.
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource =
            if K::OF_USER { resource(self.name.as_deref(), context) } else { Resource::Any };
        vec![Demand::new(Self::ACTION, resource)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        if let Some(name) = self.name.as_deref().filter(|_| K::OF_USER) {
            entities::get(tx, call, KIND, name).await?;
        }
        Ok(())
    }
}
