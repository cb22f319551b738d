//! May somebody do something, and why.

use maud::{Markup, html};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::simulation::{SimulatePrincipalPolicy, Simulated, Simulation};
use tonnage_domain::policies::explain::{ExplainPolicy, Explanation};

use super::asked::Asked;
use super::parts::{self, Field};
use super::reply::{Page, Reply};

/// What came of a question.
pub(crate) enum Answer {
    /// The decision of the registry, with all that it was made from.
    Explained(Explanation),
    /// The decision from policies of people alone.
    Simulated(Vec<Simulated>),
    /// The question has a mistake, or may not be asked.
    Refused(Error),
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let query = &asked.query;
    let question = (query.optional("principal"), query.optional("action"));
    let answer = match question {
        (Some(principal), Some(action)) => Some(answer(asked, principal, action).await?),
        _ => None,
    };
    Ok(page(asked, answer.as_ref()).into())
}

async fn answer(asked: &Asked<'_>, principal: &str, action: &str) -> Result<Answer, Error> {
    let resource = asked.query.optional("resource").unwrap_or("*");
    let explain = ExplainPolicy {
        management_account: asked.app.management_account,
        principal: principal.to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        keys: Vec::new(),
    };
    match asked.run(explain).await {
        Ok(explanation) => return Ok(Answer::Explained(explanation)),
        Err(error) if error.kind() == ErrorKind::AccessDenied => {}
        Err(error) if parts::is_mendable(&error) => return Ok(Answer::Refused(error)),
        Err(error) => return Err(error),
    }
    // Whoever may not see all policies may still see what those of one user say.
    let simulation = Simulation {
        actions: vec![action.to_owned()],
        resources: vec![resource.to_owned()],
        ..Simulation::default()
    };
    let simulate = SimulatePrincipalPolicy { source_arn: principal.to_owned(), simulation };
    match asked.run(simulate).await {
        Ok(results) => Ok(Answer::Simulated(results)),
        Err(error) if parts::is_mendable(&error) => Ok(Answer::Refused(error)),
        Err(error) => Err(error),
    }
}

/// The commands that ask the same; of the root of an account, IAM has no policies to simulate.
fn commands(principal: &str, action: &str, resource: &str) -> Vec<String> {
    let mut commands = vec![format!(
        "tonnage policy explain --principal {} --action {} --resource {}",
        parts::shell(principal),
        parts::shell(action),
        parts::shell(resource)
    )];
    if !principal.ends_with(":root") {
        let simulate = parts::aws_global(
            "iam simulate-principal-policy",
            &[
                ("policy-source-arn", principal),
                ("action-names", action),
                ("resource-arns", resource),
            ],
        );
        commands.insert(0, simulate);
    }
    commands
}

pub(crate) fn page(asked: &Asked<'_>, answer: Option<&Answer>) -> Page {
    let query = &asked.query;
    let principal = query.optional("principal").unwrap_or(&asked.session.principal.arn);
    let action = query.optional("action").unwrap_or("ecr:BatchGetImage");
    let all =
        format!("arn:aws:ecr:{}:{}:repository/*", asked.context.region, asked.context.account);
    let resource = query.optional("resource").unwrap_or(&all);
    let content = html! {
        p { "Asks the policies of this registry as a request would, and changes nothing." }
        form action=(asked.path("simulator")) method="get" {
            (Field { name: "principal", label: "Who", value: principal, required: true,
                help: "The ARN of a user, a role, or the root of an account.", ..Field::default() }.render())
            div.row {
                label for="field-action" { "Does what" }
                p.help id="field-action-help" { "Such as ecr:PutImage or ecr:DeleteRepository; typing a part of it offers what there is." }
                input #field-action name="action" value=(action) list="actions" autocomplete="off" spellcheck="false" autocapitalize="none" required aria-describedby="field-action-help";
                datalist #actions { @for (service, name) in (asked.visit.actions)() { option value={ (service) ":" (name) } {} } }
            }
            (Field { name: "resource", label: "With what", value: resource, required: true,
                help: "The ARN of a repository, or *.", ..Field::default() }.render())
            div.submit { button type="submit" { "Ask" } }
        }
        @if let Some(answer) = answer {
            section aria-labelledby="answer" { h2 #answer { "Answer" } (shown(answer)) }
        }
        (parts::same_with_aws(&commands(principal, action, resource)))
    };
    Page::new("May somebody do something?", content)
}

fn verdict(allowed: bool) -> Markup {
    html! {
        @if allowed { div."notice"."good" role="status" { p { strong { "Yes, this is allowed." } } } }
        @else { div."notice"."bad" role="status" { p { strong { "No, this is denied." } } } }
    }
}

fn shown(answer: &Answer) -> Markup {
    match answer {
        Answer::Refused(error) => parts::refusal(Some(error)),
        Answer::Simulated(results) => html! {
            @for result in results {
                (verdict(result.words() == "allowed"))
                @let policies = result.policies();
                @if policies.is_empty() { p { "No policy of this principal allows it." } }
                @else { p { "Decided by: " (policies.join(", ")) } }
            }
            p.quiet { "Only policies of the principal were looked at: you may not see those of resources." }
        },
        Answer::Explained(explanation) => html! {
            (verdict(explanation.allowed))
            h3 { "Why" }
            ul { @for because in &explanation.because { li { (because) } } }
            @for statement in &explanation.passed_over { p.quiet { "Passed over: " (statement) } }
            @if !explanation.told.is_empty() { p.quiet { "Whoever asks is told: " (explanation.told) } }
            details {
                summary { "Policies and condition keys" }
                (parts::table("Policies that have a say", &["Policy", "Kind"], &html! {
                    @for (kind, name) in &explanation.considered { tr { th scope="row" { (name) } td { (kind) } } }
                }))
                p { "Condition keys:" }
                dl."box"."pairs" { @for (key, values) in &explanation.keys { div { dt { (key) } dd { (values.join(", ")) } } } }
            }
        },
    }
}
