//! `tonnage policy`: asks the running server why somebody may do something, and looks for mistakes
//! in texts of policies.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use http::Method;
use tonnage_console::console::{Mistake, PolicyOf};
use tonnage_policy::lint::{Finding, lint};
use tonnage_policy::{Limits, PolicyKind};

use super::place::Place;
use super::{block_on, policy_actions};
use crate::admin::client::call;
use crate::admin::{ExplainRequest, Explained};
use crate::cli::{LintKind, PolicyCommands, ReportFormat};

/// The most bytes of a document that are read; policies are far shorter.
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;

/// Does what the command line says.
///
/// # Errors
/// What the server says, that none runs, or that the file cannot be read.
pub(super) fn run(command: PolicyCommands) -> Result<ExitCode> {
    match command {
        PolicyCommands::Explain { place, principal, action, resource, context, format } => {
            let keys = parse_keys(&context)?;
            let question = ExplainRequest { principal, action, resource, keys };
            block_on(async move {
                let layout = Place::find(&place)?.layout;
                let answer: Explained =
                    call(&layout, Method::POST, "/policies/explain", Some(&question)).await?;
                match format {
                    ReportFormat::Json => say!("{}", serde_json::to_string(&answer)?),
                    ReportFormat::Text => print_explained(&answer),
                }
                Ok(if answer.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            })
        }
        PolicyCommands::Lint { file, kind } => match read_document(&file) {
            Ok(text) => Ok(lint_text(&text, kind)),
            Err(error) => {
                eprintln!("tonnage: {error:#}");
                Ok(ExitCode::from(2))
            }
        },
    }
}

fn parse_keys(context: &[String]) -> Result<Vec<(String, Vec<String>)>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for given in context {
        let (key, value) = given
            .split_once('=')
            .filter(|(key, _)| key.contains(':'))
            .ok_or_else(|| anyhow!("`--context {given}` is not KEY=VALUE with a condition key"))?;
        keys.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Ok(keys.into_iter().collect())
}

fn print_explained(answer: &Explained) {
    say!("{}", if answer.allowed { "Allowed" } else { "Denied" });
    for because in &answer.because {
        say!("  {because}");
    }
    for statement in &answer.passed_over {
        say!("  passed over {statement}");
    }
    if !answer.told.is_empty() {
        say!("The principal is told:\n  {}", answer.told);
    }
    say!("Policies that have a say:");
    for (kind, name) in &answer.considered {
        say!("  {kind} {name:?}");
    }
    say!("Condition keys:");
    for (key, values) in &answer.keys {
        say!("  {key} = {}", values.join(", "));
    }
}

/// Reads a document from a file or, for `-`, the standard input.
///
/// # Errors
/// When it cannot be read, is too long or is not text.
pub(super) fn read_document(file: &Path) -> Result<String> {
    let mut text = String::new();
    let shown = file.display();
    let read = if file == Path::new("-") {
        std::io::stdin().take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text))
    };
    let bytes = read.with_context(|| format!("{shown} cannot be read"))?;
    if bytes as u64 > DOCUMENT_BYTES_MAX {
        bail!("{shown} is longer than {DOCUMENT_BYTES_MAX} bytes");
    }
    Ok(text)
}

/// The longest text of a policy of a repository or a registry.
const ECR_BYTES_MAX: usize = 10_240;

/// The actions that policies can speak of, by service and name.
pub(crate) fn known_actions() -> Vec<(&'static str, &'static str)> {
    policy_actions::known().into_iter().map(|action| (action.service, action.name)).collect()
}

/// What is probably wrong with a policy, or why it is none.
pub(crate) fn lint_policy(of: PolicyOf, text: &str) -> Result<Vec<Mistake>, String> {
    let (kind, limits) = match of {
        PolicyOf::Resource => (PolicyKind::Resource, Limits { max_bytes: ECR_BYTES_MAX }),
        PolicyOf::Identity => (PolicyKind::Identity, Limits::default()),
        PolicyOf::Trust => (PolicyKind::Trust, Limits::default()),
    };
    let findings = lint(text, kind, &limits, &policy_actions::known());
    let findings = findings.map_err(|error| error.to_string())?;
    let mistake = |finding: Finding| Mistake { path: finding.path, message: finding.message };
    Ok(findings.into_iter().map(mistake).collect())
}

fn lint_text(text: &str, kind: Option<LintKind>) -> ExitCode {
    let (kind, limits) = match kind.unwrap_or_else(|| guess(text)) {
        // IAM's quota of a managed policy; it does not count white space, nor do we need to.
        LintKind::Identity => (PolicyKind::Identity, Limits::default()),
        LintKind::Limit => (PolicyKind::Identity, Limits { max_bytes: ECR_BYTES_MAX }),
        LintKind::Trust => (PolicyKind::Trust, Limits::default()),
        LintKind::Repository | LintKind::Registry => {
            (PolicyKind::Resource, Limits { max_bytes: ECR_BYTES_MAX })
        }
    };
    match lint(text, kind, &limits, &policy_actions::known()) {
        Ok(findings) if findings.is_empty() => {
            say!("No mistake was found.");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in findings {
                say!("{}: {}: {}", finding.severity, finding.path, finding.message);
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            say!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A document that names principals is of a resource.
fn guess(text: &str) -> LintKind {
    if text.contains("\"Principal\"") || text.contains("\"NotPrincipal\"") {
        LintKind::Repository
    } else {
        LintKind::Identity
    }
}
