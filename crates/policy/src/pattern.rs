//! Text of a policy that may hold wildcards and policy variables.
//!
//! A pattern is compiled once. Substituted text enters as literal tokens, so that a value such as
//! `*` cannot widen what a statement matches.

use std::borrow::Cow;

use crate::context::Context;
use crate::glob::Token;

/// The most characters a pattern may have after substitution. Without a bound, a policy full of
/// variables and a request with one long value would multiply.
const MAX_EXPANDED: usize = 65_536;

/// What `*`, `?` and `${…}` mean in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Token(Token),
    Variable { key: String, default: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Fixed(Vec<Token>),
    Variable(Vec<Part>),
}

/// A pattern with its variables replaced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expanded<'a> {
    Tokens(Cow<'a, [Token]>),
    /// A variable has neither a value nor a default: nothing equals the pattern
    /// (IAM guide, "IAM policy elements: Variables and tags", variables with no value).
    Null,
    /// The pattern has no single meaning for this request.
    Unknown(&'static str),
}

impl Pattern {
    pub(crate) fn parse(source: &str, syntax: Syntax) -> Result<Self, String> {
        Ok(Self::from_parts(parse_parts(source, syntax)?))
    }

    pub(crate) fn from_parts(parts: Vec<Part>) -> Self {
        let fixed: Option<Vec<Token>> = parts
            .iter()
            .map(|part| match part {
                Part::Token(token) => Some(*token),
                Part::Variable { .. } => None,
            })
            .collect();
        let form = fixed.map_or(Form::Variable(parts), Form::Fixed);
        Self { form }
    }

    /// Whether it is a lone `*`.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(&self.form, Form::Fixed(tokens) if matches!(tokens.as_slice(), [Token::Any]))
    }

    /// Shows `visit` every condition key that a variable reads.
    pub(crate) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) {
        if let Form::Variable(parts) = &self.form {
            for part in parts {
                if let Part::Variable { key, .. } = part {
                    visit(key);
                }
            }
        }
    }

    pub(crate) fn expand(&self, context: &Context<'_>) -> Expanded<'_> {
        let parts = match &self.form {
            Form::Fixed(tokens) => return Expanded::Tokens(Cow::Borrowed(tokens)),
            Form::Variable(parts) => parts,
        };
        let mut tokens = Vec::new();
        for part in parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                Part::Variable { key, default } => {
                    let value = match (context.lookup(key), default) {
                        ([value], _) => value.as_ref(),
                        ([], Some(default)) => default.as_str(),
                        ([], None) => return Expanded::Null,
                        _ => return Expanded::Unknown("a policy variable has several values"),
                    };
                    tokens.extend(value.chars().take(MAX_EXPANDED).map(Token::Literal));
                }
            }
            if tokens.len() > MAX_EXPANDED {
                return Expanded::Unknown("a pattern is too long after substitution");
            }
        }
        Expanded::Tokens(Cow::Owned(tokens))
    }
}

/// The text of tokens that hold no wildcard.
pub(crate) fn literal_text(tokens: &[Token]) -> String {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Literal(character) => Some(*character),
            Token::One | Token::Any => None,
        })
        .collect()
}

pub(crate) fn parse_parts(source: &str, syntax: Syntax) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut characters = source.chars();
    loop {
        if syntax.variables
            && let Some(body) = characters.as_str().strip_prefix("${")
        {
            let (part, rest) = parse_variable(body)?;
            parts.push(part);
            characters = rest.chars();
            continue;
        }
        let Some(character) = characters.next() else { return Ok(parts) };
        let token = if syntax.wildcards {
            Token::from_pattern(character)
        } else {
            Token::Literal(character)
        };
        // `**` means what `*` means.
        if token != Token::Any || parts.last() != Some(&Part::Token(Token::Any)) {
            parts.push(Part::Token(token));
        }
    }
}

