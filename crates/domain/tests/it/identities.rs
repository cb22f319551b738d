//! Users, groups, roles, their policies, keys and sessions, through the one door.

use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::context::{Principal, PrincipalKind};
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::identities::access_keys::operations::{
    CreateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed, UpdateAccessKey,
};
use tonnage_domain::identities::access_keys::{self, uses};
use tonnage_domain::identities::attachments::{AttachPolicy, DetachPolicy, PutPermissionsBoundary};
use tonnage_domain::identities::entities::Entity;
use tonnage_domain::identities::get_caller_identity::GetCallerIdentity;
use tonnage_domain::identities::groups::{
    AddUserToGroup, CreateGroup, DeleteGroup, RemoveUserFromGroup,
};
use tonnage_domain::identities::inline_policies::{
    DeletePolicy as DeleteInline, Group, InlinePolicy, PutPolicy, Role, User,
};
use tonnage_domain::identities::login_profiles::{ChangePassword, CreateLoginProfile};
use tonnage_domain::identities::policies::versions::{
    CreatePolicyVersion, DeletePolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion,
};
use tonnage_domain::identities::policies::{CreatePolicy, DeletePolicy, ListPolicies, PolicyScope};
use tonnage_domain::identities::roles::{CreateRole, DeleteRole, GetRole, UpdateAssumeRolePolicy};
use tonnage_domain::identities::sessions::assume_role::{AssumeRole, AssumedRole};
use tonnage_domain::identities::sessions::get_federation_token::GetFederationToken;
use tonnage_domain::identities::sessions::get_session_token::GetSessionToken;
use tonnage_domain::identities::sessions::{self, Credentials};
use tonnage_domain::identities::simulation::{SimulatePrincipalPolicy, Simulation};
use tonnage_domain::identities::users::{CreateUser, DeleteUser, GetUser, ListUsers, UpdateUser};
use tonnage_domain::names::AccountId;
use tonnage_domain::policies::repository_policy::SetRepositoryPolicy;

use crate::registry::{ACCOUNT, Registry, create_repository, page, resource_tags};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
pub(crate) const OTHER: &str = "210987654321";

fn check_kind<T>(result: Result<T>, expected: ErrorKind) {
    match result {
        Ok(_) => panic!("it was allowed, not {expected:?}"),
        Err(error) => assert_eq!(error.kind(), expected, "{error}"),
    }
}

pub(crate) fn allow(action: &str) -> String {
    format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#)
}

pub(crate) fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":["sts:AssumeRole","sts:TagSession"]{condition}}}}}"#
    )
}

fn create_user(name: &str) -> CreateUser {
    CreateUser { name: name.to_owned(), path: None, boundary: None, tags: vec![] }
}

pub(crate) fn create_role(name: &str, trust_policy: String) -> CreateRole {
    CreateRole {
        name: name.to_owned(),
        path: None,
        trust_policy,
        description: String::new(),
        session_seconds_max: 3600,
        boundary: None,
        tags: vec![],
    }
}

fn assume(role_arn: &str) -> AssumeRole {
    AssumeRole {
        role_arn: role_arn.to_owned(),
        session_name: "build".to_owned(),
        duration_seconds: None,
        policy: None,
        policy_arns: vec![],
        tags: vec![],
        transitive_tag_keys: vec![],
        external_id: None,
        source_identity: None,
    }
}

impl Registry {
    /// Makes a user with a key; the user as it signs with it.
    pub(crate) async fn user(&self, name: &str) -> Principal {
        self.run(create_user(name)).await.unwrap();
        self.key_of(name).await
    }

    async fn key_of(&self, name: &str) -> Principal {
        let create = CreateAccessKey { user_name: Some(name.to_owned()) };
        let key = self.run(create).await.unwrap();
        let found = access_keys::find_active(&self.app, &key.info.id).await.unwrap().unwrap();
        assert_eq!(found.secret.expose_secret(), key.secret.expose_secret());
        found.principal
    }

    pub(crate) async fn put_user_policy(&self, name: &str, document: String) {
        let policy = InlinePolicy { name: "inline".to_owned(), document };
        self.run(PutPolicy { name: name.to_owned(), policy, kind: User }).await.unwrap();
    }

