//! Rules of the pull-through cache.

use maud::{Markup, html};
use secrecy::SecretString;
use serde_json::json;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::pages::{Page as Items, PageRequest};
use tonnage_domain::pull_through::create::CreatePullThroughCacheRule;
use tonnage_domain::pull_through::delete::DeletePullThroughCacheRule;
use tonnage_domain::pull_through::describe::DescribePullThroughCacheRules;
use tonnage_domain::pull_through::registries::UpstreamRegistry;
use tonnage_domain::pull_through::rules::Rule;
use tonnage_domain::pull_through::update::UpdatePullThroughCacheRule;
use tonnage_domain::pull_through::validate::ValidatePullThroughCacheRule;
use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::put_secret_value::PutSecretValue;
use tonnage_domain::secrets::{SecretId, SecretName, Value};

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use crate::format;

const PAGE: u32 = 50;
/// The most characters of a prefix (botocore `ecr`, `PullThroughCacheRuleRepositoryPrefix`).
const PREFIX_MAX: usize = 30;
/// How the names of secrets begin that rules may use (ECR user guide, "Storing your upstream
/// repository credentials").
const SECRET_PREFIX: &str = "ecr-pullthroughcache/";

/// Upstream registries of the form: AWS's name of it, title, what to know.
const UPSTREAMS: [(&str, &str, &str); 10] = [
    ("docker-hub", "Docker Hub", "registry-1.docker.io. Wants a user name and an access token."),
    ("ecr-public", "Amazon ECR Public", "public.ecr.aws. Open to everybody."),
    (
        "github-container-registry",
        "GitHub",
        "ghcr.io. Wants a user name and a token that reads packages.",
    ),
    ("quay", "Quay", "quay.io. Open to everybody."),
    ("k8s", "Kubernetes", "registry.k8s.io. Open to everybody."),
    ("gitlab-container-registry", "GitLab", "registry.gitlab.com. Wants a user name and a token."),
    ("chainguard", "Chainguard", "cgr.dev. Wants a user name and a token."),
    (
        "azure-container-registry",
        "Azure",
        "Give its host below, NAME.azurecr.io. Wants a user name and a password.",
    ),
    (
        "ecr",
        "Another ECR registry",
        "Give its host below, ACCOUNT.dkr.ecr.REGION.amazonaws.com, and a role.",
    ),
    ("", "Another host", "Give its host below. The operator of this server must have allowed it."),
];

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let describe = DescribePullThroughCacheRules {
        registry_id: None,
        prefixes: Vec::new(),
        page: asked.page(PAGE),
    };
    let rules = asked.part(describe).await?;
    Ok(list_page(asked, &rules).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, rules: &Part<Items<Rule>>) -> Page {
    let create =
        html! { a.button href=(asked.path("registry/pull-through/-/create")) { "Create rule" } };
    let content = html! {
        @match rules {
            Err(error) => (parts::denied("The list of rules", error)),
            Ok(rules) if rules.items.is_empty() => (parts::empty("Nothing is cached yet", &html! {
                p {
                    "With a rule, images of another registry are pulled from here: with the prefix " code { "hub" } " for Docker Hub, "
                    code { "docker pull " (asked.registry()) "/hub/library/alpine" }
                    " fetches the image once and has it from then on, also while Docker Hub does not answer."
                }
                p { a.button href=(asked.path("registry/pull-through/-/create")) { "Create a rule" } }
            })),
            Ok(rules) => {
                (parts::table("Rules", &["Prefix", "Upstream", "Credentials", "Changed"], &html! {
                    @for rule in &rules.items { tr {
                        th scope="row" { a href=(rule_path(asked, &rule.given_prefix)) { (rule.given_prefix) } }
                        td { code { (rule.upstream_url) } @if let Some(prefix) = &rule.given_upstream_prefix { " " span.quiet { "below " (prefix) } } }
                        td { (credentials(rule)) }
                        td { (format::day(rule.updated_at)) }
                    } }
                }))
                (parts::pages(asked, "registry/pull-through", &[], rules.next.as_deref()))
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr describe-pull-through-cache-rules", &[]),
            parts::aws(asked, "ecr create-pull-through-cache-rule", &[("ecr-repository-prefix", "hub"), ("upstream-registry-url", "registry-1.docker.io"), ("credential-arn", &some_secret(asked))]),
        ]))
    };
    super::page(asked, "Pull through cache", content).with_actions(create)
}

