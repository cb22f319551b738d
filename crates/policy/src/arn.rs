//! ARNs in `Resource` elements and in ARN conditions.
//!
//! The two compare differently. A `Resource` follows the segment rule of [`crate::glob`]; an ARN
//! condition compares six components one by one (IAM guide, "IAM JSON policy elements: Condition
//! operators", ARN operators).

use crate::context::Context;
use crate::glob::{self, Token};
use crate::pattern::{Expanded, Part, Pattern, Syntax, parse_parts};

const COLON: Part = Part::Token(Token::Literal(':'));

/// One entry of `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourcePattern(Pattern);

impl ResourcePattern {
    /// Accepts `*` or an ARN. Wildcards may stand anywhere but in the service; variables only
    /// after the fifth colon (IAM guide, "IAM policy elements: Variables and tags").
    pub(crate) fn parse(source: &str, syntax: Syntax) -> Result<Self, String> {
        let parts = parse_parts(source, syntax)?;
        if matches!(parts.as_slice(), [Part::Token(Token::Any)]) {
            return Ok(Self(Pattern::from_parts(parts)));
        }
        let segments: Vec<&[Part]> = parts.splitn(6, |part| *part == COLON).collect();
        let Some((prefix, [_, service, rest @ ..])) = segments.split_first() else {
            return Err("a resource is an ARN or *".to_owned());
        };
        if !is_text(prefix, "arn") {
            return Err("a resource is an ARN or *".to_owned());
        }
        let plain = |part: &Part| matches!(part, Part::Token(Token::Literal(_)));
        if service.is_empty() || !service.iter().all(plain) {
            return Err("the service of a resource ARN cannot hold wildcards".to_owned());
        }
        // Such a segment may stand for several.
        let open = rest.iter().any(|segment| segment.last() == Some(&Part::Token(Token::Any)));
        if rest.len() < 3 && !open {
            return Err("an ARN has six parts separated by colons".to_owned());
        }
        let variable = |part: &Part| matches!(part, Part::Variable { .. });
        if segments.iter().take(5).any(|segment| segment.iter().any(variable)) {
            return Err("policy variables are allowed after the fifth colon of an ARN".to_owned());
        }
        Ok(Self(Pattern::from_parts(parts)))
    }

    /// Shows `visit` every condition key that a variable reads.
    pub(crate) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) {
        self.0.visit_keys(visit);
    }

    /// Whether it is a lone `*`.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_everything()
    }

    /// `Err` says why the pattern has no meaning for this request.
    pub(crate) fn matches(
        &self,
        resource: &str,
        context: &Context<'_>,
    ) -> Result<bool, &'static str> {
        match self.0.expand(context) {
            Expanded::Tokens(tokens) => Ok(glob::matches_arn(&tokens, resource)),
            Expanded::Null => Ok(false),
            Expanded::Unknown(why) => Err(why),
        }
    }
}

/// One value of an ARN condition operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    /// A lone `*`: every ARN.
    Every,
    Components(Vec<Pattern>),
}

impl ArnPattern {
    pub(crate) fn parse(source: &str, syntax: Syntax) -> Result<Self, String> {
        let parts = parse_parts(source, syntax)?;
        if matches!(parts.as_slice(), [Part::Token(Token::Any)]) {
            return Ok(Self::Every);
        }
        let components: Vec<Pattern> = parts
            .splitn(6, |part| *part == COLON)
            .map(|component| Pattern::from_parts(component.to_vec()))
            .collect();
        // A lone variable may hold a whole ARN; the comparison below then takes it apart.
        let lone_variable = matches!(parts.as_slice(), [Part::Variable { .. }]);
        if components.len() != 6 && !lone_variable {
            return Err("an ARN has six parts separated by colons".to_owned());
        }
        Ok(Self::Components(components))
    }

    /// Shows `visit` every condition key that a variable reads.
    pub(crate) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) {
        if let Self::Components(components) = self {
            components.iter().for_each(|component| component.visit_keys(visit));
        }
    }

    /// `Err` says why the two cannot be compared.
    pub(crate) fn matches(&self, arn: &str, context: &Context<'_>) -> Result<bool, &'static str> {
        if !arn.starts_with("arn:") || arn.split(':').count() < 6 {
            return Err("the value is not an ARN");
        }
        let components = match self {
            Self::Every => return Ok(true),
            Self::Components(components) => components,
        };
        if let [whole] = components.as_slice() {
            return match whole.expand(context) {
                Expanded::Tokens(tokens) => Ok(glob::matches(&tokens, arn)),
                Expanded::Null => Ok(false),
                Expanded::Unknown(why) => Err(why),
            };
        }
        let mut matched = true;
        for (pattern, component) in components.iter().zip(arn.splitn(6, ':')) {
            match pattern.expand(context) {
                Expanded::Tokens(tokens) => matched &= glob::matches(&tokens, component),
                Expanded::Null => matched = false,
                Expanded::Unknown(why) => return Err(why),
            }
        }
        Ok(matched)
    }
}

fn is_text(parts: &[Part], text: &str) -> bool {
    parts.len() == text.chars().count()
        && parts
            .iter()
            .zip(text.chars())
            .all(|(part, character)| *part == Part::Token(Token::Literal(character)))
}
