//! What pages show of scans.

use maud::{Markup, html};
use tonnage_domain::gallery::scans::{ImageScan, ScanSummary};
use tonnage_domain::gallery::view_image::ImageView;
use tonnage_domain::scanning::Severity;
use tonnage_domain::scanning::findings::Finding;
use tonnage_domain::scanning::state::{Scan, ScanStatus, SeverityCounts};

use crate::format;

/// Severities that a line names; the rest is on the page of the image.
const NAMED: usize = 3;

/// One line about a scan.
pub(super) fn summary(scan: Option<&ScanSummary>) -> Markup {
    let Some(scan) = scan else { return html! { span.quiet { "not scanned" } } };
    html! {
        @match scan.status {
            status if status.has_findings() => {
                (badges(&scan.counts, NAMED))
                @if scan.is_partial { span.quiet { " not all platforms" } }
            }
            status if status.is_waiting() => span.quiet { "under way" },
            _ => span.quiet { "no result" },
        }
    }
}

fn badges(counts: &SeverityCounts, most: usize) -> Markup {
    html! {
        @if counts.is_empty() { span.badge."clean" { "nothing found" } } @else {
            ul.badges {
                @for (severity, count) in counts.iter().rev().take(most) {
                    li class={ "badge " (class(*severity)) } { (format::number(*count)) " " (word(*severity)) }
                }
            }
        }
    }
}

fn word(severity: Severity) -> String {
    severity.as_str().to_ascii_lowercase()
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "severe",
        _ => "mild",
    }
}

/// The part of the page of an image.
pub(super) fn section(view: &ImageView) -> Markup {
    html! {
        section aria-labelledby="scan" {
            h2 #scan { "Scan for known flaws" }
            @match &view.scan {
                None => p.quiet { "This image was not scanned: it is of a kind that is not, or its turn has not come." },
                Some(shown) => (result(shown)),
            }
        }
    }
}

fn result(shown: &ImageScan) -> Markup {
    let scan = &shown.scan;
    html! {
        dl."box"."pairs" {
            div { dt { "Result" } dd {
                @match scan.status {
                    status if status.has_findings() => (badges(&scan.counts, usize::MAX)),
                    status if status.is_waiting() => "The scan is under way.",
                    ScanStatus::UnsupportedImage => { "The image cannot be scanned. " (scan.description) }
                    _ => { "The scan failed; nothing is known about this image. " (scan.description) }
                }
            } }
            (times(scan))
        }
        @if scan.status.has_findings() {
            p.note {
                "Packages of the operating system were compared with the advisories that were known then. \
                 Other software in the image was not looked at, and what became known later is not here."
            }
        }
        @if shown.has_suppressed {
            p.note { "Findings that the publisher says do not apply to this image are not shown." }
        }
        @if !shown.findings.is_empty() { (table(scan, &shown.findings)) }
    }
}

fn times(scan: &Scan) -> Markup {
    let done = scan.completed_at.filter(|_| !scan.status.is_waiting());
    html! {
        @match done {
            Some(at) => div { dt { "Scanned" } dd { (format::day(at)) } },
            None => div { dt { "Asked for" } dd { (format::day(scan.requested_at)) } },
        }
        @if let Some(at) = scan.source_updated_at.filter(|_| scan.status.has_findings()) {
            div { dt { "Advisories of" } dd { (format::day(at)) } }
        }
        @if !scan.platform.is_empty() && done.is_some() {
            div { dt { "Operating system" } dd { (scan.platform) } }
        }
    }
}

fn table(scan: &Scan, findings: &[Finding]) -> Markup {
    let total: u64 = scan.counts.values().sum();
    let shown = findings.len() as u64;
    html! {
        div."box"."scroll"."findings" tabindex="0" role="group" aria-labelledby="scan" {
            table {
                thead { tr {
                    th scope="col" { "Flaw" } th scope="col" { "Severity" } th scope="col" { "Package" }
                    th scope="col" { "Version" } th scope="col" { "Fixed in" }
                } }
                tbody { @for finding in findings { (row(finding)) } }
            }
        }
        @if total > shown {
            p.quiet { "The worst " (format::number(shown)) " of " (format::number(total)) " are shown." }
        }
    }
}

fn row(finding: &Finding) -> Markup {
    // What others wrote is a link only where it leads to the web.
    let is_link = finding.uri.starts_with("https://");
    let fixed: Vec<&str> =
        finding.packages.iter().filter_map(|package| package.fixed_version.as_deref()).collect();
    html! {
        tr {
            th scope="row" {
                @if is_link { a href=(finding.uri) rel="nofollow noopener noreferrer" { (finding.name) } }
                @else { (finding.name) }
            }
            td { span class={ "badge " (class(finding.severity)) } { (word(finding.severity)) } }
            td { @for package in &finding.packages { div { (package.name) } } }
            td { @for package in &finding.packages { div { (package.version) } } }
            td { @if fixed.is_empty() { span.quiet { "no version known" } } @else { @for version in fixed { div { (version) } } } }
        }
    }
}
