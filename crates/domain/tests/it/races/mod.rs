//! Two operations in two processes on one database, interleaved at every point at which another
//! process may come in between: before each transaction, after the first statement of one that
//! writes, and before it commits. What both answered and what is stored then equals one of the two
//! serial orders, or one of them was refused in words that ask to try again and left no trace.
//!
//! Every operation that writes belongs to a class of rows, and every class has a race; see
//! `classes.rs` and `table.rs`.

mod classes;
mod policies;
mod public;
mod renames;
mod secrets;
mod settings;
mod table;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use tonnage_domain::execute::{Entry, Operation};
use tonnage_domain::operations::OPERATIONS;

use self::classes::{Class, Writes, writes};
use self::table::races;
use self::world::World;
use crate::registry::{Registry, sampled};

/// Far above what one step takes, and below what a person waits for a test.
const LONGEST_STEP: Duration = Duration::from_secs(30);

/// How often it is looked whether both stand still.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// What an operation answered: `ok`, what it says of itself, or the kind of its error.
type Answer = String;

/// One of the two.
struct Act {
    /// `None` for a change that no operation makes yet.
    entry: Option<Entry>,
    run: Box<dyn Fn(Arc<World>, usize) -> BoxFuture<'static, Answer> + Send + Sync>,
}

/// The two that meet.
struct Race {
    acts: [Act; 2],
    /// The kinds of error that tell a client to look again, and that nothing was done.
    refusals: &'static [&'static str],
}

/// One act, and then the other.
#[derive(Debug)]
struct Serial {
    /// After the first of them.
    alone: Outcome,
    /// How many points that one passed.
    points: u64,
    both: Outcome,
}

/// What came of a race.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    answers: [Answer; 2],
    stored: Vec<String>,
}

fn name(entry: Entry) -> String {
    format!("{}:{}", entry.service.as_str(), entry.name)
}

/// An operation of root.
fn act<O: Operation + 'static>(make: impl Fn(&World) -> O + Clone + Send + Sync + 'static) -> Act {
    act_with(make, |_| "ok".to_owned())
}

/// An operation of root whose answer matters.
fn act_with<O: Operation + 'static>(
    make: impl Fn(&World) -> O + Clone + Send + Sync + 'static,
    show: fn(O::Output) -> String,
) -> Act {
    act_as(|_, registry| registry.context(), make, show)
}

fn act_as<O: Operation + 'static>(
    who: fn(&World, &Registry) -> tonnage_domain::context::RequestContext,
    make: impl Fn(&World) -> O + Clone + Send + Sync + 'static,
    show: fn(O::Output) -> String,
) -> Act {
    let run = move |world: Arc<World>, side: usize| {
        let registry = Arc::clone(&world.sides[side]);
        let (context, operation) = (who(&world, &registry), make(&world));
        Box::pin(async move {
            match registry.run_in(&context, operation).await {
                Ok(output) => show(output),
                Err(error) => format!("{:?}", error.kind()),
            }
        }) as BoxFuture<'static, Answer>
    };
    Act { entry: Some(O::ENTRY), run: Box::new(run) }
}

impl Race {
    fn label(&self) -> String {
        let names = self.acts.iter().map(|act| act.entry.map_or("(statements)".to_owned(), name));
        names.collect::<Vec<_>>().join(" and ")
    }

    /// Runs the act `first` and then the other one, each in a process of its own.
    async fn serially(&self, first: usize) -> Serial {
        let world = Arc::new(World::new().await);
        let points = || world.sides[first].interposed.points();
        let mut answers = [const { String::new() }; 2];
        let before = points();
        answers[first] = (self.acts[first].run)(Arc::clone(&world), first).await;
        let points = u64::from(points() - before);
        let alone = Outcome { answers: answers.clone(), stored: world.rows().await };
        let second = 1 - first;
        answers[second] = (self.acts[second].run)(Arc::clone(&world), second).await;
        Serial { alone, points, both: Outcome { answers, stored: world.stored().await } }
    }

    /// Holds the act `first` at its `nth` point and lets the other one run as far as it gets.
    async fn interleaved(&self, first: usize, nth: u64) -> Outcome {
        let world = Arc::new(World::new().await);
        let [held, other] = [first, 1 - first].map(|act| &world.sides[act].interposed);
        let pause = held.hold_at(u32::try_from(nth).unwrap());
        let running = tokio::spawn((self.acts[first].run)(Arc::clone(&world), first));
        self.within("the first to reach its point", first, nth, pause.reached()).await;
        let second = tokio::spawn((self.acts[1 - first].run)(Arc::clone(&world), 1 - first));
        // It ends, or it waits for a turn that the one who is held has.
        let met = async {
            while !(second.is_finished() || held.writes() && other.waits_to_write()) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        self.within("the second to end or to wait for its turn", first, nth, met).await;
        pause.resume();
        let mut answers = [const { String::new() }; 2];
        answers[first] = self.within("the first to end", first, nth, running).await.unwrap();
        answers[1 - first] = self.within("the second to end", first, nth, second).await.unwrap();
        Outcome { answers, stored: world.stored().await }
    }

    /// Waits no longer than any step takes on a loaded machine; a step that hangs says which it is.
    async fn within<T>(
        &self,
        what: &str,
        first: usize,
        nth: u64,
        wait: impl Future<Output = T>,
    ) -> T {
        let Ok(output) = tokio::time::timeout(LONGEST_STEP, wait).await else {
            panic!("{}, {first} held at its point {nth}: waited in vain for {what}", self.label());
        };
        output
    }

    async fn check(&self) {
        let label = self.label();
        let serial = [self.serially(0).await, self.serially(1).await];
        for first in [0, 1] {
            // Before its first transaction nothing has been read: that is a serial order.
            for nth in sampled(2..=serial[first].points, 2) {
                let outcome = self.interleaved(first, nth).await;
                let as_if_alone = |act: usize| {
                    let refused = self.refusals.contains(&outcome.answers[1 - act].as_str());
                    refused
                        && outcome.answers[act] == serial[act].alone.answers[act]
                        && outcome.stored == serial[act].alone.stored
                };
                assert!(
                    serial.iter().any(|serial| serial.both == outcome)
                        || as_if_alone(0)
                        || as_if_alone(1),
                    "{label}, {first} held at its point {nth}: {outcome:#?}\nis none of \
                     {serial:#?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_interleaving_equals_a_serial_order() {
    let races = races();
    stream::iter(&races).for_each_concurrent(8, |race| race.check()).await;
}

/// Whoever adds an operation says what it writes.
#[test]
fn every_class_of_rows_has_a_race() {
    let races = races();
    let raced: BTreeSet<Class> = races
        .iter()
        .flat_map(|race| &race.acts)
        .filter_map(|act| act.entry)
        .filter_map(|entry| match writes(entry) {
            Some(Writes::Rows(class)) => Some(class),
            _ => None,
        })
        .collect();
    let mut used = BTreeSet::new();
    for entry in OPERATIONS {
        match writes(*entry) {
            None => panic!("{} has no class in races/classes.rs", name(*entry)),
            Some(Writes::Nothing) => {}
            Some(Writes::Rows(class)) => {
                used.insert(class);
            }
        }
    }
    for class in Class::ALL {
        assert!(used.contains(class), "no operation writes {class:?}");
        assert!(raced.contains(class), "{class:?} has no race");
    }
}
