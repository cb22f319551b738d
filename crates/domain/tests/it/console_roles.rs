//! Roles that people take in the console, and what the access records tell of signing in and out.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tonnage_domain::audit;
use tonnage_domain::audit::lookup_events::{Attribute, Criteria, LookupEvents};
use tonnage_domain::audit::record::AccessRecord;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::access_keys::operations::{CreateAccessKey, UpdateAccessKey};
use tonnage_domain::identities::console_sessions::switching::{leave_role, switch_role};
use tonnage_domain::identities::console_sessions::{self, ConsoleSession, Credentials, NewSession};
use tonnage_domain::identities::roles::{CreateRole, DeleteRole};

use crate::identities::{OTHER, allow, create_role, other_account, trust};
use crate::registry::{ACCOUNT, Registry, page};

struct Fixture {
    registry: Registry,
    other: Principal,
    key: (String, SecretString),
}

impl Fixture {
    /// A user with a key, and roles that trust the account of it here and in another account.
    async fn new() -> Self {
        let registry = Registry::new().await;
        let other = other_account(&registry).await;
        registry.user("ada").await;
        let create = CreateAccessKey { user_name: Some("ada".to_owned()) };
        let key = registry.run(create).await.unwrap();
        let account = || trust(&format!("arn:aws:iam::{ACCOUNT}:root"), "");
        let long = CreateRole { session_seconds_max: 43_200, ..create_role("deploy", account()) };
        registry.run(long).await.unwrap();
        let closed = create_role("closed", trust(&format!("arn:aws:iam::{OTHER}:root"), ""));
        registry.run(closed).await.unwrap();
        registry.run_as(&other, create_role("audit", account())).await.unwrap();
        Self { registry, other, key: (key.info.id, key.secret) }
    }

    async fn sign_in(&self) -> NewSession {
        let (id, secret) = self.key.clone();
        let credentials = Credentials::AccessKey { id, secret };
        let context = self.registry.context();
        console_sessions::sign_in(&self.registry.app, &context, credentials).await.unwrap()
    }

    async fn find(&self, new: &NewSession) -> Option<ConsoleSession> {
        let (app, now) = (&self.registry.app, self.registry.clock.now());
        console_sessions::find(app, new.token.expose_secret(), now).await.unwrap()
    }

    async fn switch(
        &self,
        session: &ConsoleSession,
        named: (&str, &str),
    ) -> Result<Principal, ErrorKind> {
        let (app, context) = (&self.registry.app, self.registry.context());
        let taken = switch_role(app, &context, session, named).await;
        taken.map(|role| role.principal).map_err(|error| error.kind())
    }

    /// What the records of an account have of signing in and out, oldest first.
    async fn records(&self, account: &Principal) -> Vec<AccessRecord> {
        audit::flush(&self.registry.app).await.unwrap();
        let source = (Attribute::EventSource, "signin.amazonaws.com".to_owned());
        let criteria = Criteria { attributes: vec![source], ..Criteria::default() };
        let lookup = LookupEvents { criteria, page: page(None, 50) };
        let mut found = self.registry.run_as(account, lookup).await.unwrap().items;
        found.reverse();
        found
    }
}