    async fn may_create(&self, principal: &Principal, repository: &str) -> bool {
        match self.run_as(principal, create_repository(&format!("repo-{repository}"))).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AccessDenied, "{error}");
                false
            }
        }
    }

    pub(crate) async fn session(&self, credentials: &Credentials) -> Result<Principal> {
        let (id, token) = (&credentials.access_key_id, credentials.token.expose_secret());
        let now = self.clock.now();
        let key = sessions::authenticate(&self.app, id, Some(token), now).await?.unwrap();
        assert_eq!(key.secret.expose_secret(), credentials.secret.expose_secret());
        Ok(key.principal)
    }

    async fn assume(&self, caller: &Principal, operation: AssumeRole) -> (AssumedRole, Principal) {
        let made = self.run_as(caller, operation).await.unwrap();
        let session = self.session(&made.credentials).await.unwrap();
        assert_eq!((&session.arn, &session.unique_id), (&made.arn, &made.unique_id));
        (made, session)
    }
}

#[tokio::test]
async fn a_user_is_allowed_what_its_policies_say_from_the_moment_they_say_it() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    assert_eq!(alice.kind, PrincipalKind::User);
    assert_eq!(alice.arn, format!("arn:aws:iam::{ACCOUNT}:user/alice"));
    assert!(alice.unique_id.starts_with("AIDA"), "{}", alice.unique_id);
    registry.run_as(&alice, GetCallerIdentity).await.unwrap();
    assert!(!registry.may_create(&alice, "a").await);

    registry.put_user_policy("alice", allow("ecr:CreateRepository")).await;
    assert!(registry.may_create(&alice, "a").await);
    let name = || "alice".to_owned();
    let policy_name = "INLINE".to_owned();
    registry.run(DeleteInline { name: name(), policy_name, kind: User }).await.unwrap();
    assert!(!registry.may_create(&alice, "b").await);

    // Through a group.
    let staff = || "staff".to_owned();
    registry.run(CreateGroup { name: staff(), path: None }).await.unwrap();
    let add = AddUserToGroup { group_name: staff(), user_name: name() };
    registry.run(add).await.unwrap();
    let policy = InlinePolicy { name: "p".to_owned(), document: allow("ecr:*") };
    registry.run(PutPolicy { name: staff(), policy, kind: Group }).await.unwrap();
    assert!(registry.may_create(&alice, "b").await);
    let delete = || DeleteGroup { name: staff() };
    check_kind(registry.run(delete()).await, ErrorKind::DeleteConflict);
    let remove = RemoveUserFromGroup { group_name: staff(), user_name: name() };
    registry.run(remove).await.unwrap();
    assert!(!registry.may_create(&alice, "c").await);

    // Through a policy of AWS, and of the account, with its versions.
    let attach = |policy_arn: &str| AttachPolicy {
        name: name(),
        policy_arn: policy_arn.to_owned(),
        kind: User,
    };
    registry.run(attach(READ_ONLY)).await.unwrap();
    assert!(!registry.may_create(&alice, "c").await);
    let create = CreatePolicy {
        name: "make".to_owned(),
        path: None,
        document: allow("ecr:CreateRepository"),
        description: String::new(),
        tags: vec![],
    };
    let policy = registry.run(create.clone()).await.unwrap();
    check_kind(registry.run(create).await, ErrorKind::EntityAlreadyExists);
    registry.run(attach(&policy.arn)).await.unwrap();
    assert!(registry.may_create(&alice, "c").await);
    let version = |set_as_default| CreatePolicyVersion {
        arn: policy.arn.clone(),
        document: allow("ecr:DescribeRepositories"),
        set_as_default,
    };
    registry.run(version(true)).await.unwrap();
    assert!(!registry.may_create(&alice, "d").await);
    let version_id = |number: i64| format!("v{number}");
    let arn = || policy.arn.clone();
    let first = SetDefaultPolicyVersion { arn: arn(), version_id: version_id(1) };
    registry.run(first).await.unwrap();
    assert!(registry.may_create(&alice, "d").await);
    let conflict = DeletePolicyVersion { arn: arn(), version_id: version_id(1) };
    check_kind(registry.run(conflict).await, ErrorKind::DeleteConflict);
    registry.run(DeletePolicyVersion { arn: arn(), version_id: version_id(2) }).await.unwrap();
    let third = registry.run(version(false)).await.unwrap();
    assert_eq!(third.version, 3, "a number was given twice");
    for _ in 0..3 {
        registry.run(version(false)).await.unwrap();
    }
    check_kind(registry.run(version(false)).await, ErrorKind::LimitExceeded);
    assert_eq!(registry.run(ListPolicyVersions { arn: arn() }).await.unwrap().len(), 5);
    check_kind(registry.run(DeletePolicy { arn: arn() }).await, ErrorKind::DeleteConflict);

    // Limited by a boundary.
    let boundary =
        PutPermissionsBoundary { name: name(), policy_arn: READ_ONLY.to_owned(), kind: User };
    registry.run(boundary).await.unwrap();
    assert!(!registry.may_create(&alice, "e").await);
}

