//! Parameters and columns between the executor's values and PostgreSQL's binary forms.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row as PostgresRow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind, Row, Value};

/// A parameter, with the type that is told to the server.
#[derive(Debug)]
pub(super) struct Parameter<'a>(&'a Value);

/// The parameters of a statement; `lists` are the numbers of those that stand in `IN_LIST`.
pub(super) fn parameters<'a>(
    values: &'a [Value],
    lists: &[usize],
) -> Result<Vec<(Parameter<'a>, Type)>, MetadataError> {
    let refused =
        |message: &'static str| MetadataError::new(MetadataErrorKind::Constraint, message);
    let mut parameters = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let data_type = match value {
            Value::Null => Type::UNKNOWN,
            Value::Int(_) => Type::INT8,
            Value::Text(text) if text.contains('\0') => {
                return Err(refused("a text contains NUL"));
            }
            Value::Text(_) => Type::TEXT,
            Value::Bytes(_) => Type::BYTEA,
            Value::List(items) => {
                if !lists.contains(&(index + 1)) {
                    return Err(super::errors::other("a list stands outside IN_LIST"));
                }
                if items.iter().any(|item| item.contains('\0')) {
                    return Err(refused("a text of a list contains NUL"));
                }
                Type::TEXT_ARRAY
            }
        };
        parameters.push((Parameter(value), data_type));
    }
    Ok(parameters)
}

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        data_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql(data_type, out),
            Value::Text(value) => value.to_sql(data_type, out),
            Value::Bytes(value) => value.to_sql(data_type, out),
            Value::List(values) => values.to_sql(data_type, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row of a result.
pub(super) fn row(row: &PostgresRow) -> Result<Row, MetadataError> {
    let mut columns = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let Column(value) = row
            .try_get(index)
            .map_err(|error| MetadataError::new(MetadataErrorKind::Corrupt, error))?;
        columns.push(value);
    }
    Ok(Row::new(columns))
}

struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(data_type: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *data_type {
            Type::INT8 => Value::Int(i64::from_sql(data_type, raw)?),
            Type::INT4 => Value::Int(i64::from(i32::from_sql(data_type, raw)?)),
            Type::BOOL => Value::Int(i64::from(bool::from_sql(data_type, raw)?)),
            Type::NUMERIC => Value::Int(whole_number(raw).ok_or("a sum is not a 64-bit integer")?),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            _ => Value::Text(String::from_sql(data_type, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(data_type: &Type) -> bool {
        matches!(*data_type, Type::INT8 | Type::INT4 | Type::BOOL | Type::NUMERIC | Type::BYTEA)
            || <String as FromSql>::accepts(data_type)
    }
}

/// A NUMERIC without a fraction, which is what sums of BIGINT are: four words (digits, weight,
/// sign, scale), then digits to the base 10,000.
fn whole_number(raw: &[u8]) -> Option<i64> {
    let mut words = raw.chunks_exact(2).map(|pair| match pair {
        &[high, low] => u16::from_be_bytes([high, low]),
        _ => 0,
    });
    let digits = i64::from(words.next()?);
    let weight = i64::from(words.next()?.cast_signed());
    let sign = words.next()?;
    let _scale = words.next()?;
    if digits > weight + 1 || weight > 5 {
        return None;
    }
    let mut value: i128 = 0;
    for position in 0..=weight {
        let digit = if position < digits { words.next()? } else { 0 };
        value = value * 10_000 + i128::from(digit);
    }
    match sign {
        0x0000 => i64::try_from(value).ok(),
        0x4000 => i64::try_from(-value).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_whole_numbers() {
        for (words, expected) in [
            (&[0u16, 0, 0, 0][..], Some(0)),
            (&[1, 0, 0, 0, 42], Some(42)),
            (&[1, 0, 0x4000, 0, 42], Some(-42)),
            (&[1, 1, 0, 0, 3], Some(30_000)),
            (&[2, 1, 0, 0, 3, 7], Some(30_007)),
            (&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807], Some(i64::MAX)),
            (&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808], None),
            (&[1, 0xffff, 0, 1, 5000], None),
            (&[0, 0, 0xc000, 0], None),
            (&[2, 1, 0, 0, 3], None),
        ] {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(whole_number(&raw), expected, "{words:?}");
        }
    }
}
