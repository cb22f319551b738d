//! Where images are copied to, and how far behind the copies are.

use maud::{Markup, html};
use serde_json::Value;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::registries::describe::{DescribeRegistry, RegistryDescription};
use tonnage_domain::replication::describe_replication::DestinationStatus;
use tonnage_domain::replication::describe_replication_matrix::{
    DescribeReplicationMatrix, FailedCopy, ReplicationMatrix,
};
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::retry::{Retried, RetryReplication};
use tonnage_domain::replication::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule,
};

use super::super::asked::{Asked, Part};
use super::super::form::Form;
use super::super::forms;
use super::super::parts;
use super::super::recorded::replication_configuration;
use super::super::reply::{Page, Reply};
use crate::format;

/// Rules that a registry can have.
const RULES_MAX: usize = 10;
/// Batches of failed copies that one click looks at.
const RETRIES_MAX: usize = 50;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let registry = asked.part(DescribeRegistry).await?;
    let matrix = asked.part(DescribeReplicationMatrix).await?;
    Ok(forms::shown(page(asked, &registry, &matrix, refused), refused))
}

/// A rule as the form has it.
struct Written {
    destinations: String,
    prefixes: String,
    deletes: bool,
}

impl Written {
    fn of(rule: &ReplicationRule) -> Self {
        let destinations = rule.destinations.iter();
        Self {
            destinations: destinations
                .map(|destination| format!("{} {}", destination.region, destination.account))
                .collect::<Vec<_>>()
                .join("\n"),
            prefixes: rule.prefixes.join("\n"),
            deletes: rule.delete_replication == Some(true),
        }
    }

    /// The rule of a number that a form was sent with.
    fn sent(form: &Form, index: usize) -> Self {
        Self {
            destinations: form.text(&format!("destinations-{index}")).to_owned(),
            prefixes: form.text(&format!("prefixes-{index}")).to_owned(),
            deletes: form.checked(&format!("deletes-{index}")),
        }
    }

    fn is_empty(&self) -> bool {
        self.destinations.trim().is_empty() && self.prefixes.trim().is_empty()
    }
}

pub(crate) fn page(
    asked: &Asked<'_>,
    registry: &Part<RegistryDescription>,
    matrix: &Part<ReplicationMatrix>,
    refused: Option<&Error>,
) -> Page {
    let content = html! {
        (parts::refusal(refused))
        (matrix_section(asked, matrix))
        @if let Ok(matrix) = matrix { (failed_section(asked, &matrix.failed)) }
        section aria-labelledby="rules" {
            h2 #rules { "Rules" }
            @match registry {
                Err(error) => (parts::denied("What is copied where", error)),
                Ok(registry) => (rules_forms(asked, &registry.replication)),
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr describe-registry", &[]),
            parts::aws(asked, "ecr put-replication-configuration", &[("replication-configuration", "file://replication.json")]),
            "tonnage replication status".to_owned(),
            "tonnage replication retry".to_owned(),
        ]))
    };
    super::page(asked, "Replication", content)
}

/// Registries of the account by destinations, each pair with its state and a way to try again.
fn matrix_section(asked: &Asked<'_>, matrix: &Part<ReplicationMatrix>) -> Markup {
    html! {
        section aria-labelledby="status" {
            h2 #status { "From where to where" }
            @match matrix {
                Err(error) => (parts::denied("How far behind copies are", error)),
                Ok(matrix) if matrix.sources.is_empty() => p.quiet {
                    "Nothing is copied anywhere. With a rule below, whatever is pushed after it is; "
                    code { "tonnage replication" } " can bring what is there already."
                },
                Ok(matrix) => (matrix_table(asked, matrix)),
            }
        }
    }
}

fn matrix_table(asked: &Asked<'_>, matrix: &ReplicationMatrix) -> Markup {
    let all = matrix.sources.iter().flat_map(|(_, statuses)| statuses);
    let mut columns: Vec<&ReplicationDestination> = all.map(|status| &status.destination).collect();
    columns.sort();
    columns.dedup();
    html! {
        p.quiet { "Regions of this account on the left, destinations above. Other pages show only " (asked.context.region) "." }
        div."box"."scroll" tabindex="0" role="group" aria-label="Replication" {
            table.matrix {
                thead { tr {
                    th scope="col" { "From" }
                    @for destination in &columns { th scope="col" {
                        (destination.region)
                        @if destination.account != asked.context.account.as_str() { br; span.light { (destination.account) } }
                    } }
                } }
                tbody { @for (region, statuses) in &matrix.sources { tr {
                    th scope="row" {
                        (region)
                        @if *region == asked.context.region { " " (parts::badge("", "this page")) }
                    }
                    @for destination in &columns {
                        @match statuses.iter().find(|status| status.destination == **destination) {
                            None => td { span.quiet { "–" } },
                            Some(status) => (cell(asked, region, status)),
                        }
                    }
                } } }
            }
        }
        div.submit { (parts::button(asked, &asked.path("registry/replication"), "Try again what failed here", &[("do", "retry")])) }
    }
}