#[tokio::test]
async fn names_are_unique_whatever_their_case_and_what_is_used_is_not_deleted() {
    let registry = Registry::new().await;
    let alice = registry.user("Alice").await;
    check_kind(registry.run(create_user("aLICE")).await, ErrorKind::EntityAlreadyExists);
    let user = registry.run(GetUser { name: Some("ALICE".to_owned()) }).await.unwrap();
    assert_eq!(user.entity.name, "Alice");
    let delete = || DeleteUser { name: "alice".to_owned() };
    check_kind(registry.run(delete()).await, ErrorKind::DeleteConflict);
    let rename = UpdateUser {
        name: "alice".to_owned(),
        new_name: Some("bob".to_owned()),
        new_path: Some("/team/".to_owned()),
    };
    registry.run(rename).await.unwrap();
    let user = registry.run(GetUser { name: Some("bob".to_owned()) }).await.unwrap();
    assert_eq!(user.entity.arn, format!("arn:aws:iam::{ACCOUNT}:user/team/bob"));
    assert_eq!(user.entity.unique_id, alice.unique_id);
    check_kind(registry.run(delete()).await, ErrorKind::NoSuchEntity);
    let id = alice.access_key_id.clone().unwrap();
    let user_name = || Some("bob".to_owned());
    registry.run(DeleteAccessKey { user_name: user_name(), id }).await.unwrap();
    registry.run(DeleteUser { name: "bob".to_owned() }).await.unwrap();
    check_kind(registry.run_as(&alice, GetCallerIdentity).await, ErrorKind::Unauthenticated);
    check_kind(registry.run(GetUser { name: user_name() }).await, ErrorKind::NoSuchEntity);
}

#[tokio::test]
async fn listings_have_pages_and_prefixes() {
    let registry = Registry::new().await;
    for (name, path) in [("c", "/x/"), ("A", "/"), ("b", "/x/y/"), ("d", "/xy/")] {
        let path = Some(path.to_owned());
        registry.run(CreateUser { path, ..create_user(name) }).await.unwrap();
    }
    let names = |users: &[Entity]| users.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let list = async |prefix: &str, after: Option<&str>, limit| {
        let operation = ListUsers { path_prefix: prefix.to_owned(), page: page(after, limit) };
        let found = registry.run(operation).await.unwrap();
        (names(&found.items), found.next)
    };
    assert_eq!(
        list("/", None, 100).await,
        (vec!["A".into(), "b".into(), "c".into(), "d".into()], None)
    );
    assert_eq!(list("/x/", None, 100).await.0, ["b", "c"]);
    let (first, next) = list("/", None, 2).await;
    assert_eq!(first, ["A", "b"]);
    assert_eq!(list("/", next.as_deref(), 2).await, (vec!["c".into(), "d".into()], None));

    let policies = async |scope, after: Option<&str>, limit| {
        let path_prefix = "/".to_owned();
        let page = page(after, limit);
        let list = ListPolicies { scope, only_attached: false, path_prefix, page };
        let found = registry.run(list).await.unwrap();
        (found.items.iter().map(|it| it.name.clone()).collect::<Vec<_>>(), found.next)
    };
    for name in ["one", "two"] {
        let create = CreatePolicy {
            name: name.to_owned(),
            path: None,
            document: allow("*"),
            description: String::new(),
            tags: vec![],
        };
        registry.run(create).await.unwrap();
    }
    assert_eq!(
        policies(PolicyScope::Local, None, 10).await,
        (vec!["one".into(), "two".into()], None)
    );
    let (mut all, mut next) = policies(PolicyScope::All, None, 1).await;
    while let Some(after) = next {
        let more;
        (more, next) = policies(PolicyScope::All, Some(&after), 1).await;
        all.extend(more);
    }
    assert_eq!(all, policies(PolicyScope::All, None, 1000).await.0);
    assert_eq!(all[..3], ["one", "two", "AdministratorAccess"]);
}

