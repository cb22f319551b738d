//! A statement of a policy as a form: it is added to the JSON above it, which stays what is saved.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tonnage_domain::error::{Error, ErrorKind};

use super::PolicyOf;
use super::asked::Asked;
use super::form::Form;
use super::parts;

/// Conditions that a form has lines for.
const CONDITIONS: usize = 3;
/// Operators of conditions that a form offers (IAM user guide, "Condition operators").
const OPERATORS: [(&str, &str); 14] = [
    ("StringEquals", "is"),
    ("StringNotEquals", "is not"),
    ("StringLike", "is like (* and ?)"),
    ("StringNotLike", "is not like (* and ?)"),
    ("ArnLike", "is an ARN like"),
    ("ArnNotLike", "is no ARN like"),
    ("NumericLessThan", "is a number less than"),
    ("NumericGreaterThan", "is a number greater than"),
    ("DateLessThan", "is before"),
    ("DateGreaterThan", "is after"),
    ("Bool", "is true or false"),
    ("IpAddress", "is an address in"),
    ("NotIpAddress", "is no address in"),
    ("Null", "is absent (true) or there (false)"),
];
/// Keys that conditions are often about.
const KEYS: [&str; 12] = [
    "aws:CurrentTime",
    "aws:PrincipalArn",
    "aws:PrincipalTag/team",
    "aws:RequestTag/team",
    "aws:ResourceTag/team",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:TagKeys",
    "aws:UserAgent",
    "ecr:ResourceTag/team",
    "tonnage:ImageDigest",
    "tonnage:ImageTag",
];

/// And those of who may take a role.
const TRUST_KEYS: [&str; 9] = [
    "aws:CurrentTime",
    "aws:PrincipalArn",
    "aws:PrincipalTag/team",
    "aws:RequestTag/team",
    "aws:SourceIp",
    "sts:ExternalId",
    "sts:RoleSessionName",
    "sts:SourceIdentity",
    "login.example.com:sub",
];

/// What the button of the form says.
pub(crate) const ADD: &str = "add-statement";

/// The fields, inside the form of a policy. `open` where they were just used.
pub(crate) fn builder(asked: &Asked<'_>, kind: PolicyOf) -> Markup {
    // Once it is added, the next one begins anew.
    let blank = Form::default();
    let was_refused = asked.form.text("do") == ADD && written(&asked.form, kind).is_err();
    let form = if was_refused { &asked.form } else { &blank };
    let by_service = actions_of(asked, kind);
    let is_trust = kind == PolicyOf::Trust;
    // Whoever writes of trust mostly means this.
    let usual = if is_trust && !was_refused { "sts:AssumeRole" } else { "" };
    let actions = Some(form.text("st-actions")).filter(|text| !text.is_empty()).unwrap_or(usual);
    let keys: &[&str] = if is_trust { &TRUST_KEYS } else { &KEYS };
    let (key, value) =
        if is_trust { ("sts:ExternalId", "4711") } else { ("aws:SourceIp", "10.0.0.0/8") };
    html! {
        details.builder open[asked.form.text("do") == ADD] {
            summary { "Add a statement with a form" }
            div.builder-fields {
                (parts::choice("st-effect", "What it does", form.optional("st-effect").unwrap_or("Allow"), &[
                    ("Allow", "Allows", ""), ("Deny", "Denies", "Whatever any policy allows."),
                ]))
                (parts::Field { name: "st-sid", label: "Name", value: form.text("st-sid"), help: "Letters and digits; may be left out.", ..parts::Field::default() }.render())
                @if is_trust {
                    (parts::text_area("st-principals", "Who", "One a line: an account's 12 digits, the ARN of a user, role or identity provider, or a service such as ec2.amazonaws.com.", form.text("st-principals"), 2))
                } @else if kind != PolicyOf::Identity {
                    (parts::text_area("st-principals", "Who", "One a line: an account's 12 digits, the ARN of a user or role, or * for everybody.", form.text("st-principals"), 2))
                }
                (parts::text_area("st-actions", "Which actions", if is_trust {
                    "One a line, and those that are checked below. A provider's tokens are for sts:AssumeRoleWithWebIdentity."
                } else {
                    "One a line, with * for any run of characters, such as ecr:Batch*; and those that are checked below."
                }, actions, 2))
                div.actions-of {
                    @for (service, names) in &by_service {
                        details data-actions="" {
                            summary { code { (service) } " " span.quiet.small { (names.len()) " actions" } }
                            @let chosen: Vec<&str> = form.all("st-action").collect();
                            ul.checks { @for name in names {
                                @let action = format!("{service}:{name}");
                                @let id = format!("field-st-{service}-{name}");
                                li {
                                    input type="checkbox" id=(id) name="st-action" value=(action) checked[chosen.contains(&action.as_str())];
                                    label for=(id) { (name) }
                                }
                            } }
                        }
                    }
                }
                @if is_trust {} @else if kind == PolicyOf::Identity {
                    (parts::text_area("st-resources", "With what", "One a line: the ARN of a repository, with * for any run of characters. Nothing is everything.", form.text("st-resources"), 2))
                } @else {
                    (parts::text_area("st-resources", "With what", "Of a registry policy, one a line: ARNs of repositories, with * for any run of characters. That of a repository is about itself and takes none.", form.text("st-resources"), 2))
                }
                fieldset {
                    legend { "Only where" }
                    p.help { "All lines must hold. Several values are one a comma; one of them must fit. Nothing is always." }
                    datalist #st-keys { @for key in keys { option value=(key) {} } }
                    @for index in 0..CONDITIONS {
                        @let name = |field: &str| format!("st-{field}-{index}");
                        @let place = index + 1;
                        div.condition {
                            input name=(name("key")) value=(form.text(&name("key"))) list="st-keys" placeholder=(key) aria-label={ "Key of condition " (place) } autocomplete="off" spellcheck="false";
                            select name=(name("operator")) aria-label={ "Comparison of condition " (place) } {
                                @for (operator, title) in OPERATORS { option value=(operator) selected[form.text(&name("operator")) == operator] { (title) } }
                            }
                            input name=(name("value")) value=(form.text(&name("value"))) placeholder=(value) aria-label={ "Values of condition " (place) } autocomplete="off" spellcheck="false";
                        }
                    }
                }
                div.submit { button.plain type="submit" name="do" value=(ADD) formnovalidate { "Add the statement to the JSON" } }
            }
        }
    }
}