fn cell(asked: &Asked<'_>, source: &Region, status: &DestinationStatus) -> Markup {
    let now = asked.context.now;
    let ReplicationDestination { region, account } = &status.destination;
    html! { td {
        (state(status))
        ul.lines {
            @if status.waiting > 0 { li {
                (counted(status.waiting)) " waiting"
                @if let Some(at) = status.oldest_at { ", behind by " strong { (format::span(now.0.saturating_sub(at.0))) } }
            } }
            @if status.failed_in_last_day > 0 { li { (counted(status.failed_in_last_day)) " failed in a day" } }
            li.quiet { @match status.last_completed_at { Some(at) => { "last copy " (format::moment(at)) } None => "no copy yet" } }
        }
        @if status.failed_in_last_day > 0 && status.is_configured {
            (parts::button(asked, &asked.path("registry/replication"), "Try again", &[
                ("do", "retry"), ("source", source.as_str()), ("region", region), ("account", account),
            ]))
        }
    } }
}

fn failed_section(asked: &Asked<'_>, failed: &[FailedCopy]) -> Markup {
    html! {
        @if !failed.is_empty() {
            section aria-labelledby="failed" {
                h2 #failed { "Copies that failed" }
                p.quiet { "Of images of " (asked.context.region) ", the last ones first." }
                (parts::table("Copies that failed", &["Repository", "Image", "To", "When", "Why"], &html! {
                    @for copy in failed { tr {
                        th scope="row" { a href=(asked.repository_path(&copy.repository, "")) { (copy.repository) } }
                        td {
                            a.mono href=(asked.repository_path(&copy.repository, &format!("images/{}", copy.digest))) { (format::short(copy.digest.as_str())) }
                            @for tag in copy.tags.iter().take(3) { " " (parts::badge("", tag.as_str())) }
                        }
                        td { (copy.destination.region) @if copy.destination.account != asked.context.account.as_str() { " of " (copy.destination.account) } }
                        td { @if let Some(at) = copy.ended_at { (format::moment(at)) } }
                        td { @match &copy.failure_code { Some(code) => code { (code) }, None => span.quiet { "not said" } } }
                    } }
                }))
            }
        }
    }
}

fn state(row: &DestinationStatus) -> Markup {
    html! {
        @if !row.is_configured { (parts::badge("", "no rule any more")) }
        @else if row.failed_in_last_day > 0 { (parts::badge("bad", "copies failed")) }
        @else if row.waiting > 0 { (parts::badge("warn", "behind")) }
        @else { (parts::badge("good", "up to date")) }
    }
}

fn counted(count: u64) -> String {
    let more = i64::try_from(count).is_ok_and(|count| count >= DestinationStatus::COUNTED_MAX);
    format!("{}{}", format::number(count), if more { "+" } else { "" })
}