#[tokio::test]
async fn a_key_that_is_off_ends_what_was_made_with_it() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    registry.put_user_policy("alice", allow("ecr:*")).await;
    let made = registry.run_as(&alice, GetSessionToken { duration_seconds: None }).await.unwrap();
    let session = registry.session(&made).await.unwrap();
    assert_eq!((session.kind, &session.arn), (PrincipalKind::User, &alice.arn));
    assert!(registry.may_create(&session, "a").await);
    // Temporary credentials of a user call neither IAM nor most of STS.
    check_kind(
        registry.run_as(&session, GetSessionToken { duration_seconds: None }).await,
        ErrorKind::AccessDenied,
    );
    let second = registry.key_of("alice").await;
    check_kind(
        registry.run(CreateAccessKey { user_name: Some("alice".to_owned()) }).await,
        ErrorKind::LimitExceeded,
    );
    let switch = async |active| {
        let id = alice.access_key_id.clone().unwrap();
        let user_name = Some("alice".to_owned());
        registry.run(UpdateAccessKey { user_name, id, active }).await.unwrap();
    };
    switch(false).await;
    check_kind(registry.run_as(&alice, GetCallerIdentity).await, ErrorKind::Unauthenticated);
    check_kind(registry.run_as(&session, GetCallerIdentity).await, ErrorKind::Unauthenticated);
    registry.run_as(&second, GetCallerIdentity).await.unwrap();
    switch(true).await;
    registry.run_as(&session, GetCallerIdentity).await.unwrap();
    registry.clock.advance_seconds(12 * 3600);
    check_kind(registry.run_as(&session, GetCallerIdentity).await, ErrorKind::TokenExpired);
    check_kind(registry.session(&made).await, ErrorKind::TokenExpired);
}

#[tokio::test]
async fn a_session_token_is_good_for_its_own_key_only() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    let get = || registry.run_as(&alice, GetSessionToken { duration_seconds: None });
    let (one, two) = (get().await.unwrap(), get().await.unwrap());
    let now = registry.clock.now();
    let check = async |id: &str, token: Option<&str>| {
        let found = sessions::authenticate(&registry.app, id, token, now).await;
        assert!(found.is_err() || found.unwrap().is_none(), "{id}");
    };
    check(&two.access_key_id, Some(one.token.expose_secret())).await;
    check(alice.access_key_id.as_deref().unwrap(), Some(one.token.expose_secret())).await;
    check(&one.access_key_id, None).await;
    let mut forged = one.token.expose_secret().to_owned();
    let middle = forged.len() / 2;
    let other = if forged.as_bytes()[middle] == b'A' { "B" } else { "A" };
    forged.replace_range(middle..=middle, other);
    check(&one.access_key_id, Some(&forged)).await;
    check(&one.access_key_id, Some(&"x".repeat(100_000))).await;
    check(&one.access_key_id, Some("")).await;
    assert_ne!(one.secret.expose_secret(), two.secret.expose_secret());
}

pub(crate) async fn other_account(registry: &Registry) -> Principal {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    let id = AccountId::parse(OTHER).unwrap();
    let create = CreateAccount { management_account, id, name: "team".to_owned() };
    let (_, key) = registry.run(create).await.unwrap();
    access_keys::find_active(&registry.app, &key.id).await.unwrap().unwrap().principal
}

