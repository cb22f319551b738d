//! Rows as lines of JSON: a table begins with an object, each of its rows is an array. Bytes are
//! Base64 in an object, since JSON has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::metadata::Value;

/// The line before the rows of a table.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heading {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Heading(Heading),
    Row(Vec<Value>),
}

/// A row as text; `None` for what no column can hold.
pub(super) fn encode(row: &[Value]) -> Option<Vec<u8>> {
    let columns: Option<Vec<Json>> = row
        .iter()
        .map(|value| {
            Some(match value {
                Value::Null => Json::Null,
                Value::Int(number) => json!(number),
                Value::Text(text) => json!(text),
                Value::Bytes(bytes) => json!({ "bytes": STANDARD.encode(bytes) }),
                Value::List(_) => return None,
            })
        })
        .collect();
    serde_json::to_vec(&columns?).ok()
}

/// Reads a line back; `None` for anything that was never written.
pub(super) fn decode(line: &[u8]) -> Option<Line> {
    if line.first() == Some(&b'{') {
        return serde_json::from_slice(line).ok().map(Line::Heading);
    }
    let columns: Vec<Json> = serde_json::from_slice(line).ok()?;
    let values = columns.into_iter().map(|column| {
        Some(match column {
            Json::Null => Value::Null,
            Json::Number(number) => Value::Int(number.as_i64()?),
            Json::String(text) => Value::Text(text),
            Json::Object(object) if object.len() == 1 => {
                Value::Bytes(STANDARD.decode(object.get("bytes")?.as_str()?).ok()?)
            }
            _ => return None,
        })
    });
    values.collect::<Option<_>>().map(Line::Row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_as_it_was(row in prop::collection::vec(value(), 0..8)) {
            let line = encode(&row).unwrap();
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(decode(&line), Some(Line::Row(row)));
        }

        #[test]
        fn any_bytes_are_a_line_or_none(line: Vec<u8>) {
            decode(&line);
        }
    }

    #[test]
    fn what_was_never_written_is_no_line() {
        for line in ["", "x", "[1.5]", "[true]", "[{}]", "[{\"bytes\":\"?\"}]", "[[]]", "{}", "[1"]
        {
            assert_eq!(decode(line.as_bytes()), None, "{line}");
        }
        let heading = Heading { table: "a".to_owned(), columns: vec!["b".to_owned()] };
        let line = serde_json::to_vec(&heading).unwrap();
        assert_eq!(decode(&line), Some(Line::Heading(heading)));
        assert_eq!(encode(&[Value::List(Vec::new())]), None);
    }
}
