//! RPM's databases: three formats, all of which hold the header of each installed package.

mod bdb;
mod header;
mod ndb;
mod sqlite;

pub(super) use bdb::read as bdb;
pub(super) use ndb::read as ndb;
pub(super) use sqlite::read as sqlite;

use super::collect::{Findings, file_problem};
use super::error::Fault;

/// The headers of a database: each is counted, so that all of them together are not larger than
/// the file that they are said to be in.
struct Headers<'a, 'b> {
    findings: &'a mut Findings<'b>,
    bytes_max: usize,
    left: u64,
}

impl<'a, 'b> Headers<'a, 'b> {
    fn new(findings: &'a mut Findings<'b>, bytes_max: usize, file_bytes: u64) -> Self {
        Self { findings, bytes_max, left: file_bytes }
    }

    /// To be asked before a header of that length is read; false if it is to be left out.
    fn admit(&mut self, length: u64) -> Result<bool, Fault> {
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| Fault::file("its packages are larger than the database"))?;
        if usize::try_from(length).is_ok_and(|length| length <= self.bytes_max) {
            return Ok(true);
        }
        self.problem(format!("a package's header is larger than {} bytes", self.bytes_max));
        Ok(false)
    }

    fn header(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Err(fault) = header::package(bytes, self.findings) {
            let problem = file_problem(fault)?;
            self.problem(format!("a package's header: {problem}"));
        }
        Ok(())
    }

    fn problem(&mut self, problem: impl Into<String>) {
        self.findings.problem(problem);
    }
}