fn credentials(rule: &Rule) -> Markup {
    html! {
        @match (&rule.credential_arn, &rule.custom_role_arn) {
            (Some(arn), _) => { "secret " code { (secret_name(arn)) } },
            (None, Some(arn)) => { "role " code { (arn.rsplit('/').next().unwrap_or_default()) } },
            (None, None) => span.quiet { "none" },
        }
    }
}

fn secret_name(arn: &str) -> &str {
    arn.splitn(7, ':').nth(6).unwrap_or(arn)
}

/// The ARN of a secret as commands name it; its end is of chance.
fn some_secret(asked: &Asked<'_>) -> String {
    let (account, region) = (&asked.context.account, &asked.context.region);
    format!("arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/hub-AbCdEf")
}

fn rule_path(asked: &Asked<'_>, prefix: &str) -> String {
    asked.path_with("registry/pull-through/-/rule", &[("prefix", prefix)])
}

pub(crate) async fn show_create(asked: &Asked<'_>) -> Result<Reply, Error> {
    Ok(create_page(asked, None).into())
}

pub(crate) fn create_page(asked: &Asked<'_>, refused: Option<&Error>) -> Page {
    let form = &asked.form;
    let kind = if form.checked("prefix") { form.text("kind") } else { "docker-hub" };
    let content = html! {
        (parts::refusal(refused))
        (parts::form(asked, &asked.path("registry/pull-through/-/create"), &html! {
            (parts::choice("kind", "Which registry", kind, &UPSTREAMS))
            (Field { name: "url", label: "Host", value: form.text("url"), help: "Only where the registry above has none of its own; without https://.", ..Field::default() }.render())
            (Field { name: "prefix", label: "Prefix here", value: form.text("prefix"), help: "Repositories that begin so are the cache, such as hub; ROOT for all that exist nowhere else.", required: true, ..Field::default() }.render())
            (Field { name: "upstream-prefix", label: "Prefix there", value: form.text("upstream-prefix"), help: "Optional: only what is below it, such as library.", ..Field::default() }.render())
            fieldset {
                legend { "Credentials" }
                p.help { "For registries that want some. Give either a user name with a token, which is kept as a secret, or a secret that is there already." }
                (Field { name: "user", label: "User name", value: form.text("user"), ..Field::default() }.render())
                (Field { name: "token", label: "Access token", kind: "password", autocomplete: "new-password", ..Field::default() }.render())
                (Field { name: "secret", label: "ARN of a secret", value: form.text("secret"), help: "Its name begins with ecr-pullthroughcache/.", ..Field::default() }.render())
                (Field { name: "role", label: "ARN of a role", value: form.text("role"), help: "For another ECR registry only.", ..Field::default() }.render())
            }
            div.submit {
                button type="submit" name="do" value="validate" { "Create and validate" }
                button.plain type="submit" name="do" value="create" { "Create rule" }
                a href=(asked.path("registry/pull-through")) { "Cancel" }
            }
        }))
        (parts::same_with_aws(&[
            parts::aws(asked, "secretsmanager create-secret", &[("name", "ecr-pullthroughcache/hub"), ("secret-string", "file://credentials.json")]),
            parts::aws(asked, "ecr create-pull-through-cache-rule", &[("ecr-repository-prefix", "hub"), ("upstream-registry-url", "registry-1.docker.io"), ("credential-arn", &some_secret(asked))]),
        ]))
    };
    super::page(asked, "Create rule", content)
        .under("Pull through cache", asked.path("registry/pull-through"))
}

