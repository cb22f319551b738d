//! The document of a request, which fits the operation's shape: what is required is there, and
//! everything is of its type.

use serde_json::{Map, Value};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::page_token;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::resource_tags::ResourceTag;

use crate::aws::Call;
use crate::aws::error::{Refusal, Result};

/// Items of a page that asks for no number; AWS's default.
const PAGE_ITEMS: u32 = 100;

/// A request for an operation of IAM or STS.
pub(in crate::aws) struct Input {
    operation: &'static str,
    members: Map<String, Value>,
}

impl Input {
    pub(in crate::aws) fn new(operation: &'static str, document: Value) -> Self {
        let members = match document {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Self { operation, members }
    }

    /// A text that is required.
    pub(in crate::aws) fn text(&mut self, name: &str) -> Result<String> {
        self.optional(name).ok_or_else(|| {
            // Shapes refuse it before; some requirements are not in the model.
            let text = format!("The request must contain the parameter {name}.");
            Refusal::Constraint("ValidationError", Some(text)).into()
        })
    }

    /// A text that may be absent.
    pub(in crate::aws) fn optional(&mut self, name: &str) -> Option<String> {
        match self.members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(in crate::aws) fn number(&self, name: &str) -> Option<i64> {
        self.members.get(name).and_then(Value::as_i64)
    }

    pub(in crate::aws) fn flag(&self, name: &str) -> Option<bool> {
        self.members.get(name).and_then(Value::as_bool)
    }

    /// A list of texts; empty when absent.
    pub(in crate::aws) fn list(&mut self, name: &str) -> Vec<String> {
        self.objects_or_texts(name)
            .into_iter()
            .filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    /// The text members called `member` of a list of structures.
    pub(in crate::aws) fn list_of(&mut self, name: &str, member: &str) -> Vec<String> {
        let texts = self.objects_or_texts(name).into_iter();
        texts.filter_map(|value| Some(value.get(member)?.as_str()?.to_owned())).collect()
    }

    pub(in crate::aws) fn objects_or_texts(&mut self, name: &str) -> Vec<Value> {
        match self.members.remove(name) {
            Some(Value::Array(elements)) => elements,
            _ => Vec::new(),
        }
    }

    pub(in crate::aws) fn tags(&mut self) -> Vec<ResourceTag> {
        let text = |tag: &Value, name| {
            tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        self.objects_or_texts("Tags")
            .iter()
            .map(|tag| ResourceTag { key: text(tag, "Key"), value: text(tag, "Value") })
            .collect()
    }

    /// What page tokens of this listing are bound to.
    fn listing(&self, call: &Call<'_>) -> String {
        format!("iam:{}:{}", self.operation, call.context.principal.account)
    }

    /// The page that `Marker` and `MaxItems` ask for, and what makes the next marker.
    pub(in crate::aws) async fn page(&mut self, call: &Call<'_>) -> Result<(PageRequest, Listing)> {
        let listing = self.listing(call);
        let after = match self.optional("Marker") {
            Some(marker) => Some(open(call, &listing, &marker).await?),
            None => None,
        };
        let items = self.number("MaxItems").and_then(|items| u32::try_from(items).ok());
        let limit = items.unwrap_or(PAGE_ITEMS).clamp(1, 1000);
        Ok((PageRequest { after, limit }, Listing(listing)))
    }
}

async fn open(call: &Call<'_>, listing: &str, marker: &str) -> Result<String> {
    page_token::open(call.app, listing, marker).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidParameter => {
            Error::new(ErrorKind::InvalidParameter, "Invalid Marker.").into()
        }
        _ => error.into(),
    })
}

/// A listing, for the marker of its next page.
pub(in crate::aws) struct Listing(String);

impl Listing {
    /// A page as the answer has it: the items under a name, whether there are more, and where.
    pub(in crate::aws) async fn answer(
        &self,
        call: &Call<'_>,
        name: &str,
        items: Vec<Value>,
        next: Option<String>,
    ) -> Result<Value> {
        let mut members = Map::new();
        members.insert(name.to_owned(), Value::Array(items));
        self.end(call, members, next).await
    }

    /// The end of an answer that has several lists.
    pub(in crate::aws) async fn end(
        &self,
        call: &Call<'_>,
        mut members: Map<String, Value>,
        next: Option<String>,
    ) -> Result<Value> {
        members.insert("IsTruncated".to_owned(), next.is_some().into());
        if let Some(key) = next {
            let marker = page_token::seal(call.app, &self.0, &key).await?;
            members.insert("Marker".to_owned(), marker.into());
        }
        Ok(Value::Object(members))
    }
}
