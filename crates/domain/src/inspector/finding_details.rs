//! `BatchGetFindingDetails`.

use std::collections::BTreeMap;

use super::criteria::Criteria;
use super::walk::{self, Found, Walk};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::scanning;

/// Finds findings by their ARNs; those that are not there are left out.
#[derive(Clone, Debug)]
pub struct BatchGetFindingDetails {
    /// Which ones.
    pub arns: Vec<String>,
}

impl Operation for BatchGetFindingDetails {
    const ENTRY: Entry = Entry { service: Service::Inspector2, name: "BatchGetFindingDetails" };
    type Output = BTreeMap<String, Found>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("inspector2:BatchGetFindingDetails", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<BTreeMap<String, Found>> {
        let mut details = BTreeMap::new();
        let mut tx = call.read().await?;
        let Some(registry_id) = walk::registry(&mut tx, &call).await? else { return Ok(details) };
        let everything = Criteria::default();
        let mut walk = Walk::new(registry_id, &everything, call.now(), 0);
        while details.len() < self.arns.len()
            && let Some(found) = walk.next(&mut tx, &call).await?
        {
            for found in found {
                let image = &found.image;
                let arn =
                    scanning::finding_arn(&image.repository, &image.digest, &found.stored.finding);
                if self.arns.contains(&arn) {
                    details.insert(arn, found);
                }
            }
        }
        Ok(details)
    }
}
