//! From advisories and packages to findings.
//!
//! Readers of what publishers distribute ([`osv`], [`updateinfo`]) make an [`Advisory`]; [`entries`]
//! brings it into the form that a database keeps under ecosystem and name; [`subjects`] says what a
//! package is to be looked up by; [`decide_rules`] decides; [`join`] makes one flaw of what several
//! advisories say, and [`rate`] says how bad it is. Nothing here asks for the time or opens a
//! connection: what goes in decides what comes out.

pub mod bundle;
mod cvss;
mod decide;
mod ecosystem;
mod entry;
pub mod feeds;
mod join;
pub mod osv;
mod record;
mod severity;
pub mod updateinfo;
pub mod versions;

pub use cvss::{Cvss, CvssVersion};
pub use decide::{Match, Status, Subject, Verdict, decide, decide_entry, decide_rules, subjects};
pub use ecosystem::Ecosystem;
pub use entry::{End, Entries, Entry, EntryError, FORM, Interval, Rule, Rules, Text, entries};
pub use join::{Flaw, Hit, join};
pub use osv::Refused;
pub use record::{Advisory, Affected, Event, Range};
pub use severity::{Opinion, Rating, Severity, rate};