#[tokio::test]
async fn a_role_is_taken_as_the_api_gives_it() {
    let fixture = Fixture::new().await;
    let (registry, app) = (&fixture.registry, &fixture.registry.app);
    let new = fixture.sign_in().await;
    let session = &new.session;
    let audit_arn = format!("arn:aws:iam::{OTHER}:role/audit");
    // Both roles trust the account, so its policies have a say.
    assert_eq!(fixture.switch(session, (ACCOUNT, "deploy")).await, Err(ErrorKind::AccessDenied));
    registry.put_user_policy("ada", allow("sts:AssumeRole")).await;
    for (account, role, expected) in [
        (ACCOUNT, "deploy", Ok(format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ada"))),
        (OTHER, "audit", Ok(format!("arn:aws:sts::{OTHER}:assumed-role/audit/ada"))),
        ("", &audit_arn, Ok(format!("arn:aws:sts::{OTHER}:assumed-role/audit/ada"))),
        (ACCOUNT, "closed", Err(ErrorKind::AccessDenied)),
        (ACCOUNT, "none", Err(ErrorKind::AccessDenied)),
        (OTHER, "none", Err(ErrorKind::AccessDenied)),
        ("000000000001", "deploy", Err(ErrorKind::AccessDenied)),
        ("no-such-alias", "deploy", Err(ErrorKind::AccessDenied)),
        (ACCOUNT, "", Err(ErrorKind::InvalidParameter)),
        (ACCOUNT, "a b", Err(ErrorKind::InvalidParameter)),
        ("", &format!("arn:aws:iam::{ACCOUNT}:user/ada"), Err(ErrorKind::InvalidParameter)),
    ] {
        let taken = fixture.switch(session, (account, role)).await.map(|taken| taken.arn);
        assert_eq!(taken, expected, "{account} {role}");
    }
    let found = fixture.find(&new).await.unwrap();
    assert_eq!(found.acting().account.as_str(), OTHER);
    assert_eq!(found.principal.arn, format!("arn:aws:iam::{ACCOUNT}:user/ada"));
    let names: Vec<_> = found.recent_roles.iter().map(|role| role.name().to_owned()).collect();
    assert_eq!(names, ["audit"]);
    // From one role to another it is still the user who takes it, for as long as the role allows.
    let deploy = fixture.switch(&found, (ACCOUNT, "deploy")).await.unwrap();
    assert_eq!(deploy.arn, format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ada"));
    let found = fixture.find(&new).await.unwrap();
    let until = found.role.as_ref().unwrap().expires_at;
    assert_eq!(until, registry.clock.now().plus_seconds(console_sessions::LONGEST_SECONDS));
    assert_eq!(found.recent_roles.len(), 2);

    // It is over when its time is, and with the role; what began the session ends all of it.
    fixture.switch(&found, (OTHER, "audit")).await.unwrap();
    for _ in 0..3 {
        registry.clock.advance_seconds(1199);
        assert!(fixture.find(&new).await.unwrap().role.is_some());
    }
    registry.clock.advance_seconds(3);
    let found = fixture.find(&new).await.unwrap();
    assert!(found.role_is_over && found.role.is_none());
    leave_role(app, &registry.context(), &found).await.unwrap();
    assert!(!fixture.find(&new).await.unwrap().role_is_over);
    fixture.switch(&found, (OTHER, "audit")).await.unwrap();
    let name = "audit".to_owned();
    registry.run_as(&fixture.other, DeleteRole { name }).await.unwrap();
    assert!(fixture.find(&new).await.unwrap().role_is_over);
    fixture.switch(&found, (ACCOUNT, "deploy")).await.unwrap();
    let user_name = Some("ada".to_owned());
    let off = UpdateAccessKey { user_name, id: fixture.key.0.clone(), active: false };
    registry.run(off).await.unwrap();
    assert_eq!(fixture.find(&new).await, None);

    // The root takes none, as in AWS.
    let key = registry.first_access_key.clone().unwrap();
    let credentials = Credentials::AccessKey { id: key.id.clone(), secret: key.secret.clone() };
    let root = console_sessions::sign_in(app, &registry.context(), credentials).await.unwrap();
    let refused = fixture.switch(&root.session, (ACCOUNT, "deploy")).await;
    assert_eq!(refused, Err(ErrorKind::AccessDenied));
}

#[tokio::test]
async fn signing_in_and_out_is_recorded() {
    let fixture = Fixture::new().await;
    let (registry, app) = (&fixture.registry, &fixture.registry.app);
    registry.put_user_policy("ada", allow("sts:AssumeRole")).await;
    let new = fixture.sign_in().await;
    fixture.switch(&new.session, (OTHER, "audit")).await.unwrap();
    let found = fixture.find(&new).await.unwrap();
    leave_role(app, &registry.context(), &found).await.unwrap();
    console_sessions::end(app, &registry.context(), &new.session).await.unwrap();
    let password = |account: &str, user: &str| Credentials::Password {
        account: account.to_owned(),
        user_name: user.to_owned(),
        password: SecretString::from("wrong"),
    };
    let key = |id: &str| Credentials::AccessKey {
        id: id.to_owned(),
        secret: SecretString::from("wrong"),
    };
    for credentials in [
        password(OTHER, "correct-horse"),
        password("000000000001", "ada"),
        key("AKIANOBODYHASTHISONE"),
        key(&fixture.key.0),
        password(ACCOUNT, "ada"),
    ] {
        let refused = console_sessions::sign_in(app, &registry.context(), credentials).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }

    let told = |record: &AccessRecord| {
        let details = &record.details;
        let response = details.response_elements.clone().unwrap();
        let reason = record.denial.clone().unwrap_or_default();
        (record.operation.clone(), record.user_name().to_owned(), response, reason)
    };
    let row = |operation: &str, user: &str, outcome: &str, reason: &str| {
        let response = json!({ operation: outcome });
        (operation.to_owned(), user.to_owned(), response, reason.to_owned())
    };
    let (hidden, wrong) = ("HIDDEN_DUE_TO_SECURITY_REASONS", "Failed authentication");
    let (own, success) = (fixture.records(&registry.context().principal).await, "Success");
    let nobody = "No account or access key of this name";
    assert_eq!(
        own.iter().map(told).collect::<Vec<_>>(),
        [
            row("ConsoleLogin", "ada", success, ""),
            row("SwitchRole", "ada", success, ""),
            row("Logout", "ada", success, ""),
            row("ConsoleLogin", hidden, "Failure", nobody),
            row("ConsoleLogin", hidden, "Failure", nobody),
            row("ConsoleLogin", "ada", "Failure", wrong),
            row("ConsoleLogin", "ada", "Failure", wrong),
        ]
    );
    let more = |record: &AccessRecord, name: &str| -> Value {
        record.details.additional_event_data.clone().unwrap()[name].clone()
    };
    assert_eq!((more(&own[0], "MFAUsed"), more(&own[6], "MFAUsed")), (json!("No"), json!("No")));
    assert_eq!(own[0].access_key_id.as_deref(), Some(fixture.key.0.as_str()));
    // The other account sees who came, who left, and that somebody tried.
    let theirs = fixture.records(&fixture.other).await;
    assert_eq!(
        theirs.iter().map(told).collect::<Vec<_>>(),
        [
            row("SwitchRole", "ada", success, ""),
            row("ExitRole", "ada", success, ""),
            row("ConsoleLogin", hidden, "Failure", "No username found in supplied account"),
        ]
    );
    assert_eq!(more(&theirs[0], "SwitchFrom"), json!(format!("arn:aws:iam::{ACCOUNT}:user/ada")));
    assert_eq!(theirs[0].principal_arn, format!("arn:aws:sts::{OTHER}:assumed-role/audit/ada"));
}
