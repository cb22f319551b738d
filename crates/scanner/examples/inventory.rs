//! Prints what is installed in an image, given the files of its layers, the lowest first: one
//! package a line, its fields separated by tabs. `tests/syft` compares that with what syft says.
//!
//! ```sh
//! cargo run --release -p tonnage-scanner --example inventory -- LAYER…
//! ```

use std::env;
use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

use tonnage_scanner::layers::{LayerIndex, Limits, TemporaryFiles, index_layer, squash};

type Failure = Box<dyn std::error::Error>;

fn index(path: &str) -> Result<LayerIndex, Failure> {
    let scratch = TemporaryFiles::new(env::temp_dir(), 2 << 30);
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let start = Instant::now();
    let index = index_layer(file, None, &Limits::default(), &scratch, &mut || true)?;
    let seconds = start.elapsed().as_secs_f64();
    let stored = index.to_bytes()?.len();
    eprintln!(
        "{path}: {bytes} bytes in {seconds:.2} s, {:.0} MB/s; the index takes {stored}",
        bytes as f64 / seconds / 1e6,
    );
    Ok(index)
}

fn run() -> Result<(), Failure> {
    let indexes = env::args().skip(1).map(|path| index(&path)).collect::<Result<Vec<_>, _>>()?;
    let inventory = squash(&indexes);
    let os = inventory.os.as_ref();
    for warning in &inventory.warnings {
        eprintln!("{}: {}", warning.path, warning.problem);
    }
    for package in &inventory.packages {
        let source = package.source.as_ref();
        let source = source.map(|source| format!("{} {}", source.name, source.version));
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            package.package_type.as_str(),
            package.full_name(),
            package.version,
            source.unwrap_or_default(),
            package.layer.unwrap_or_default(),
            package.path,
            package.purl(os),
        );
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
