//! The names of the condition operators.
//!
//! A name is an optional qualifier, a base operator and an optional `IfExists`. One table gives
//! the base and whether it is negated; everything else is composition.

/// How two ordered values must relate: the request's value stands on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    pub(crate) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Text,
    TextIgnoringCase,
    TextLike,
    Number(Relation),
    Date(Relation),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qualifier {
    ForAnyValue,
    ForAllValues,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
    pub(crate) qualifier: Option<Qualifier>,
}

/// Name, base, negated. `ArnEquals` and `ArnLike` are the same operator (IAM guide, "IAM JSON
/// policy elements: Condition operators", ARN operators).
const OPERATORS: &[(&str, Base, bool)] = &[
    ("StringEquals", Base::Text, false),
    ("StringNotEquals", Base::Text, true),
    ("StringEqualsIgnoreCase", Base::TextIgnoringCase, false),
    ("StringNotEqualsIgnoreCase", Base::TextIgnoringCase, true),
    ("StringLike", Base::TextLike, false),
    ("StringNotLike", Base::TextLike, true),
    ("NumericEquals", Base::Number(Relation::Equal), false),
    ("NumericNotEquals", Base::Number(Relation::Equal), true),
    ("NumericLessThan", Base::Number(Relation::Less), false),
    ("NumericLessThanEquals", Base::Number(Relation::LessOrEqual), false),
    ("NumericGreaterThan", Base::Number(Relation::Greater), false),
    ("NumericGreaterThanEquals", Base::Number(Relation::GreaterOrEqual), false),
    ("DateEquals", Base::Date(Relation::Equal), false),
    ("DateNotEquals", Base::Date(Relation::Equal), true),
    ("DateLessThan", Base::Date(Relation::Less), false),
    ("DateLessThanEquals", Base::Date(Relation::LessOrEqual), false),
    ("DateGreaterThan", Base::Date(Relation::Greater), false),
    ("DateGreaterThanEquals", Base::Date(Relation::GreaterOrEqual), false),
    ("Bool", Base::Bool, false),
    ("BinaryEquals", Base::Binary, false),
    ("IpAddress", Base::Address, false),
    ("NotIpAddress", Base::Address, true),
    ("ArnEquals", Base::Arn, false),
    ("ArnLike", Base::Arn, false),
    ("ArnNotEquals", Base::Arn, true),
    ("ArnNotLike", Base::Arn, true),
];

impl Operator {
    /// `None` for a name that does not exist. `Null` asks for existence itself and takes neither
    /// qualifier nor `IfExists`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == "Null" {
            let base = Base::Null;
            return Some(Self { base, negated: false, if_exists: false, qualifier: None });
        }
        let (qualifier, rest) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAnyValue", rest)) => (Some(Qualifier::ForAnyValue), rest),
            Some(("ForAllValues", rest)) => (Some(Qualifier::ForAllValues), rest),
            Some(_) => return None,
        };
        let stem = rest.strip_suffix("IfExists");
        let (_, base, negated) =
            OPERATORS.iter().find(|(known, ..)| *known == stem.unwrap_or(rest))?;
        Some(Self { base: *base, negated: *negated, if_exists: stem.is_some(), qualifier })
    }
}