/// Actions by service, as far as policies of a kind can speak of them.
fn actions_of(asked: &Asked<'_>, kind: PolicyOf) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut by_service: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for (service, name) in (asked.visit.actions)() {
        let fits = match kind {
            PolicyOf::Identity => true,
            PolicyOf::Resource => service == "ecr" || service == "tonnage",
            PolicyOf::Trust => service == "sts",
        };
        if fits {
            by_service.entry(service).or_default().push(name);
        }
    }
    for names in by_service.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    by_service
}

/// A policy with the statement of a form at its end.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] when the form or the policy is not whole.
pub(crate) fn added(form: &Form, kind: PolicyOf, text: &str) -> Result<String, Error> {
    let refuse = |told: String| Error::new(ErrorKind::InvalidParameter, told);
    let statement = written(form, kind)?;
    let mut policy: Value = match text.trim() {
        "" => json!({ "Version": "2012-10-17", "Statement": [] }),
        text => serde_json::from_str(text).map_err(|error| {
            refuse(format!("Nothing was added: what is there is no JSON: {error}."))
        })?,
    };
    let Some(members) = policy.as_object_mut() else {
        return Err(refuse("Nothing was added: a policy is a JSON object.".to_owned()));
    };
    let statements = members.entry("Statement").or_insert_with(|| json!([]));
    match statements {
        Value::Array(all) => all.push(statement),
        // One statement may stand there without a list.
        one => *one = json!([one.take(), statement]),
    }
    serde_json::to_string_pretty(&policy).map_err(Error::internal)
}

/// The statement that a form has.
fn written(form: &Form, kind: PolicyOf) -> Result<Value, Error> {
    let refuse = |told: &str| Error::new(ErrorKind::InvalidParameter, told);
    let mut statement = Map::new();
    let sid = form.text("st-sid").trim();
    if !sid.is_empty() {
        if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(refuse("The name of a statement has letters and digits only."));
        }
        statement.insert("Sid".to_owned(), sid.into());
    }
    let effect = match form.text("st-effect") {
        effect @ ("Allow" | "Deny") => effect,
        _ => return Err(refuse("Choose whether the statement allows or denies.")),
    };
    statement.insert("Effect".to_owned(), effect.into());
    if kind != PolicyOf::Identity {
        let principals = form.lines("st-principals");
        let principal = match principals.iter().any(|principal| principal == "*") {
            _ if principals.is_empty() => {
                return Err(refuse("Say who the statement is about: one a line, or *."));
            }
            true => json!("*"),
            false => named_by_kind(principals),
        };
        statement.insert("Principal".to_owned(), principal);
    }
    let mut actions = form.lines("st-actions");
    actions.extend(form.all("st-action").map(str::to_owned));
    actions.sort();
    actions.dedup();
    if actions.is_empty() {
        return Err(refuse("Say which actions the statement is about."));
    }
    statement.insert("Action".to_owned(), one_or_all(actions));
    let mut resources = form.lines("st-resources");
    if kind == PolicyOf::Trust {
        // The role is what it is about.
        resources.clear();
    }
    if resources.is_empty() && kind == PolicyOf::Identity {
        resources.push("*".to_owned());
    }
    if !resources.is_empty() {
        statement.insert("Resource".to_owned(), one_or_all(resources));
    }
    let conditions = conditions(form)?;
    if !conditions.is_empty() {
        statement.insert("Condition".to_owned(), Value::Object(conditions));
    }
    Ok(Value::Object(statement))
}

/// Who is meant, as a policy has them: providers and services under names of their own.
fn named_by_kind(principals: Vec<String>) -> Value {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for principal in principals {
        let kind = if principal.contains(":oidc-provider/") || principal.contains(":saml-provider/")
        {
            "Federated"
        } else if !principal.contains(':') && principal.contains(".amazonaws.com") {
            "Service"
        } else {
            "AWS"
        };
        by_kind.entry(kind).or_default().push(principal);
    }
    by_kind.into_iter().map(|(kind, all)| (kind.to_owned(), one_or_all(all))).collect()
}

