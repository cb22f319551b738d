//! Prints what is installed in an image, given the files of its layers, the lowest first: one
//! package a line, its fields separated by tabs. `tests/syft` compares that with what syft says.
//!
//! ```sh
//! cargo run --release -p tonnage-scanner --example inventory -- LAYER…
//! ```

use std::env;
use std::fs::{self, File};
use std::process::ExitCode;

use tonnage_scanner::layers::{LayerIndex, Limits, TemporaryFiles, index_layer, squash};

type Failure = Box<dyn std::error::Error>;

/// Seconds that this thread has had a processor, which others on the machine do not make longer.
fn processor_seconds() -> Result<f64, Failure> {
    let counters = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = counters.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

/// The most memory that the process has had in RAM, as Linux says it.
fn memory_peak() -> Result<String, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak.unwrap_or_default().trim().to_owned())
}

fn index(path: &str) -> Result<LayerIndex, Failure> {
    let scratch = TemporaryFiles::new(env::temp_dir(), 2 << 30);
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let (start, memory) = (processor_seconds()?, memory_peak()?);
    let index = index_layer(file, None, &Limits::default(), &scratch, &mut || true)?;
    let seconds = processor_seconds()? - start;
    let stored = index.to_bytes()?.len();
    eprintln!(
        "{path}: {bytes} bytes in {seconds:.3} s of processor time, {:.0} MB/s; at most {} of \
         memory, {memory} before; the index takes {stored}",
        bytes as f64 / seconds / 1e6,
        memory_peak()?,
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
