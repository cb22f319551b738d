//! What a refused document answers.

use std::fmt;

/// A document that was refused: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    path: String,
    problem: Problem,
}

/// What is wrong with a policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The document is longer than the caller's limit, in bytes.
    TooLong {
        /// The limit that was exceeded.
        max_bytes: usize,
    },
    /// The text is not JSON; the parser's own words.
    NotJson(String),
    /// One object holds the key twice.
    DuplicateKey(String),
    /// Two statements carry the same `Sid`.
    DuplicateSid(String),
    /// The element is not part of the language at this place.
    UnknownElement(String),
    /// One of these elements must be present.
    MissingElement(&'static str),
    /// The element must not be present in a document of this kind.
    ProhibitedElement(&'static str),
    /// Two elements exclude each other.
    ExclusiveElements(&'static str, &'static str),
    /// The value has the wrong JSON type; what was expected.
    WrongType(&'static str),
    /// The condition operator does not exist.
    UnknownOperator(String),
    /// The value has the right type but is not valid; why.
    InvalidValue(String),
}

impl ParseError {
    pub(crate) fn new(path: &Path<'_>, problem: Problem) -> Self {
        Self { path: path.to_string(), problem }
    }

    /// The JSON path of the refused value, such as `$.Statement[0].Action`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max_bytes } => write!(f, "document is longer than {max_bytes} bytes"),
            Self::NotJson(detail) => write!(f, "not JSON: {detail}"),
            Self::DuplicateKey(key) => write!(f, "key {} occurs twice", Shown(key)),
            Self::DuplicateSid(sid) => write!(f, "Sid {} is used twice", Shown(sid)),
            Self::UnknownElement(name) => write!(f, "unknown element {}", Shown(name)),
            Self::MissingElement(name) => write!(f, "{name} is required"),
            Self::ProhibitedElement(name) => write!(f, "{name} is not allowed here"),
            Self::ExclusiveElements(one, other) => {
                write!(f, "{one} and {other} exclude each other")
            }
            Self::WrongType(expected) => write!(f, "expected {expected}"),
            Self::UnknownOperator(name) => write!(f, "unknown condition operator {}", Shown(name)),
            Self::InvalidValue(why) => f.write_str(why),
        }
    }
}

/// Text from the document, quoted, without control characters and cut at 64 characters.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut: String = self.0.chars().take(64).collect();
        write!(f, "{cut:?}")?;
        if cut.len() < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
}

/// A place in the document, kept as a chain on the stack so that it costs nothing until an error
/// prints it.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, name: &'a str) -> Path<'a> {
        Path::Key(self, name)
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    pub(crate) fn fail<T>(&self, problem: Problem) -> Result<T, ParseError> {
        Err(ParseError::new(self, problem))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => f.write_str("$"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Key(parent, name) => {
                let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
                if plain && name.len() <= 64 {
                    write!(f, "{parent}.{name}")
                } else {
                    write!(f, "{parent}[{}]", Shown(name))
                }
            }
        }
    }
}
