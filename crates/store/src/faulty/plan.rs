//! Which call fails, and how.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tonnage_domain::metadata::{MetadataError, MetadataErrorKind};
use tonnage_domain::objects::{ObjectError, ObjectId};

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `Metadata::begin` for reading.
    BeginRead,
    /// `Metadata::begin` for writing.
    BeginWrite,
    /// `Transaction::execute`; the statement is not run.
    Execute,
    /// `Transaction::query`; the query is not run.
    Query,
    /// `Transaction::commit` of a writing transaction, before anything is durable: it rolls back.
    CommitBefore,
    /// `Transaction::commit` of a writing transaction, after it is durable: the connection breaks
    /// before the answer arrives. Only engines behind a network can do this.
    CommitAfterDurable,
    /// `Objects::create`; nothing is made.
    Create,
    /// `Objects::resume`; nothing is cut.
    Resume,
    /// `ObjectWriter::write`; half of the span is written.
    Write,
    /// `ObjectWriter::sync`; nothing is synced.
    Sync,
    /// `Objects::open`.
    Open,
    /// `ObjectReader::read_at`.
    Read,
    /// `Objects::delete`; nothing is removed.
    Delete,
}

impl Call {
    /// Every call, in the order of their definition.
    pub const ALL: [Self; 13] = [
        Self::BeginRead,
        Self::BeginWrite,
        Self::Execute,
        Self::Query,
        Self::CommitBefore,
        Self::CommitAfterDurable,
        Self::Create,
        Self::Resume,
        Self::Write,
        Self::Sync,
        Self::Open,
        Self::Read,
        Self::Delete,
    ];
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full.
    Full,
    /// The database cannot be reached; for objects a time-out.
    Unavailable,
    /// An input/output error.
    Other,
}

impl Fault {
    pub(crate) fn metadata_error(self, call: Call) -> MetadataError {
        let kind = match self {
            Self::Full => MetadataErrorKind::Full,
            Self::Unavailable => MetadataErrorKind::Unavailable,
            Self::Other => MetadataErrorKind::Other,
        };
        MetadataError::new(kind, format!("injected fault on {call:?}"))
    }

    pub(crate) fn object_error(self, call: Call, id: &ObjectId) -> ObjectError {
        ObjectError::new(id, self.io_error(call))
    }

    pub(crate) fn io_error(self, call: Call) -> io::Error {
        let kind = match self {
            Self::Full => io::ErrorKind::StorageFull,
            Self::Unavailable => io::ErrorKind::TimedOut,
            Self::Other => io::ErrorKind::Other,
        };
        io::Error::new(kind, format!("injected fault on {call:?}"))
    }
}

/// A plan that any number of wrappers share, and that the test changes as it goes.
#[derive(Debug, Default)]
pub struct FaultPlan {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: [u64; Call::ALL.len()],
    injected: u64,
    scripted: Vec<(Call, u64, Fault)>,
    random: Option<Random>,
}

#[derive(Debug)]
struct Random {
    state: u64,
    per_mille: u64,
    calls: Vec<Call>,
    faults: Vec<Fault>,
}

impl FaultPlan {
    /// A plan under which nothing fails yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A plan under which about `per_mille` of a thousand calls of these kinds fail in one of these
    /// ways. The same seed and the same order of calls give the same faults.
    pub fn seeded(seed: u64, per_mille: u64, calls: &[Call], faults: &[Fault]) -> Arc<Self> {
        let random =
            Random { state: seed, per_mille, calls: calls.to_vec(), faults: faults.to_vec() };
        let state = State { random: Some(random), ..State::default() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Lets the `nth` call of this kind from now on fail; 1 is the next one.
    pub fn fail(&self, call: Call, nth: u64, fault: Fault) {
        let mut state = self.lock();
        let at = state.counts[call as usize] + nth;
        state.scripted.push((call, at, fault));
    }

    /// Lets nothing fail any more.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.scripted.clear();
        state.random = None;
    }

    /// How many calls of this kind there were, failed ones included.
    pub fn count(&self, call: Call) -> u64 {
        self.lock().counts[call as usize]
    }

    /// How many faults were injected.
    pub fn injected(&self) -> u64 {
        self.lock().injected
    }

    pub(crate) fn next(&self, call: Call) -> Option<Fault> {
        let mut state = self.lock();
        state.counts[call as usize] += 1;
        let count = state.counts[call as usize];
        let scripted = state.scripted.iter().position(|(c, at, _)| *c == call && *at == count);
        let fault = match scripted {
            Some(position) => Some(state.scripted.swap_remove(position).2),
            None => state.random.as_mut().and_then(|random| random.next(call)),
        };
        state.injected += u64::from(fault.is_some());
        fault
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Random {
    fn next(&mut self, call: Call) -> Option<Fault> {
        if !self.calls.contains(&call) || self.faults.is_empty() {
            return None;
        }
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let choice = usize::try_from((mixed >> 32) % self.faults.len() as u64).unwrap_or_default();
        (mixed % 1000 < self.per_mille).then(|| self.faults.get(choice).copied()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_calls_is_complete_and_in_order() {
        for (position, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(call as usize, position);
        }
    }

    #[test]
    fn the_nth_call_from_now_on_fails_once() {
        let plan = FaultPlan::new();
        assert_eq!(plan.next(Call::Sync), None);
        plan.fail(Call::Sync, 2, Fault::Full);
        assert_eq!(plan.next(Call::Write), None);
        assert_eq!(plan.next(Call::Sync), None);
        assert_eq!(plan.next(Call::Sync), Some(Fault::Full));
        assert_eq!(plan.next(Call::Sync), None);
        assert_eq!((plan.count(Call::Sync), plan.count(Call::Write), plan.injected()), (4, 1, 1));
    }

    #[test]
    fn a_seed_decides_about_its_calls_only() {
        let run = |seed| {
            let plan = FaultPlan::seeded(seed, 500, &[Call::Read], &[Fault::Other, Fault::Full]);
            assert!((0..100).all(|_| plan.next(Call::Write).is_none()));
            let faults: Vec<_> = (0..1000).map(|_| plan.next(Call::Read)).collect();
            plan.heal();
            assert_eq!(plan.next(Call::Read), None);
            faults
        };
        let faults = run(1);
        assert_eq!(faults, run(1));
        assert_ne!(faults, run(2));
        for expected in [None, Some(Fault::Other), Some(Fault::Full)] {
            assert!(faults.iter().filter(|fault| **fault == expected).count() > 100);
        }
    }
}
