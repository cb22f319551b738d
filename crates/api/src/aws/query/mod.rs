//! AWS Query: requests are forms with an `Action`, answers are XML.

mod document;
mod form;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use serde_json::Value;

use super::error::{Refusal, Result, Wire};
use super::scope::printable;
use super::shapes::{Operation, Shape};
use crate::body::Body;
use crate::request::Response;

/// Parameters beyond this many are not looked at.
const PARAMETERS_MAX: usize = 1_000;

/// The table of operations of a service: the name on the wire and the function that serves it. The
/// service's `SERVICE` is in scope.
macro_rules! operations {
    ($($name:literal => $function:path,)*) => {
        /// Runs the operation called `name`; its input was validated.
        async fn run(
            name: &str,
            call: &$crate::aws::Call<'_>,
            input: $crate::aws::iam::input::Input,
        ) -> $crate::aws::error::Result<serde_json::Value> {
            match name {
                // Boxed, so that the largest operation does not size every request.
                $($name => Box::pin($function(call, input)).await,)*
                other => Err(tonnage_domain::execute::not_served(SERVICE.signing_name, other).into()),
            }
        }

        const SERVED: &[&str] = &[$($name),*];
    };
}
pub(super) use operations;

/// The parameters of a request: those of the query string, then those of the form.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn read(query: Option<&str>, form: &[u8]) -> Self {
        let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs = query.chain(form_urlencoded::parse(form)).take(PARAMETERS_MAX);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The document that the parameters are, by the shape of an operation's input.
    pub(super) fn document(&self, shape: &Shape) -> Result<Value> {
        form::document(shape, &self.0)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Writes XML. Text is escaped, names are constants.
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Self(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
    }

    /// An element with others in it.
    pub(super) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// The outermost element, which names its namespace.
    pub(super) fn root(
        &mut self,
        name: &str,
        namespace: &'static str,
        content: impl FnOnce(&mut Self),
    ) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push_str(" xmlns=\"");
        self.0.push_str(namespace);
        self.0.push_str("\">");
        content(self);
        self.close(name);
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                // Parsers turn a bare carriage return into a line feed (XML 1.0, section 2.11).
                '\r' => self.0.push_str("&#13;"),
                _ if is_xml(character) => self.0.push(character),
                _ => self.0.push('\u{FFFD}'),
            }
        }
        self.close(name);
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An answer with this document.
    pub(super) fn answer(self, status: u16) -> Response {
        let mut response = Response::new(Body::full(self.0));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        response
    }
}

/// Whether XML can carry the character at all (XML 1.0, section 2.2).
fn is_xml(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// An action that the service does not have, in AWS's words.
pub(super) fn unknown_operation(parameters: &Parameters) -> Refusal {
    let shown = |name| parameters.get(name).and_then(printable).unwrap_or_default();
    Refusal::UnknownOperation(format!(
        "Could not find operation {} for version {}",
        shown("Action"),
        shown("Version"),
    ))
}

/// A successful answer: its document by the shape of the operation's output, and the request's id.
///
/// # Errors
/// When the document is not of the shape: a defect of the handler.
pub(super) fn answer(
    operation: &Operation,
    output: &Value,
    namespace: &'static str,
    request_id: &str,
) -> Result<Response> {
    Ok(document_of(operation, output, namespace, request_id)?.answer(200))
}

fn document_of(
    operation: &Operation,
    output: &Value,
    namespace: &'static str,
    request_id: &str,
) -> Result<Xml> {
    let mut result = Xml(String::new());
    document::write(&mut result, operation.output.unwrap_or(&Shape::Structure(&[])), output)?;
    let name = operation.name;
    let mut xml = Xml::new();
    xml.root(&format!("{name}Response"), namespace, |xml| {
        // An operation that answers nothing has no result at all; one that answers an empty
        // document has an empty one, which some clients insist on.
        if operation.output.is_some() {
            xml.element(&format!("{name}Result"), |xml| xml.0.push_str(&result.0));
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    Ok(xml)
}

/// An error of AWS Query.
pub(super) fn error(wire: &Wire, namespace: &'static str, request_id: &str) -> Response {
    let mut xml = Xml::new();
    xml.root("ErrorResponse", namespace, |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", if wire.status < 500 { "Sender" } else { "Receiver" });
            code_and_message(xml, wire);
        });
        xml.text("RequestId", request_id);
    });
    xml.answer(wire.status)
}

/// An error of Amazon EC2, whose form differs.
pub(super) fn ec2_error(wire: &Wire, request_id: &str) -> Response {
    let mut xml = Xml::new();
    xml.element("Response", |xml| {
        xml.element("Errors", |xml| xml.element("Error", |xml| code_and_message(xml, wire)));
        xml.text("RequestID", request_id);
    });
    xml.answer(wire.status)
}

/// An error of Amazon S3.
pub(super) fn s3_error(wire: &Wire, resource: &str, request_id: &str) -> Response {
    let mut xml = Xml::new();
    xml.element("Error", |xml| {
        code_and_message(xml, wire);
        xml.text("Resource", resource);
        xml.text("RequestId", request_id);
    });
    xml.answer(wire.status)
}

fn code_and_message(xml: &mut Xml, wire: &Wire) {
    xml.text("Code", wire.code);
    xml.text("Message", wire.message.as_deref().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let check = |text: &str, expected: &str| {
            let mut xml = Xml(String::new());
            xml.text("a", text);
            assert_eq!(xml.0, format!("<a>{expected}</a>"), "{text:?}");
        };
        check("", "");
        check("plain, é and \u{1F600}", "plain, é and \u{1F600}");
        check("</a><b c=\"d\">&amp;'", "&lt;/a&gt;&lt;b c=&quot;d&quot;&gt;&amp;amp;&apos;");
        check("]]>", "]]&gt;");
        check("a\tb\nc\rd", "a\tb\nc&#13;d");
        check("\u{0}\u{1B}\u{FFFE}", "\u{FFFD}\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn results_are_those_of_the_model() {
        let check = |operation: &str, expected: bool| {
            let found = crate::aws::shapes::iam::SERVICE.find(operation).unwrap();
            let answer = document_of(found, &serde_json::json!({}), "urn:x", "id").unwrap();
            let result = format!("<{operation}Result></{operation}Result>");
            assert_eq!(answer.0.contains(&result), expected, "{}", answer.0);
        };
        check("UpdateRole", true);
        check("DeleteRole", false);
        check("ListUsers", true);
    }

    #[test]
    fn parameters_come_from_the_query_and_the_form() {
        let parameters = Parameters::read(Some("Action=A%20b&x=1"), b"Version=2011-06-15&x=2");
        assert_eq!(parameters.get("Action"), Some("A b"));
        assert_eq!(parameters.get("Version"), Some("2011-06-15"));
        assert_eq!(parameters.get("x"), Some("1"));
        assert_eq!(parameters.get("y"), None);
    }
}
