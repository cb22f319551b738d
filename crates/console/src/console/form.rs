//! What a form or a query says.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};

use super::multipart;

/// Fields that are looked at; a page has far fewer.
const FIELDS_MAX: usize = 1000;

/// Names and values, in their order, and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>, Vec<(String, Bytes)>);

impl Form {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let fields = form_urlencoded::parse(bytes).take(FIELDS_MAX);
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(fields.collect(), Vec::new())
    }

    /// A form that was sent, with files where its type says so.
    pub(super) fn sent(headers: &HeaderMap, body: &Bytes) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match content_type.and_then(multipart::boundary_of) {
            None => Self::parse(body),
            Some(boundary) => {
                let multipart::Parts { fields, files } = multipart::parse(body, boundary);
                Self(fields, files)
            }
        }
    }

    /// A file that was chosen.
    pub(crate) fn file(&self, name: &str) -> Option<&Bytes> {
        self.1.iter().rfind(|(known, _)| known == name).map(|(_, bytes)| bytes)
    }

    /// The value of a field as it was sent; nothing for one that was not.
    pub(crate) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().rfind(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The value of a field without space around it, unless that is nothing.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    /// All values of a name.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> + 'f {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box is checked.
    pub(crate) fn checked(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The lines of a field that are not empty.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let lines = self.text(name).lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let form = Form::parse(b"a=1&a=2&b=%20x+y%20&c=&d=one%0D%0A%0D%0Atwo");
        assert_eq!(form.text("a"), "2");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.optional("b"), Some("x y"));
        assert_eq!(form.optional("c"), None);
        assert!(form.checked("c") && !form.checked("e"));
        assert_eq!(form.lines("d"), ["one", "two"]);
        assert_eq!(Form::parse(&b"a=1&".repeat(2000)).all("a").count(), FIELDS_MAX);
    }
}
