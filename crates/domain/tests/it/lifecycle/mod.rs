//! Lifecycle policies: the language, the decision, and what becomes of images.

mod cost;
mod evaluator;
mod previews;
mod runs;
mod validation;

use tonnage_domain::jobs::Worker;

use crate::registry::Registry;

/// A policy of these rules, each `selection | action`, by priority from 1; long enough for ECR.
pub(super) fn policy(selections: &[&str]) -> String {
    let rules: Vec<String> = selections
        .iter()
        .enumerate()
        .map(|(index, selection)| {
            format!(
                r#"{{"rulePriority":{},"description":"a rule of a test","selection":{{{selection}}},"action":{{"type":"expire"}}}}"#,
                index + 1
            )
        })
        .collect();
    format!(r#"{{"rules": [{}]}}"#, rules.join(", "))
}

/// Runs all jobs that are due.
pub(crate) async fn drain(registry: &Registry) -> usize {
    drain_with(registry, &Worker::default()).await
}

pub(crate) async fn drain_with(registry: &Registry, worker: &Worker) -> usize {
    for ran in 0..1000 {
        if worker.run_one(&registry.app).await.unwrap().is_none() {
            return ran;
        }
    }
    panic!("jobs never end");
}