fn conditions(form: &Form) -> Result<Map<String, Value>, Error> {
    let mut conditions = Map::new();
    for index in 0..CONDITIONS {
        let field = |field: &str| form.text(&format!("st-{field}-{index}")).trim();
        let (key, operator, value) = (field("key"), field("operator"), field("value"));
        if key.is_empty() && value.is_empty() {
            continue;
        }
        let values: Vec<String> = value
            .split(',')
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect();
        let is_known = OPERATORS.iter().any(|(known, _)| *known == operator);
        if key.is_empty() || values.is_empty() || !is_known {
            let told =
                format!("Condition {}: it takes a key, a comparison and a value.", index + 1);
            return Err(Error::new(ErrorKind::InvalidParameter, told));
        }
        let keys = conditions.entry(operator).or_insert_with(|| json!({}));
        if let Some(keys) = keys.as_object_mut()
            && keys.insert(key.to_owned(), one_or_all(values)).is_some()
        {
            let told = format!("Condition {}: {key} is compared this way already.", index + 1);
            return Err(Error::new(ErrorKind::InvalidParameter, told));
        }
    }
    Ok(conditions)
}

/// One text as itself, several as a list.
fn one_or_all(mut texts: Vec<String>) -> Value {
    match texts.len() {
        1 => texts.pop().unwrap_or_default().into(),
        _ => texts.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes())
    }

    #[test]
    fn statements_of_a_form() {
        let text = "st-effect=Allow&st-sid=Pull&st-principals=111122223333%0Aarn:aws:iam::111122223333:role/x\
                    &st-actions=ecr:Get*&st-action=ecr:BatchGetImage&st-action=ecr:BatchGetImage\
                    &st-resources=arn:x&st-key-0=aws:SourceIp&st-operator-0=IpAddress&st-value-0=10.0.0.0/8,+192.168.0.0/16\
                    &st-key-2=aws:SecureTransport&st-operator-2=Bool&st-value-2=true";
        let condition = json!({
            "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"] },
            "Bool": { "aws:SecureTransport": "true" },
        });
        let actions = json!(["ecr:BatchGetImage", "ecr:Get*"]);
        let resource = json!({
            "Sid": "Pull", "Effect": "Allow", "Action": actions, "Condition": condition,
            "Principal": { "AWS": ["111122223333", "arn:aws:iam::111122223333:role/x"] },
            "Resource": "arn:x",
        });
        assert_eq!(written(&form(text), PolicyOf::Resource).unwrap(), resource);
        let identity = json!({
            "Sid": "Pull", "Effect": "Allow", "Action": actions, "Condition": condition,
            "Resource": "arn:x",
        });
        assert_eq!(written(&form(text), PolicyOf::Identity).unwrap(), identity);
        let provider = "arn:aws:iam::111122223333:oidc-provider/login.example.com";
        let text = format!(
            "st-effect=Allow&st-action=sts:AssumeRoleWithWebIdentity&st-resources=arn:x\
             &st-principals=111122223333%0A{provider}%0Aec2.amazonaws.com"
        );
        let trust = json!({
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {
                "AWS": "111122223333", "Federated": provider, "Service": "ec2.amazonaws.com",
            },
        });
        assert_eq!(written(&form(&text), PolicyOf::Trust).unwrap(), trust);
    }

    #[test]
    fn a_statement_comes_after_what_is_there() {
        let sent = form("st-effect=Deny&st-actions=ecr:*&st-principals=*");
        let one = json!({ "Effect": "Deny", "Action": "ecr:*", "Principal": "*" });
        for (text, expected) in [
            ("", json!({ "Version": "2012-10-17", "Statement": [one] })),
            (r#"{"Statement":{"Sid":"a"}}"#, json!({ "Statement": [{ "Sid": "a" }, one] })),
            (r#"{"Statement":[1,2]}"#, json!({ "Statement": [1, 2, one] })),
            (r#"{"Id":"x"}"#, json!({ "Id": "x", "Statement": [one] })),
        ] {
            let text = added(&sent, PolicyOf::Resource, text).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        }
        for text in ["{", "[]", "1"] {
            assert!(added(&sent, PolicyOf::Resource, text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, told) in [
            ("", "allows or denies"),
            ("st-effect=Allow", "Say who"),
            ("st-effect=Allow&st-principals=*", "which actions"),
            ("st-effect=Allow&st-sid=a+b", "letters and digits"),
            (
                "st-effect=Allow&st-principals=*&st-actions=a:b&st-key-1=k&st-operator-1=Bool",
                "Condition 2",
            ),
            (
                "st-effect=Allow&st-principals=*&st-actions=a:b&st-key-0=k&st-value-0=v&st-operator-0=Maybe",
                "Condition 1",
            ),
        ] {
            let error = written(&form(text), PolicyOf::Resource).unwrap_err();
            assert!(error.message().contains(told), "{text}: {}", error.message());
        }
    }
}
