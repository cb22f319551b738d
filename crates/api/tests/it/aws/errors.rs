//! Every kind of error against the code and status that each protocol of AWS gives it: a reviewer
//! sees all effects of a new kind in one file. `UPDATE_SNAPSHOTS=1` writes it anew.

use std::fmt::Write as _;

use tonnage_api::aws::error::{Code, json_code, query_code};
use tonnage_api::aws::shapes::ecr;
use tonnage_domain::error::ErrorKind;

#[test]
fn the_table_of_errors_is_the_reviewed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/errors.txt");
    let mut table = String::new();
    let mut row = |kind: &str, json: &str, query: &str| {
        writeln!(table, "{}", format!("{kind:31}{json:40}{query}").trim_end()).unwrap();
    };
    let cell = |(code, status): Code| format!("{status} {code}");
    row("kind", "AWS JSON (ecr)", "AWS Query (sts)");
    for kind in ErrorKind::ALL {
        row(&format!("{kind:?}"), &cell(json_code(kind)), &cell(query_code(kind)));
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        reviewed == table,
        "{path} differs; review and write it with UPDATE_SNAPSHOTS=1:\n{table}"
    );
}

#[test]
fn codes_that_the_model_knows_have_its_status() {
    for kind in ErrorKind::ALL {
        let (code, status) = json_code(kind);
        let modelled = ecr::SERVICE.operations.iter().find_map(|operation| operation.error(code));
        if let Some(modelled) = modelled {
            assert_eq!(status, modelled.status, "{code}");
        }
    }
}
