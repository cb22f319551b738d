//! Shapes that several answers share.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tonnage_domain::clock::Millis;
use tonnage_domain::identities::attachments::AttachedPolicy;
use tonnage_domain::identities::entities::{Entity, EntityKind};
use tonnage_domain::identities::instance_profiles::InstanceProfile;
use tonnage_domain::identities::policies::{ManagedPolicy, PolicyVersion};
use tonnage_domain::identities::roles::Role;
use tonnage_domain::identities::users::User;
use tonnage_domain::resource_tags::ResourceTag;

/// RFC 3986's unreserved characters stay as they are in documents.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The answer of an operation that answers nothing.
pub(super) fn nothing() -> Value {
    Value::Object(Map::new())
}

/// `2026-02-03T04:05:06Z`.
pub(in crate::aws) fn time(time: Millis) -> Value {
    time.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

/// Documents are percent-encoded in answers.
pub(super) fn document(text: &str) -> Value {
    utf8_percent_encode(text, ENCODED).to_string().into()
}

/// Nothing is said of the tags of what has none.
pub(super) fn tags(tags: &[ResourceTag]) -> Value {
    if tags.is_empty() {
        return Value::Null;
    }
    tags.iter().map(|tag| json!({"Key": tag.key, "Value": tag.value})).collect()
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// What every entity shows: path, name, id, ARN and time, under the names of its kind.
pub(super) fn entity(entity: &Entity) -> Map<String, Value> {
    let kind = match entity.kind {
        EntityKind::User => "User",
        EntityKind::Group => "Group",
        EntityKind::Role => "Role",
        EntityKind::Policy => "Policy",
        EntityKind::InstanceProfile => "InstanceProfile",
        EntityKind::OidcProvider => "OpenIDConnectProvider",
    };
    let members = [
        ("Path".to_owned(), text(&entity.path)),
        (format!("{kind}Name"), text(&entity.name)),
        (format!("{kind}Id"), entity.unique_id.as_str().into()),
        ("Arn".to_owned(), entity.arn.as_str().into()),
        ("CreateDate".to_owned(), time(entity.created_at)),
    ];
    members.into_iter().collect()
}

fn boundary(arn: Option<&String>) -> Value {
    arn.map_or(
        Value::Null,
        |arn| json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}),
    )
}

pub(super) fn user(user: &User) -> Map<String, Value> {
    let mut members = entity(&user.entity);
    members.insert("PermissionsBoundary".to_owned(), boundary(user.boundary.as_ref()));
    members.insert("Tags".to_owned(), tags(&user.tags));
    members
}

/// A role without its tags and its boundary, which listings leave out.
pub(super) fn plain_role(role: &Role) -> Map<String, Value> {
    let mut members = entity(&role.entity);
    members.insert("AssumeRolePolicyDocument".to_owned(), document(&role.trust_policy));
    members.insert("Description".to_owned(), text(&role.entity.description));
    members.insert("MaxSessionDuration".to_owned(), role.session_seconds_max.into());
    members
}

pub(super) fn role(role: &Role) -> Map<String, Value> {
    let mut members = plain_role(role);
    members.insert("PermissionsBoundary".to_owned(), boundary(role.boundary.as_ref()));
    members.insert("Tags".to_owned(), tags(&role.tags));
    let last_used = role
        .last_used
        .as_ref()
        .map_or_else(nothing, |(at, region)| json!({"LastUsedDate": time(*at), "Region": region}));
    members.insert("RoleLastUsed".to_owned(), last_used);
    members
}

pub(super) fn instance_profile(profile: &InstanceProfile) -> Map<String, Value> {
    let mut members = entity(&profile.entity);
    let roles = profile.role.iter().map(|role| Value::Object(plain_role(role))).collect();
    members.insert("Roles".to_owned(), roles);
    members.insert("Tags".to_owned(), tags(&profile.tags));
    members
}

pub(super) fn policy(policy: &ManagedPolicy) -> Map<String, Value> {
    let members = json!({
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": format!("v{}", policy.default_version),
        "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": policy.boundaries,
        "IsAttachable": true,
        "Description": text(&policy.description),
        "CreateDate": time(policy.created_at),
        "UpdateDate": time(policy.updated_at),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(super) fn policy_version(version: &PolicyVersion, with_document: bool) -> Value {
    json!({
        "Document": if with_document { document(&version.document) } else { Value::Null },
        "VersionId": format!("v{}", version.version),
        "IsDefaultVersion": version.is_default,
        "CreateDate": time(version.created_at),
    })
}

pub(super) fn attached(policies: &[AttachedPolicy]) -> Value {
    policies
        .iter()
        .map(|policy| json!({"PolicyName": policy.name, "PolicyArn": policy.arn}))
        .collect()
}