/// Reads what follows `${`, up to and including the closing brace.
fn parse_variable(body: &str) -> Result<(Part, &str), String> {
    for special in ['*', '?', '$'] {
        if let Some(rest) = body.strip_prefix(special).and_then(|rest| rest.strip_prefix('}')) {
            return Ok((Part::Token(Token::Literal(special)), rest));
        }
    }
    let missing_brace = || "policy variable without a closing brace".to_owned();
    let (key, rest) = body
        .find([',', '}'])
        .and_then(|end| body.split_at_checked(end))
        .ok_or_else(missing_brace)?;
    if key.contains(char::is_whitespace) {
        return Err("policy variable with a space in its name".to_owned());
    }
    if key.contains("${") || !has_prefix_and_name(key) {
        return Err(format!("{} is not a policy variable", crate::error::Shown(key)));
    }
    let key = key.to_lowercase();
    if let Some(rest) = rest.strip_prefix('}') {
        return Ok((Part::Variable { key, default: None }, rest));
    }
    let quoted =
        rest.strip_prefix(',').map(str::trim_start).and_then(|rest| rest.strip_prefix('\''));
    let (default, rest) = quoted
        .and_then(|quoted| quoted.split_once('\''))
        .ok_or_else(|| "the default of a policy variable must be in single quotes".to_owned())?;
    let rest = rest.trim_start().strip_prefix('}').ok_or_else(missing_brace)?;
    Ok((Part::Variable { key, default: Some(default.to_owned()) }, rest))
}

/// Whether a condition key has the form `prefix:name`.
pub(crate) fn has_prefix_and_name(key: &str) -> bool {
    key.split_once(':').is_some_and(|(prefix, name)| !prefix.is_empty() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Syntax = Syntax { wildcards: true, variables: true };

    fn context() -> Context<'static> {
        let mut context = Context::new();
        context.set("aws:username", "a*b");
        context.set_all("aws:TagKeys", ["one", "two"]);
        context
    }

    #[test]
    fn variables_expand_to_literals() {
        for (source, text, expected) in [
            ("home/${aws:username}/*", "home/a*b/x", true),
            ("home/${aws:username}/*", "home/axb/x", false),
            ("home/${AWS:UserName}", "home/a*b", true),
            ("${aws:absent, 'x'}", "x", true),
            ("${aws:absent,'x}y'}", "x}y", true),
            ("${aws:absent, '*'}", "z", false),
            ("${aws:absent, ''}", "", true),
            ("${aws:username, 'x'}", "a*b", true),
            ("a${*}", "a*", true),
            ("a${*}", "ab", false),
            ("a${?}", "a?", true),
            ("a${?}", "ab", false),
            ("${$}{aws:username}", "${aws:username}", true),
            ("cost $5", "cost $5", true),
        ] {
            let pattern = Pattern::parse(source, FULL).expect(source);
            let context = context();
            let Expanded::Tokens(tokens) = pattern.expand(&context) else {
                panic!("{source} did not expand")
            };
            assert_eq!(crate::glob::matches(&tokens, text), expected, "{source} on {text}");
        }
    }

    #[test]
    fn variables_without_one_value_do_not_expand() {
        let context = context();
        let expand = |source: &str| {
            let pattern = Pattern::parse(source, FULL).expect(source);
            matches!(pattern.expand(&context), Expanded::Null)
        };
        assert!(expand("${aws:absent}"));
        assert!(!expand("${aws:TagKeys}"), "several values are not the same as none");
    }

    #[test]
    fn old_documents_have_no_variables() {
        let old = Syntax { wildcards: true, variables: false };
        let pattern = Pattern::parse("${aws:username}", old).expect("plain text");
        let context = context();
        let Expanded::Tokens(tokens) = pattern.expand(&context) else { panic!("plain text") };
        assert!(crate::glob::matches(&tokens, "${aws:username}"));
    }

    #[test]
    fn malformed_variables_are_refused() {
        for source in [
            "${",
            "${}",
            "${aws:username",
            "${aws:user name}",
            "${ aws:username}",
            "${username}",
            "${aws:}",
            "${:x}",
            "${aws:x,}",
            "${aws:x, y}",
            "${aws:x, 'y}",
            "${aws:x, 'y' z}",
            "${aws:${aws:x}}",
            "${**}",
            "${aws:x,'y'",
        ] {
            assert!(Pattern::parse(source, FULL).is_err(), "{source}");
        }
    }

    #[test]
    fn expansion_is_bounded() {
        let mut context = Context::new();
        let long = "x".repeat(10_000);
        context.set("a:b", long.as_str());
        let pattern = Pattern::parse(&"${a:b}".repeat(1_000), FULL).expect("pattern");
        assert!(matches!(pattern.expand(&context), Expanded::Unknown(_)));
    }
}