#[tokio::test]
async fn a_role_is_assumed_when_its_trust_policy_says_so() {
    let registry = Registry::new().await;
    let other = other_account(&registry).await;
    let alice = registry.user("alice").await;
    let role_arn = format!("arn:aws:iam::{OTHER}:role/deploy");
    // Trusting an account leaves the choice to the account's own policies.
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"42"}}"#;
    let create = create_role("deploy", trust(&format!("arn:aws:iam::{ACCOUNT}:root"), condition));
    registry.run_as(&other, create).await.unwrap();
    let policy = InlinePolicy { name: "p".to_owned(), document: allow("ecr:CreateRepository") };
    let name = || "deploy".to_owned();
    registry.run_as(&other, PutPolicy { name: name(), policy, kind: Role }).await.unwrap();

    let with_id = || AssumeRole { external_id: Some("42".to_owned()), ..assume(&role_arn) };
    check_kind(registry.run_as(&alice, with_id()).await, ErrorKind::AccessDenied);
    registry.put_user_policy("alice", allow("sts:*")).await;
    check_kind(registry.run_as(&alice, assume(&role_arn)).await, ErrorKind::AccessDenied);
    let unknown = format!("arn:aws:iam::{OTHER}:role/unknown");
    check_kind(registry.run_as(&alice, assume(&unknown)).await, ErrorKind::AccessDenied);
    let unknown = format!("arn:aws:iam::{ACCOUNT}:role/unknown");
    check_kind(registry.run_as(&alice, assume(&unknown)).await, ErrorKind::AccessDenied);
    check_kind(registry.run(assume(&role_arn)).await, ErrorKind::AccessDenied);

    let (_, session) = registry.assume(&alice, with_id()).await;
    assert_eq!(session.kind, PrincipalKind::AssumedRole);
    assert_eq!(session.arn, format!("arn:aws:sts::{OTHER}:assumed-role/deploy/build"));
    assert_eq!(session.account.as_str(), OTHER);
    assert!(registry.may_create(&session, "a").await);

    // Limited by a session policy.
    let policy = Some(allow("ecr:DescribeRepositories"));
    let (_, limited) = registry.assume(&alice, AssumeRole { policy, ..with_id() }).await;
    assert!(!registry.may_create(&limited, "b").await);
    let policy_arns = vec![READ_ONLY.to_owned()];
    let (_, limited) = registry.assume(&alice, AssumeRole { policy_arns, ..with_id() }).await;
    assert!(!registry.may_create(&limited, "b").await);
    let malformed = AssumeRole { policy: Some("{}".to_owned()), ..with_id() };
    check_kind(registry.run_as(&alice, malformed).await, ErrorKind::MalformedPolicyDocument);
    let too_long = AssumeRole { duration_seconds: Some(3601), ..with_id() };
    check_kind(registry.run_as(&alice, too_long).await, ErrorKind::InvalidParameter);

    // The key that began it, and the role it is of, end it at once.
    let id = alice.access_key_id.clone().unwrap();
    let user_name = Some("alice".to_owned());
    let switch = |active| UpdateAccessKey { user_name: user_name.clone(), id: id.clone(), active };
    registry.run(switch(false)).await.unwrap();
    check_kind(registry.run_as(&session, GetCallerIdentity).await, ErrorKind::Unauthenticated);
    registry.run(switch(true)).await.unwrap();
    registry.run_as(&session, GetCallerIdentity).await.unwrap();
    let delete = || DeleteRole { name: name() };
    check_kind(registry.run_as(&other, delete()).await, ErrorKind::DeleteConflict);
    let policy_name = "p".to_owned();
    registry.run_as(&other, DeleteInline { name: name(), policy_name, kind: Role }).await.unwrap();
    assert!(!registry.may_create(&session, "b").await);
    registry.run_as(&other, delete()).await.unwrap();
    check_kind(registry.run_as(&session, GetCallerIdentity).await, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_role_of_the_same_account_is_not_assumed_without_trust() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    registry.put_user_policy("alice", allow("*")).await;
    registry.user("bob").await;
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/deploy");
    let bob = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    registry.run(create_role("deploy", trust(&bob, ""))).await.unwrap();
    check_kind(registry.run_as(&alice, assume(&role_arn)).await, ErrorKind::AccessDenied);
    // Naming the user itself is enough.
    let bob = registry.key_of("bob").await;
    registry.assume(&bob, assume(&role_arn)).await;
}

#[tokio::test]
async fn a_user_made_again_under_a_name_is_not_the_one_that_a_role_trusts() {
    let registry = Registry::new().await;
    let nobody = create_role("lonely", trust(&format!("arn:aws:iam::{ACCOUNT}:user/bob"), ""));
    check_kind(registry.run(nobody).await, ErrorKind::MalformedPolicyDocument);
    let bob = registry.user("bob").await;
    registry.run(create_role("deploy", trust(&bob.arn, ""))).await.unwrap();
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/deploy");
    let described =
        async || registry.run(GetRole { name: "deploy".to_owned() }).await.unwrap().trust_policy;
    registry.assume(&bob, assume(&role_arn)).await;
    assert!(described().await.contains(&bob.arn));

    let id = bob.access_key_id.clone().unwrap();
    registry.run(DeleteAccessKey { user_name: Some("bob".to_owned()), id }).await.unwrap();
    registry.run(DeleteUser { name: "bob".to_owned() }).await.unwrap();
    let again = registry.user("bob").await;
    assert_eq!(again.arn, bob.arn);
    check_kind(registry.run_as(&again, assume(&role_arn)).await, ErrorKind::AccessDenied);
    let shown = described().await;
    assert!(shown.contains(&bob.unique_id) && !shown.contains(&bob.arn), "{shown}");

    let update =
        UpdateAssumeRolePolicy { name: "deploy".to_owned(), trust_policy: trust(&bob.arn, "") };
    registry.run(update).await.unwrap();
    registry.assume(&again, assume(&role_arn)).await;
}

