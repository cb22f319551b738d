//! Why a name was refused.

use std::fmt;

/// How much of a refused input an error repeats, in characters.
const QUOTED_CHARACTERS: usize = 128;

/// User input as it may appear in a message: in backticks, cut after 128 characters, with control
/// characters escaped so that it cannot forge lines of a log.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        formatter.write_char('`')?;
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(QUOTED_CHARACTERS) {
            if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
                write!(formatter, "{}", character.escape_unicode())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        if characters.next().is_some() {
            formatter.write_char('…')?;
        }
        formatter.write_char('`')
    }
}

/// Which kind of name a text was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameKind {
    /// An AWS account id.
    AccountId,
    /// A region.
    Region,
    /// A partition of AWS.
    Partition,
    /// A repository name.
    RepositoryName,
    /// An image tag.
    Tag,
    /// A content digest.
    Digest,
    /// An Amazon resource name.
    Arn,
    /// The `Content-Range` of an upload's chunk.
    ContentRange,
    /// The stored state of a running digest.
    HasherState,
}

impl NameKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::AccountId => "account id",
            Self::Region => "region",
            Self::Partition => "partition",
            Self::RepositoryName => "repository name",
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Arn => "arn",
            Self::ContentRange => "content range",
            Self::HasherState => "hasher state",
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The rule a refused text broke.
///
/// It prints as AWS words a constraint inside
/// `Invalid parameter at '{field}' failed to satisfy constraint: '{constraint}'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Constraint {
    /// Fewer than this many characters.
    MinimumLength(usize),
    /// More than this many characters.
    MaximumLength(usize),
    /// The whole text must match this regular expression.
    Pattern(&'static str),
    /// A rule that is neither length nor pattern, in words.
    Rule(&'static str),
}

impl fmt::Display for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinimumLength(length) => {
                write!(formatter, "Member must have length greater than or equal to {length}")
            }
            Self::MaximumLength(length) => {
                write!(formatter, "Member must have length less than or equal to {length}")
            }
            Self::Pattern(pattern) => {
                write!(formatter, "must satisfy regular expression '{pattern}'")
            }
            Self::Rule(rule) => formatter.write_str(rule),
        }
    }
}

/// A text that is not a name of its kind: which kind, the beginning of the text, and the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {input} is not valid: {constraint}")]
pub struct NameError {
    kind: NameKind,
    input: Box<str>,
    constraint: Constraint,
}

impl NameError {
    pub(crate) fn new(kind: NameKind, input: &str, constraint: Constraint) -> Self {
        Self { kind, input: Quoted(input).to_string().into(), constraint }
    }

    /// What the text was meant to be.
    pub fn kind(&self) -> NameKind {
        self.kind
    }

    /// The refused text in backticks, cut after 128 characters, control characters escaped.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The rule the text broke; prints in AWS's words.
    pub fn constraint(&self) -> Constraint {
        self.constraint
    }
}

/// Refuses `text` when its number of characters is outside `minimum..=maximum`.
pub(super) fn check_length(
    kind: NameKind,
    text: &str,
    minimum: usize,
    maximum: usize,
) -> Result<(), NameError> {
    // AWS counts characters; a count up to the limit is enough to decide.
    let length = text.chars().take(maximum.saturating_add(1)).count();
    if length < minimum {
        return Err(NameError::new(kind, text, Constraint::MinimumLength(minimum)));
    }
    if length > maximum {
        return Err(NameError::new(kind, text, Constraint::MaximumLength(maximum)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_kind_input_and_rule() {
        let check = |input: &str, constraint, expected: &str| {
            let error = NameError::new(NameKind::Tag, input, constraint);
            assert_eq!(error.to_string(), expected);
        };
        check(
            "a",
            Constraint::Pattern("[b]"),
            "tag `a` is not valid: must satisfy regular expression '[b]'",
        );
        check(
            "",
            Constraint::MinimumLength(2),
            "tag `` is not valid: Member must have length greater than or equal to 2",
        );
        check("a\nb", Constraint::Rule("no"), "tag `a\\u{a}b` is not valid: no");
        let long = "é".repeat(200);
        let shown = format!(
            "tag `{}…` is not valid: Member must have length less than or equal to 3",
            "é".repeat(128)
        );
        check(&long, Constraint::MaximumLength(3), &shown);
    }
}