pub(crate) async fn create(asked: &Asked<'_>) -> Result<Reply, Error> {
    let rule = match try_create(asked).await {
        Ok(rule) => rule,
        Err(error) if parts::is_mendable(&error) => {
            return Ok(forms::shown(create_page(asked, Some(&error)), Some(&error)));
        }
        Err(error) => return Err(error),
    };
    let prefix = rule.given_prefix;
    let path = rule_path(asked, &prefix);
    if asked.form.text("do") != "validate" {
        let told = format!(
            "The rule {prefix} is created. Validate it to see whether the upstream answers."
        );
        return Ok(Reply::done(path, told));
    }
    let validate = ValidatePullThroughCacheRule { registry_id: None, prefix: prefix.clone() };
    let failure = match asked.run(validate).await {
        Ok(validation) => validation.failure,
        Err(error) if parts::is_mendable(&error) => Some(error.message().to_owned()),
        Err(error) => return Err(error),
    };
    Ok(match failure {
        None => Reply::done(
            path,
            format!(
                "The rule {prefix} is created; the upstream registry answers and takes what it has."
            ),
        ),
        Some(failure) => Reply::failed(
            path,
            format!(
                "The rule {prefix} is created, but the upstream registry did not take it: {failure}"
            ),
        ),
    })
}

async fn try_create(asked: &Asked<'_>) -> Result<Rule, Error> {
    let form = &asked.form;
    let optional = |name: &str| form.optional(name).map(str::to_owned);
    let prefix = form.text("prefix").trim().to_owned();
    forms::require(prefix.len() >= 2, "A prefix has at least two characters.")?;
    super::check_prefix(&prefix, PREFIX_MAX)?;
    let upstream_prefix = optional("upstream-prefix");
    if let Some(prefix) = &upstream_prefix {
        super::check_prefix(prefix, PREFIX_MAX)?;
    }
    let upstream_registry = UpstreamRegistry::parse(form.text("kind"));
    let own_host = upstream_registry.and_then(UpstreamRegistry::host);
    let upstream_url = optional("url").or_else(|| own_host.map(str::to_owned));
    let Some(upstream_url) = upstream_url else {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            "Give the host of the registry: it has none that all its users share.",
        ));
    };
    let credential_arn = match optional("user") {
        Some(user) => {
            forms::require(
                !form.text("token").is_empty(),
                "Give the access token that belongs to the user name.",
            )?;
            Some(keep_credentials(asked, &prefix, &user).await?)
        }
        None => optional("secret"),
    };
    let create = CreatePullThroughCacheRule {
        registry_id: None,
        prefix,
        upstream_url,
        upstream_registry,
        upstream_prefix,
        credential_arn,
        custom_role_arn: optional("role"),
    };
    asked.run(create).await
}

/// Keeps a user name and a token as a secret of the rule, which an earlier attempt perhaps made; its
/// ARN.
async fn keep_credentials(asked: &Asked<'_>, prefix: &str, user: &str) -> Result<String, Error> {
    let name = SecretName::parse(&format!("{SECRET_PREFIX}{}", prefix.trim_end_matches('/')))?;
    let value = || {
        let text = json!({ "username": user, "accessToken": asked.form.text("token") });
        Value::Text(SecretString::from(text.to_string()))
    };
    // Each request has an id of its own, which is as good for a version.
    let version = || Some(asked.context.request_id.clone());
    let create = CreateSecret {
        name: name.clone(),
        description: Some("Credentials of a pull through cache rule".to_owned()),
        tags: Vec::new(),
        value: Some(value()),
        token: version(),
    };
    let stored = match asked.run(create).await {
        Err(exists) if exists.kind() == ErrorKind::EntityAlreadyExists => {
            let (account, region) = (asked.context.account, asked.context.region.clone());
            let id = SecretId::of_name(account, region, name);
            let put = PutSecretValue { id, value: value(), token: version(), stages: Vec::new() };
            asked.run(put).await?
        }
        created => created?,
    };
    Ok(stored.secret.arn)
}

async fn find(asked: &Asked<'_>, prefix: &str) -> Result<Option<Rule>, Error> {
    let describe = DescribePullThroughCacheRules {
        registry_id: None,
        prefixes: vec![prefix.to_owned()],
        page: PageRequest { after: None, limit: 1 },
    };
    Ok(asked.run(describe).await?.items.into_iter().next())
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let prefix = asked.query.text("prefix");
    match find(asked, prefix).await? {
        Some(rule) => Ok(page(asked, &rule, None).into()),
        None => Ok(Reply::Missing),
    }
}

