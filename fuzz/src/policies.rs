//! Policies: parsing one ends, errors stay short, and whatever parses can be evaluated.

use tonnage_policy::{
    Context, Policy, PolicyKind, PolicySet, Principal, PrincipalKind, Request, evaluate,
};

/// Reads `data` as a policy document.
pub fn target(data: &[u8]) {
    replay(&String::from_utf8_lossy(data));
}

const KINDS: [PolicyKind; 3] = [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust];

/// Parses as every kind and evaluates what parses. Gives the number of kinds that accepted.
pub fn replay(text: &str) -> usize {
    let mut context = Context::new();
    context.set("aws:username", "a".repeat(500));
    context.set("aws:SourceIp", "not an address");
    context.set_all("aws:TagKeys", ["*", "?", "${aws:username}"]);
    let resource = format!("arn:aws:ecr:eu-west-1:111122223333:repository/{}", "a/".repeat(200));
    let request = Request {
        action: "ecr:PutImage",
        resource: &resource,
        resource_account: "111122223333",
        principal: Principal {
            kind: PrincipalKind::User,
            arn: "arn:aws:iam::111122223333:user/alice",
            account: Some("111122223333"),
            role_arn: None,
            ids: &[],
        },
        context: &context,
    };
    let mut accepted = 0;
    for kind in KINDS {
        match Policy::parse(text, kind) {
            Err(error) => assert!(error.to_string().len() < 1_500, "{error}"),
            Ok(policy) => {
                accepted += 1;
                let named = [("seed", &policy)];
                for set in [
                    PolicySet { identity: &named, ..PolicySet::default() },
                    PolicySet { resource: &named, ..PolicySet::default() },
                    PolicySet { session: &named, limits: &named, ..PolicySet::default() },
                    PolicySet { boundary: Some(named[0]), ..PolicySet::default() },
                ] {
                    let decision = evaluate(&request, &set);
                    assert_eq!(decision.is_allowed(), decision.denial("x:y").is_none());
                }
            }
        }
    }
    accepted
}
