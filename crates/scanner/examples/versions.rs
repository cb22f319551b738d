//! Compares versions: pairs on standard input, a tab between the two, to -1, 0 or 1 a line, or to
//! `none` where either is no version. `tests/syft` compares that with what the tools say whose
//! versions they are.
//!
//! ```sh
//! printf '1.0~rc1\t1.0\n' | cargo run --release -p tonnage-scanner --example versions -- debian
//! ```

use std::io;
use std::process::ExitCode;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use tonnage_scanner::advisories::versions::Scheme;

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let deserializer: StrDeserializer<'_, Error> = name.as_str().into_deserializer();
    let scheme = Scheme::deserialize(deserializer)?;
    for line in io::stdin().lines() {
        let line = line?;
        let (left, right) = line.split_once('\t').ok_or("a line has no tab")?;
        match scheme.compare(left, right) {
            Some(order) => println!("{}", order as i8),
            None => println!("none"),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
