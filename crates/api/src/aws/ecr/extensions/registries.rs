//! What belongs to the registry of the caller: domains, VEX documents, events, bills on push.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tonnage_domain::clock::Millis;
use tonnage_domain::events::search_events::SearchEvents;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::public::domains::operations::{
    ListPublicDomains, ProvePublicDomain, RemovePublicDomain,
};
use tonnage_domain::public::domains::{DomainName, DomainProof};
use tonnage_domain::scanning::sboms::configuration::{
    GetSbomConfiguration, PutSbomConfiguration, SbomConfiguration,
};
use tonnage_domain::scanning::sboms::format_name;
use tonnage_domain::scanning::vex_documents::{
    DeleteVexDocument, GetVexDocument, ListVexDocuments, PutVexDocument, VexDocument,
};

use super::super::listings::Listing;
use super::super::tags::Empty;
use super::images::format;
use crate::aws::Call;
use crate::aws::error::Result;

/// VEX documents of an answer: as many as a registry has.
const VEX_DOCUMENTS: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
pub(super) struct DomainInput {
    domain: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    domain: String,
    domain_status: &'static str,
    file_url: String,
    file_line: String,
    record_name: String,
    record_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
}

impl From<DomainProof> for Domain {
    fn from(proof: DomainProof) -> Self {
        Self {
            domain: proof.domain.to_string(),
            domain_status: proof.status.as_str(),
            file_url: proof.domain.file(),
            file_line: proof.line(),
            record_name: proof.domain.record(),
            record_text: proof.text(),
            checked_at: proof.checked_at.map(Millis::epoch_seconds),
            problem: proof.problem,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ListPublicDomainsOutput {
    domains: Vec<Domain>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProvePublicDomainOutput {
    public_domain: Domain,
}

pub(super) async fn list_public_domains(
    call: &Call<'_>,
    _input: Nothing,
) -> Result<ListPublicDomainsOutput> {
    let domains = call.execute(ListPublicDomains).await?;
    Ok(ListPublicDomainsOutput { domains: domains.into_iter().map(Domain::from).collect() })
}

pub(super) async fn prove_public_domain(
    call: &Call<'_>,
    input: DomainInput,
) -> Result<ProvePublicDomainOutput> {
    let domain = DomainName::parse(&input.domain)?;
    let proof = call.execute(ProvePublicDomain { domain }).await?;
    Ok(ProvePublicDomainOutput { public_domain: proof.into() })
}

pub(super) async fn remove_public_domain(call: &Call<'_>, input: DomainInput) -> Result<Empty> {
    let domain = DomainName::parse(&input.domain)?;
    call.execute(RemovePublicDomain { domain }).await?;
    Ok(Empty {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VexInput {
    document_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutVexDocumentInput {
    document_name: String,
    document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Vex {
    document_name: String,
    document_digest: String,
    statement_count: u64,
    updated_at: f64,
}

impl From<VexDocument> for Vex {
    fn from(found: VexDocument) -> Self {
        Self {
            document_name: found.name,
            document_digest: found.digest.to_string(),
            statement_count: found.statements,
            updated_at: found.updated_at.epoch_seconds(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VexOutput {
    vex_document: Vex,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListVexDocumentsOutput {
    vex_documents: Vec<Vex>,
}

pub(super) async fn put_vex_document(
    call: &Call<'_>,
    input: PutVexDocumentInput,
) -> Result<VexOutput> {
    let operation = PutVexDocument { name: input.document_name, document: input.document };
    Ok(VexOutput { vex_document: call.execute(operation).await?.into(), document: None })
}

pub(super) async fn get_vex_document(call: &Call<'_>, input: VexInput) -> Result<VexOutput> {
    let (found, text) = call.execute(GetVexDocument { name: input.document_name }).await?;
    Ok(VexOutput { vex_document: found.into(), document: Some(text) })
}

pub(super) async fn list_vex_documents(
    call: &Call<'_>,
    _input: Nothing,
) -> Result<ListVexDocumentsOutput> {
    let page = PageRequest { after: None, limit: VEX_DOCUMENTS };
    let found = call.execute(ListVexDocuments { page }).await?;
    Ok(ListVexDocumentsOutput { vex_documents: found.items.into_iter().map(Vex::from).collect() })
}

pub(super) async fn delete_vex_document(call: &Call<'_>, input: VexInput) -> Result<Empty> {
    call.execute(DeleteVexDocument { name: input.document_name }).await?;
    Ok(Empty {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutSbomConfigurationInput {
    formats: Vec<String>,
    repository_filters: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SbomConfigurationOutput {
    formats: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repository_filters: Vec<String>,
}

impl From<SbomConfiguration> for SbomConfigurationOutput {
    fn from(found: SbomConfiguration) -> Self {
        Self {
            formats: found.formats().into_iter().map(format_name).collect(),
            repository_filters: found.filters().to_vec(),
        }
    }
}

pub(super) async fn put_sbom_configuration(
    call: &Call<'_>,
    input: PutSbomConfigurationInput,
) -> Result<SbomConfigurationOutput> {
    let formats = input.formats.iter().map(|text| format(text));
    let formats = formats.collect::<Result<Vec<_>, _>>()?;
    let filters = input.repository_filters.unwrap_or_default();
    let configuration = SbomConfiguration::new(&formats, filters)?;
    Ok(call.execute(PutSbomConfiguration { configuration }).await?.into())
}

pub(super) async fn get_sbom_configuration(
    call: &Call<'_>,
    _input: Nothing,
) -> Result<SbomConfigurationOutput> {
    Ok(call.execute(GetSbomConfiguration).await?.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchEventsInput {
    repository_name: Option<String>,
    event_kind: Option<String>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchEventsOutput {
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    occurred_at: f64,
    event_kind: String,
    detail: String,
}

pub(super) async fn search_events(
    call: &Call<'_>,
    input: SearchEventsInput,
) -> Result<SearchEventsOutput> {
    let from = super::time("startTime", input.start_time)?;
    let until = super::time("endTime", input.end_time)?;
    let shown = [from, until].map(|at| at.map_or_else(|| "-".to_owned(), |at| at.0.to_string()));
    let [shown_from, shown_until] = &shown;
    let filters = [
        input.repository_name.as_deref().unwrap_or("-"),
        input.event_kind.as_deref().unwrap_or("-"),
        shown_from,
        shown_until,
    ];
    let listing = Listing::new(call, "SearchEvents", &call.context.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let (kind, repository) = (input.event_kind, input.repository_name);
    let found = call.execute(SearchEvents { from, until, kind, repository, page }).await?;
    let events = found.items.into_iter().map(|event| Event {
        occurred_at: event.occurred_at.epoch_seconds(),
        event_kind: event.kind,
        detail: Value::Object(event.detail).to_string(),
    });
    Ok(SearchEventsOutput {
        events: events.collect(),
        next_token: listing.token(call, found.next.as_deref()).await?,
    })
}
