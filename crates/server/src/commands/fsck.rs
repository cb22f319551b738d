//! `tonnage fsck`: examines a stopped registry and repairs what can be repaired.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::app::Settings;
use tonnage_domain::clock::SystemClock;
use tonnage_domain::error::chain;
use tonnage_domain::fsck::{self, Finding, Repair, Report};

use super::block_on;
use crate::cli::{FsckArguments, ReportFormat};
use crate::config::{Config, environment};
use crate::data_directory::DataDirectory;
use crate::stores::{self, Patience, Stores};

/// It could not be examined; 1 means that something is wrong.
const COULD_NOT_LOOK: u8 = 2;

/// Examines, prints and repairs. Failures are printed here, because their exit status is not 1.
///
/// # Errors
/// None.
pub(super) fn run(arguments: &FsckArguments) -> Result<ExitCode> {
    Ok(block_on(examine(arguments)).unwrap_or_else(|error| {
        eprintln!("tonnage: {error:#}");
        ExitCode::from(COULD_NOT_LOOK)
    }))
}

async fn examine(arguments: &FsckArguments) -> Result<ExitCode> {
    let flags = arguments.place.flags();
    let config = Config::load(&flags, arguments.place.config.clone(), &environment())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let directory = DataDirectory::open_stopped(&config.storage)?;
    let Stores { database, objects, root_key, .. } =
        stores::open(&directory, &config, Patience::None).await?;
    let metadata = database.metadata();
    if !bootstrap::exists(metadata.as_ref()).await? {
        bail!(
            "the first start in {} did not end; start the server there once with `tonnage serve`",
            directory.layout().directory().display()
        );
    }
    let app = bootstrap::open(Parts {
        metadata: metadata.clone(),
        objects: objects.clone(),
        clock: Arc::new(SystemClock),
        root_key,
        settings: Settings::default(),
        account: None,
        region: None,
        root_access_key: None,
    })
    .await?
    .app;
    let described = |error| anyhow::anyhow!("a store failed: {}", chain(&error));
    let report =
        fsck::examine(&app, objects.as_ref(), arguments.contents).await.map_err(described)?;
    match arguments.format {
        ReportFormat::Text => say_part!("{}", text(&report, arguments.contents, arguments.repair)),
        ReportFormat::Json => say!("{}", plan(&report, arguments.contents)),
    }
    if arguments.repair {
        let repaired = fsck::repair(&app, &report.findings).await.map_err(described)?;
        match arguments.format {
            ReportFormat::Text if report.is_clean() => {}
            ReportFormat::Text => say!("Repairs done: {repaired}."),
            ReportFormat::Json => say!("{}", json!({ "repaired": repaired })),
        }
    }
    drop(app);
    database.close().await.context("the metadata database cannot be closed")?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(report: &Report, contents: bool) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "problem": finding.problem.as_str(),
                "subject": finding.subject,
                "detail": finding.detail,
                "images": finding.images,
                "imagesOmitted": finding.images_omitted,
                "repair": finding.repair.as_ref().map(Repair::as_str),
            })
        })
        .collect();
    json!({
        "clean": report.is_clean(),
        "contents": contents,
        "blobs": report.blobs,
        "objects": report.objects,
        "images": report.images,
        "findings": findings,
        "findingsOmitted": report.findings_omitted,
    })
}

fn text(report: &Report, contents: bool, repairs: bool) -> String {
    let mut lines: Vec<String> = report.findings.iter().flat_map(described).collect();
    lines.push(format!(
        "Examined {} blobs{}, {} objects and {} images.",
        report.blobs,
        if contents { " with their contents" } else { "" },
        report.objects,
        report.images
    ));
    if report.is_clean() {
        lines.push("Nothing is wrong.".to_owned());
    } else {
        let repairable = report.findings.iter().filter(|finding| finding.repair.is_some()).count();
        let how = if repairs { "" } else { " with `--repair`" };
        lines.push(format!(
            "Found {}; {repairable} can be repaired{how}.",
            report.findings.len() as u64 + report.findings_omitted
        ));
    }
    if report.findings_omitted > 0 {
        lines.push(format!(
            "Not shown: {}. Repair what is shown and run this again.",
            report.findings_omitted
        ));
    }
    lines.join("\n") + "\n"
}

fn described(finding: &Finding) -> Vec<String> {
    let mut lines =
        vec![format!("{}: {}: {}", finding.problem.as_str(), finding.subject, finding.detail)];
    lines.extend(finding.images.iter().map(|image| format!("  damages {image}")));
    if finding.images_omitted > 0 {
        lines.push(format!("  damages {} more images", finding.images_omitted));
    }
    let repair = match &finding.repair {
        None => None,
        Some(Repair::RemoveObject(_)) => Some("remove the object"),
        Some(Repair::KeepObject(_)) => Some("take it out of the queue"),
        Some(Repair::ForgetBlob(_)) => Some("forget it, since no image refers to it"),
        Some(Repair::MarkDamaged(_)) => {
            Some("mark it damaged; then push the images again, which heals it")
        }
        Some(Repair::Unmark(_)) => Some("take the mark away"),
    };
    lines.extend(repair.map(|repair| format!("  repair: {repair}")));
    lines
}