fn rules_forms(asked: &Asked<'_>, stored: &ReplicationConfiguration) -> Markup {
    let path = asked.path("registry/replication");
    let is_sent = asked.form.text("do") == "save";
    let mut rules: Vec<Written> = match is_sent {
        true => (0..RULES_MAX)
            .map(|index| Written::sent(&asked.form, index))
            .filter(|rule| !rule.is_empty())
            .collect(),
        false => stored.rules.iter().map(Written::of).collect(),
    };
    if rules.len() < RULES_MAX {
        rules.push(Written {
            destinations: String::new(),
            prefixes: String::new(),
            deletes: false,
        });
    }
    let json = match asked.form.text("do") {
        "save-json" => asked.form.text("json").to_owned(),
        _ => as_json(stored),
    };
    html! {
        (parts::form(asked, &path, &html! {
            @for (index, rule) in rules.iter().enumerate() {
                fieldset.rule {
                    legend { @if rule.is_empty() { "Another rule" } @else { "Rule " (index + 1) } }
                    (parts::text_area(&format!("destinations-{index}"), "Destinations", "One a line: a region such as eu-west-1, and the account if it is another one.", &rule.destinations, 2))
                    (parts::text_area(&format!("prefixes-{index}"), "Only repositories that begin with", "One beginning a line; nothing is all repositories.", &rule.prefixes, 2))
                    (parts::check(&format!("deletes-{index}"), "Delete there what is deleted here", "", rule.deletes))
                }
            }
            p.quiet { "A rule without destinations is left out." }
            div.submit { button type="submit" name="do" value="save" { "Save rules" } }
        }))
        details open[asked.form.text("do") == "save-json"] {
            summary { "The rules as JSON" }
            (parts::form(asked, &path, &html! {
                (parts::text_area("json", "Replication configuration", "As the API has it.", &json, 16))
                div.submit { button.plain type="submit" name="do" value="save-json" { "Save JSON" } }
            }))
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let path = asked.path("registry/replication");
    let configuration = match asked.form.text("do") {
        "save" => from_form(&asked.form, &asked.context.account),
        "save-json" => from_json(asked.form.text("json")),
        "retry" => return retry(asked, path).await,
        _ => return Ok(Reply::Missing),
    };
    let saved = match configuration {
        Ok(configuration) => asked.run(PutReplicationConfiguration { configuration }).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(saved) => {
            let rules = format::count(saved.rules.len() as u64, "rule", "rules");
            Ok(Reply::done(path, format!("Saved: {rules}.")))
        }
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

async fn retry(asked: &Asked<'_>, path: String) -> Result<Reply, Error> {
    let source = match asked.form.optional("source").map(Region::parse) {
        None => asked.context.region.clone(),
        Some(Ok(region)) => region,
        Some(Err(error)) => return Err(Error::invalid_parameter("source", error)),
    };
    let destination = asked.form.optional("region").map(|region| ReplicationDestination {
        region: region.to_owned(),
        account: asked.form.text("account").to_owned(),
    });
    let mut all = Retried::default();
    for _ in 0..RETRIES_MAX {
        let destination = destination.clone();
        let retry = RetryReplication { repository: None, destination, after: all.next };
        match asked.run_in(source.clone(), retry).await {
            Ok(retried) => {
                all.images += retried.images;
                all.settings += retried.settings;
                all.jobs += retried.jobs;
                all.next = retried.next;
            }
            failed => return forms::came(failed, path, ""),
        }
        if all.next.is_none() {
            break;
        }
    }
    let images = format::count(all.images, "image", "images");
    let settings = format::count(all.settings, "setting", "settings");
    let jobs = format::count(all.jobs, "job", "jobs");
    let more = if all.next.is_some() { " There is more: do it again." } else { "" };
    Ok(Reply::done(path, format!("Queued again: {images}, {settings} and {jobs}.{more}")))
}

fn from_form(form: &Form, account: &AccountId) -> Result<ReplicationConfiguration, Error> {
    let mut rules = Vec::new();
    for index in 0..RULES_MAX {
        let written = Written::sent(form, index);
        if written.is_empty() {
            continue;
        }
        let prefixes = form.lines(&format!("prefixes-{index}"));
        for prefix in &prefixes {
            forms::require(
                prefix.len() >= 2 && super::is_filter(prefix, false),
                format!(
                    "Rule {}: no repository begins with \"{prefix}\". A beginning has 2 to 256 lower-case letters, digits and ._-/.",
                    index + 1
                ),
            )?;
        }
        let destinations = form.lines(&format!("destinations-{index}"));
        let destinations = destinations.iter().map(|line| destination(line, account, index));
        rules.push(ReplicationRule {
            destinations: destinations.collect::<Result<_, _>>()?,
            prefixes,
            delete_replication: written.deletes.then_some(true),
        });
    }
    Ok(ReplicationConfiguration { rules })
}

/// A region, and an account unless it is the own one.
fn destination(
    line: &str,
    account: &AccountId,
    index: usize,
) -> Result<ReplicationDestination, Error> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(region), other, None) => Ok(ReplicationDestination {
            region: region.to_owned(),
            account: other.map_or_else(|| account.to_string(), str::to_owned),
        }),
        _ => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "Rule {}: \"{line}\" is no destination. Write a region, and after a space the account if it is another one.",
                index + 1
            ),
        )),
    }
}