pub(crate) fn page(asked: &Asked<'_>, rule: &Rule, refused: Option<&Error>) -> Page {
    let prefix = &rule.given_prefix;
    let path = asked.path("registry/pull-through/-/rule");
    let below = match prefix.as_str() {
        "ROOT" => String::new(),
        prefix => format!("{}/", prefix.trim_end_matches('/')),
    };
    let example = if rule.upstream_registry == UpstreamRegistry::DockerHub {
        "library/alpine"
    } else {
        "NAME"
    };
    let content = html! {
        (parts::refusal(refused))
        (parts::facts(&[
            ("Upstream", html! { code { (rule.upstream_url) } }),
            ("Prefix there", html! { @match &rule.given_upstream_prefix { Some(prefix) => code { (prefix) }, None => span.quiet { "none" } } }),
            ("Credentials", credentials(rule)),
            ("Created", format::moment(rule.created_at)),
            ("Changed", format::moment(rule.updated_at)),
        ]))
        section aria-labelledby="use" {
            h2 #use { "Pull through it" }
            (parts::copy(&format!("docker pull {}/{below}{example}", asked.registry())))
        }
        section aria-labelledby="validate" {
            h2 #validate { "Does it work?" }
            p.quiet { "Asks the upstream registry whether it answers and takes the credentials." }
            (parts::button(asked, &path, "Validate", &[("do", "validate"), ("prefix", prefix)]))
        }
        section aria-labelledby="credentials" {
            h2 #credentials { "Credentials" }
            (parts::form(asked, &path, &html! {
                input type="hidden" name="prefix" value=(prefix);
                input type="hidden" name="do" value="update";
                (Field { name: "secret", label: "ARN of a secret", value: rule.credential_arn.as_deref().unwrap_or_default(), help: "Its name begins with ecr-pullthroughcache/.", ..Field::default() }.render())
                (Field { name: "role", label: "ARN of a role", value: rule.custom_role_arn.as_deref().unwrap_or_default(), help: "For another ECR registry only.", ..Field::default() }.render())
                div.submit { button.plain type="submit" { "Save credentials" } }
            }))
        }
        (forms::end(asked, &path, "Delete rule", prefix, &html! {
            p { "Repositories that it filled stay with their images; nothing new comes from upstream." }
            input type="hidden" name="prefix" value=(prefix);
        }))
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr validate-pull-through-cache-rule", &[("ecr-repository-prefix", prefix)]),
            parts::aws(asked, "ecr update-pull-through-cache-rule", &[("ecr-repository-prefix", prefix), ("credential-arn", &some_secret(asked))]),
            parts::aws(asked, "ecr delete-pull-through-cache-rule", &[("ecr-repository-prefix", prefix)]),
        ]))
    };
    super::page(asked, prefix, content)
        .under("Pull through cache", asked.path("registry/pull-through"))
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let prefix = asked.form.text("prefix").to_owned();
    let path = rule_path(asked, &prefix);
    let registry_id = None;
    match asked.form.text("do") {
        "validate" => match asked.run(ValidatePullThroughCacheRule { registry_id, prefix }).await {
            Ok(validation) => Ok(match validation.failure {
                None => {
                    Reply::done(path, "The upstream registry answers and takes what the rule has.")
                }
                Some(failure) => Reply::failed(path, failure),
            }),
            failed => forms::came(failed, path, ""),
        },
        "update" => {
            let update = UpdatePullThroughCacheRule {
                registry_id,
                prefix,
                credential_arn: asked.form.optional("secret").map(str::to_owned),
                custom_role_arn: asked.form.optional("role").map(str::to_owned),
            };
            forms::came(asked.run(update).await, path, "The credentials are saved.")
        }
        "delete" => {
            let deleted = match forms::confirmed(asked, &prefix) {
                Ok(()) => {
                    let delete = DeletePullThroughCacheRule { registry_id, prefix: prefix.clone() };
                    asked.run(delete).await.map(drop)
                }
                Err(error) => Err(error),
            };
            match deleted {
                Ok(()) => Ok(Reply::done(
                    asked.path("registry/pull-through"),
                    format!("The rule {prefix} is deleted."),
                )),
                failed => forms::came(failed, path, ""),
            }
        }
        _ => Ok(Reply::Missing),
    }
}