#[tokio::test]
async fn chains_hand_on_transitive_tags_and_last_an_hour() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    registry.put_user_policy("alice", allow("*")).await;
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let by_tag = r#","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}"#;
    let first = CreateRole { session_seconds_max: 7200, ..create_role("first", trust(&root, "")) };
    registry.run(first).await.unwrap();
    let second = create_role("second", trust(&arn("first"), by_tag));
    registry.run(CreateRole { session_seconds_max: 7200, ..second }).await.unwrap();
    let tagged = AssumeRole {
        tags: resource_tags(&[("team", "blue"), ("cost", "42")]),
        transitive_tag_keys: vec!["team".to_owned()],
        duration_seconds: Some(7200),
        ..assume(&arn("first"))
    };
    let (_, untagged) = registry.assume(&alice, assume(&arn("first"))).await;
    check_kind(registry.run_as(&untagged, assume(&arn("second"))).await, ErrorKind::AccessDenied);
    let (_, session) = registry.assume(&alice, tagged).await;
    let long = AssumeRole { duration_seconds: Some(7200), ..assume(&arn("second")) };
    check_kind(registry.run_as(&session, long).await, ErrorKind::InvalidParameter);
    let (_, chained) = registry.assume(&session, assume(&arn("second"))).await;
    let session_of_second = &chained.session.as_ref().unwrap().session;
    let text = format!("{session_of_second:?}");
    assert!(text.contains(r#"tags: [("team", "blue")]"#), "{text}");
    let overwrite =
        AssumeRole { tags: resource_tags(&[("TEAM", "red")]), ..assume(&arn("second")) };
    check_kind(registry.run_as(&session, overwrite).await, ErrorKind::InvalidParameter);
}

#[tokio::test]
async fn a_federated_user_has_what_user_and_session_policy_both_allow() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    registry.put_user_policy("alice", allow("*")).await;
    let federate = |policy: Option<String>| GetFederationToken {
        name: "guest".to_owned(),
        duration_seconds: None,
        policy,
        policy_arns: vec![],
        tags: vec![],
    };
    let made = registry.run_as(&alice, federate(Some(allow("ecr:*")))).await.unwrap();
    let guest = registry.session(&made.credentials).await.unwrap();
    assert_eq!(guest.arn, format!("arn:aws:sts::{ACCOUNT}:federated-user/guest"));
    assert_eq!(guest.unique_id, format!("{ACCOUNT}:guest"));
    assert!(registry.may_create(&guest, "a").await);
    check_kind(registry.run_as(&guest, create_user("x")).await, ErrorKind::AccessDenied);
    let made = registry.run_as(&alice, federate(None)).await.unwrap();
    let powerless = registry.session(&made.credentials).await.unwrap();
    assert!(!registry.may_create(&powerless, "b").await);
    registry.run_as(&powerless, GetCallerIdentity).await.unwrap();
}

#[tokio::test]
async fn passwords_are_checked_and_kept_as_hashes() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    registry.put_user_policy("alice", allow("iam:ChangePassword")).await;
    let secret = |text: &str| SecretString::from(text.to_owned());
    let create = |password: &str| CreateLoginProfile {
        user_name: Some("alice".to_owned()),
        password: secret(password),
        reset_required: true,
    };
    for weak in ["", "short-1A", "alllowercaseletters", "ALLUPPER1234"] {
        let result = registry.run(create(weak)).await;
        if weak == "short-1A" {
            result.unwrap();
        } else {
            check_kind(result, ErrorKind::PasswordPolicyViolation);
        }
    }
    check_kind(registry.run(create("Correct-horse-1")).await, ErrorKind::EntityAlreadyExists);
    let change = |old: &str, new: &str| ChangePassword { old: secret(old), new: secret(new) };
    check_kind(
        registry.run_as(&alice, change("wrong", "Correct-horse-1")).await,
        ErrorKind::AccessDenied,
    );
    registry.run_as(&alice, change("short-1A", "Correct-horse-1")).await.unwrap();
    registry.run_as(&alice, change("Correct-horse-1", "Correct-horse-2")).await.unwrap();
    check_kind(registry.run(change("a", "Correct-horse-1")).await, ErrorKind::InvalidUserType);
    let hashes = registry.rows("SELECT password_hash FROM iam_login_profiles").await;
    assert!(hashes[0][0].starts_with("$argon2id$"), "{hashes:?}");
}