fn as_json(configuration: &ReplicationConfiguration) -> String {
    let value = replication_configuration(configuration);
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

/// A configuration as the API has it; nothing in it is passed over.
fn from_json(text: &str) -> Result<ReplicationConfiguration, Error> {
    let refuse = |told: String| Error::new(ErrorKind::InvalidParameter, told);
    let value: Value =
        serde_json::from_str(text).map_err(|error| refuse(format!("This is no JSON: {error}.")))?;
    let mut rules = Vec::new();
    for rule in list(&value, "$", "rules", &["rules"])? {
        let path = format!("$.rules[{}]", rules.len());
        let known = ["destinations", "repositoryFilters", "deleteReplication"];
        let mut destinations = Vec::new();
        for destination in list(rule, &path, "destinations", &known)? {
            let path = format!("{path}.destinations[{}]", destinations.len());
            only(destination, &path, &["region", "registryId"])?;
            destinations.push(ReplicationDestination {
                region: text_of(destination, &path, "region")?,
                account: text_of(destination, &path, "registryId")?,
            });
        }
        let mut prefixes = Vec::new();
        let filters = match rule.get("repositoryFilters") {
            None => &[][..],
            Some(_) => list(rule, &path, "repositoryFilters", &known)?,
        };
        for filter in filters {
            let path = format!("{path}.repositoryFilters[{}]", prefixes.len());
            only(filter, &path, &["filter", "filterType"])?;
            if text_of(filter, &path, "filterType")? != "PREFIX_MATCH" {
                return Err(refuse(format!("{path}.filterType must be \"PREFIX_MATCH\".")));
            }
            let prefix = text_of(filter, &path, "filter")?;
            let fits = prefix.len() >= 2 && super::is_filter(&prefix, false);
            forms::require(
                fits,
                format!("{path}.filter: no repository begins with \"{prefix}\"."),
            )?;
            prefixes.push(prefix);
        }
        let deletion = rule.get("deleteReplication").map(|deletion| {
            let path = format!("{path}.deleteReplication");
            only(deletion, &path, &["enabled"])?;
            let enabled = deletion.get("enabled").and_then(Value::as_bool);
            enabled.ok_or_else(|| refuse(format!("{path}.enabled must be true or false.")))
        });
        rules.push(ReplicationRule {
            destinations,
            prefixes,
            delete_replication: deletion.transpose()?,
        });
    }
    Ok(ReplicationConfiguration { rules })
}

/// The list of a member, in an object that has no others than known ones.
fn list<'v>(
    value: &'v Value,
    path: &str,
    name: &str,
    known: &[&str],
) -> Result<&'v [Value], Error> {
    only(value, path, known)?;
    let items = value.get(name).and_then(Value::as_array);
    items.map(Vec::as_slice).ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("{path}.{name} must be a list."))
    })
}

fn only(value: &Value, path: &str, known: &[&str]) -> Result<(), Error> {
    let Some(members) = value.as_object() else {
        return Err(Error::new(ErrorKind::InvalidParameter, format!("{path} must be an object.")));
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("{path} has a member \"{name}\"; known are {}.", known.join(", ")),
        )),
    }
}

fn text_of(value: &Value, path: &str, name: &str) -> Result<String, Error> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::InvalidParameter, format!("{path}.{name} must be a text."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        AccountId::parse("123456789012").unwrap()
    }

    #[test]
    fn rules_of_a_form() {
        let form = Form::parse(
            b"destinations-0=eu-west-1%0Aus-west-2+210987654321&prefixes-0=team/&deletes-0=yes&destinations-3=eu-north-1",
        );
        let configuration = from_form(&form, &account()).unwrap();
        let expected = r#"{"rules":[{"destinations":[{"region":"eu-west-1","registryId":"123456789012"},{"region":"us-west-2","registryId":"210987654321"}],"repositoryFilters":[{"filter":"team/","filterType":"PREFIX_MATCH"}],"deleteReplication":{"enabled":true}},{"destinations":[{"region":"eu-north-1","registryId":"123456789012"}]}]}"#;
        assert_eq!(from_json(expected).unwrap(), configuration);
        assert_eq!(from_json(&as_json(&configuration)).unwrap(), configuration);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (form, told) in [
            ("destinations-0=eu-west-1+1+2", "Rule 1: \"eu-west-1 1 2\" is no destination"),
            (
                "destinations-1=eu-west-1&prefixes-1=Team",
                "Rule 2: no repository begins with \"Team\"",
            ),
        ] {
            let error = from_form(&Form::parse(form.as_bytes()), &account()).unwrap_err();
            assert!(error.message().contains(told), "{}", error.message());
        }
        for (json, told) in [
            ("{", "no JSON"),
            ("[]", "$ must be an object"),
            ("{}", "$.rules must be a list"),
            (r#"{"rules":[],"more":1}"#, "\"more\""),
            (
                r#"{"rules":[{"destinations":[{"region":1}]}]}"#,
                "$.rules[0].destinations[0].region must be a text",
            ),
            (
                r#"{"rules":[{"destinations":[],"repositoryFilters":[{"filter":"ab","filterType":"X"}]}]}"#,
                "must be \"PREFIX_MATCH\"",
            ),
            (
                r#"{"rules":[{"destinations":[],"deleteReplication":{}}]}"#,
                "enabled must be true or false",
            ),
        ] {
            let error = from_json(json).unwrap_err();
            assert!(error.message().contains(told), "{json}: {}", error.message());
        }
    }
}
