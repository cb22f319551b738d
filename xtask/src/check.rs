//! What no compiler checks: which crate may depend on which, that documents name what exists, that
//! every dependency says what it is for, and that no file grows without being asked about.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// The edges between our crates; there are no others.
const EDGES: &[(&str, &[&str])] = &[
    ("tonnage-policy", &[]),
    ("tonnage-scanner", &[]),
    ("tonnage-domain", &["tonnage-policy", "tonnage-scanner"]),
    ("tonnage-store", &["tonnage-domain"]),
    ("tonnage-api", &["tonnage-domain"]),
    ("tonnage-console", &["tonnage-domain"]),
    ("tonnage-outbound", &[]),
    (
        "tonnage",
        &[
            "tonnage-api",
            "tonnage-console",
            "tonnage-domain",
            "tonnage-outbound",
            "tonnage-policy",
            "tonnage-scanner",
            "tonnage-store",
        ],
    ),
    ("tonnage-bench", &[]),
    ("xtask", &[]),
];

/// Who may use the database driver: everybody else speaks SQL to the executor.
const ONLY_STORE: &[&str] = &["rusqlite"];

/// Documents whose paths must exist.
const DOCUMENTS: &[&str] =
    &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

const LINES_MAX: usize = 900;

/// Runs every check and reports all that is wrong.
pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let mut problems = Vec::new();
    edges(&mut problems)?;
    dependency_reasons(&root, &mut problems)?;
    document_paths(&root, &mut problems)?;
    file_lengths(&root, &mut problems)?;
    if problems.is_empty() {
        println!("edges, dependency reasons, documents and file lengths are in order");
        return Ok(());
    }
    bail!("{} problem(s):\n  {}", problems.len(), problems.join("\n  "))
}

fn edges(problems: &mut Vec<String>) -> Result<()> {
    let metadata = MetadataCommand::new().no_deps().exec().context("run cargo metadata")?;
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(allowed) = allowed.get(name) else {
            problems.push(format!("the crate {name} is not in the list of edges"));
            continue;
        };
        for dependency in &package.dependencies {
            // Tests may look at everything.
            if dependency.kind == DependencyKind::Development {
                continue;
            }
            let ours = EDGES.iter().any(|(crate_name, _)| *crate_name == dependency.name);
            if ours && !allowed.contains(&dependency.name.as_str()) {
                problems.push(format!("{name} must not depend on {}", dependency.name));
            }
            if name != "tonnage-store" && ONLY_STORE.contains(&dependency.name.as_str()) {
                problems.push(format!("only tonnage-store may depend on {}", dependency.name));
            }
        }
    }
    Ok(())
}

fn dependency_reasons(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            continue;
        }
        let names_dependency = inside && line.contains('=') && !line.starts_with(['#', ' ']);
        if names_dependency && !line.contains("path = ") && !line.contains(" # ") {
            problems.push(format!("Cargo.toml does not say what this is for: {line}"));
        }
    }
    Ok(())
}

/// A word in backticks that looks like a path of the tree must be one.
fn document_paths(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    for document in DOCUMENTS {
        let text =
            fs::read_to_string(root.join(document)).with_context(|| format!("read {document}"))?;
        for word in text.split('`').skip(1).step_by(2) {
            let looks_like_path = ["crates/", "docs/", "tests/", "xtask/", ".ci/"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
                && !word.contains([' ', '{', '*', '<']);
            if looks_like_path && !root.join(word).exists() {
                problems.push(format!("{document} names {word}, which does not exist"));
            }
        }
    }
    Ok(())
}

fn file_lengths(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "*.rs", "*.py", "*.sh"])
        .current_dir(root)
        .output()
        .context("run git ls-files")?;
    for path in String::from_utf8(listed.stdout)?.lines().map(PathBuf::from) {
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        let lines = text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{} has {lines} lines; split it", path.display()));
        }
    }
    Ok(())
}