#[tokio::test]
async fn the_last_use_of_a_key_is_written_with_others() {
    let registry = Registry::new().await;
    let alice = registry.user("alice").await;
    let id = alice.access_key_id.clone().unwrap();
    let last = || registry.run(GetAccessKeyLastUsed { id: id.clone() });
    assert_eq!(last().await.unwrap(), ("alice".to_owned(), None));
    let now = registry.clock.now();
    uses::note(&registry.app, &alice, "ecr", "us-east-1", now);
    uses::note(&registry.app, &alice, "sts", "us-east-1", now);
    uses::flush(&registry.app).await.unwrap();
    let (_, used) = last().await.unwrap();
    let used = used.unwrap();
    assert_eq!((used.at, used.service.as_str()), (now, "ecr"));
}

#[tokio::test]
async fn a_simulation_says_what_would_be_decided() {
    let registry = Registry::new().await;
    registry.user("alice").await;
    let attach =
        AttachPolicy { name: "alice".to_owned(), policy_arn: READ_ONLY.to_owned(), kind: User };
    registry.run(attach).await.unwrap();
    let simulate = |arn: String| SimulatePrincipalPolicy {
        source_arn: arn,
        simulation: Simulation {
            actions: vec!["ecr:ListImages".to_owned(), "ecr:PutImage".to_owned()],
            policies: vec![
                r#"{"Statement":{"Effect":"Deny","Action":"ecr:List*","Resource":"*"}}"#.to_owned(),
            ],
            ..Simulation::default()
        },
    };
    let results =
        registry.run(simulate(format!("arn:aws:iam::{ACCOUNT}:user/alice"))).await.unwrap();
    let words: Vec<_> = results.iter().map(|result| result.words()).collect();
    assert_eq!(words, ["explicitDeny", "implicitDeny"]);
    check_kind(
        registry.run(simulate(format!("arn:aws:iam::{ACCOUNT}:user/nobody"))).await,
        ErrorKind::NoSuchEntity,
    );
    let detach =
        DetachPolicy { name: "alice".to_owned(), policy_arn: READ_ONLY.to_owned(), kind: User };
    registry.run(detach.clone()).await.unwrap();
    check_kind(registry.run(detach).await, ErrorKind::NoSuchEntity);
}

#[tokio::test]
async fn policies_see_the_tags_of_what_iam_names() {
    let registry = Registry::new().await;
    let admin = registry.user("admin").await;
    let tagged = CreateUser { tags: resource_tags(&[("team", "blue")]), ..create_user("blue") };
    registry.run(tagged).await.unwrap();
    registry.run(create_user("red")).await.unwrap();
    for prefix in ["iam", "aws"] {
        let document = format!(
            r#"{{"Statement":{{"Effect":"Allow","Action":"iam:GetUser","Resource":"*","Condition":{{"StringEquals":{{"{prefix}:ResourceTag/team":"blue"}}}}}}}}"#
        );
        registry.put_user_policy("admin", document).await;
        let get = |name: &str| GetUser { name: Some(name.to_owned()) };
        registry.run_as(&admin, get("blue")).await.unwrap();
        check_kind(registry.run_as(&admin, get("red")).await, ErrorKind::AccessDenied);
    }
}

#[tokio::test]
async fn a_repository_policy_names_a_session_of_a_role_as_the_role_is_written() {
    let registry = Registry::new().await;
    let repository = registry.create("app").await;
    registry.run(create_role("Deploy", trust(ACCOUNT, ""))).await.unwrap();
    let set = |session: &str| SetRepositoryPolicy {
        repository: repository.clone(),
        text: format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:sts::{ACCOUNT}:assumed-role/{session}"}},"Action":"ecr:*"}}}}"#
        ),
        force: false,
    };
    registry.run(set("Deploy/build")).await.unwrap();
    check_kind(registry.run(set("Other/build")).await, ErrorKind::InvalidParameter);
}
