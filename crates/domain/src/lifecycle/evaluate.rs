//! Which images a policy acts on. Pure: no clock, no database.
//!
//! Every rule looks at all images as if it were alone: those that fit its tags it *sees*, and those
//! of them that are too many or too old it *marks*. An image is acted on by the rule that marks it,
//! unless a rule of higher priority sees it: what that one keeps, no lower one takes. (Amazon ECR
//! user guide, "How lifecycle policies work" and "Examples of lifecycle policies".)

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::policy::{CountType, LifecyclePolicy, Rule, StorageClass};
use crate::clock::Millis;

const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// What a decision about an image is made from.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Its row; of two images pushed at the same time the greater one is newer.
    pub id: i64,
    /// Its tags.
    pub tags: &'a [String],
    /// Where it is stored.
    pub storage_class: StorageClass,
    /// When it was pushed.
    pub pushed_at: Millis,
    /// When it was last pulled.
    pub last_pulled_at: Option<Millis>,
    /// When it was last archived.
    pub last_archived_at: Option<Millis>,
    /// When it was last restored.
    pub last_activated_at: Option<Millis>,
}

/// An image that a rule acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The image's row.
    pub image: i64,
    /// Which rule, as its position in the policy.
    pub rule: usize,
    /// What [`fingerprint`] said of its tags.
    pub tags: u64,
}

/// An evaluation under way. It keeps 64 bytes for each image, and no tags.
pub struct Evaluation<'p> {
    rules: &'p [Rule],
    now: Millis,
    images: Vec<Seen>,
}

/// An image without what is the same to every rule.
struct Seen {
    id: i64,
    tags: u64,
    /// When its life begins: the push, or the last restoration.
    born_at: i64,
    pulled_at: i64,
    archived_at: i64,
    /// The rules that see it, one bit each.
    rules: u64,
}

/// A number for a set of tags, in any order; equal in this process only.
pub fn fingerprint<S: AsRef<str>>(tags: &[S]) -> u64 {
    tags.iter().fold(tags.len() as u64, |sum, tag| {
        let mut hasher = DefaultHasher::new();
        tag.as_ref().hash(&mut hasher);
        sum.wrapping_add(hasher.finish())
    })
}

impl<'p> Evaluation<'p> {
    /// An evaluation of a policy, which has at most 50 rules, at a time.
    pub fn new(policy: &'p LifecyclePolicy, now: Millis) -> Self {
        Self { rules: &policy.rules, now, images: Vec::new() }
    }

    /// Takes an image into account, in any order. Images that stand or fall with another one (the
    /// children of an index, and what refers to a subject) are not given here.
    pub fn add(&mut self, image: &Image<'_>) {
        let mut rules = 0_u64;
        for (position, rule) in self.rules.iter().enumerate() {
            let selection = &rule.selection;
            if selection.storage_class() == image.storage_class && selection.fits(image.tags) {
                rules |= bit(position);
            }
        }
        if rules == 0 {
            return;
        }
        let born_at = image.last_activated_at.unwrap_or(image.pushed_at);
        self.images.push(Seen {
            id: image.id,
            tags: fingerprint(image.tags),
            born_at: born_at.0,
            // Pulls from before it was restored belong to its former life.
            pulled_at: image.last_pulled_at.map_or(born_at.0, |pulled| pulled.0.max(born_at.0)),
            archived_at: image.last_archived_at.map_or(i64::MAX, |archived| archived.0),
            rules,
        });
    }

    /// Who is acted on: by priority of the rule, oldest first, each image once.
    pub fn finish(mut self) -> Vec<Verdict> {
        self.images.sort_unstable_by_key(|image| Reverse((image.born_at, image.id)));
        let mut verdicts = Vec::new();
        for (position, rule) in self.rules.iter().enumerate() {
            let higher = bit(position).wrapping_sub(1);
            let first = verdicts.len();
            let mut rank = 0;
            for image in self.images.iter().filter(|image| image.rules & bit(position) != 0) {
                rank += 1;
                // What a higher rule sees still takes its place among those counted.
                if image.rules & higher == 0 && self.marks(rule, image, rank) {
                    verdicts.push(Verdict { image: image.id, rule: position, tags: image.tags });
                }
            }
            if let Some(of_rule) = verdicts.get_mut(first..) {
                of_rule.reverse();
            }
        }
        verdicts
    }

    fn marks(&self, rule: &Rule, image: &Seen, rank: u64) -> bool {
        let number = rule.selection.count_number;
        let since = match rule.selection.count_type {
            CountType::ImageCountMoreThan => return rank > number,
            CountType::SinceImagePushed => image.born_at,
            CountType::SinceImagePulled => image.pulled_at,
            CountType::SinceImageTransitioned => image.archived_at,
        };
        let days = i64::try_from(number).unwrap_or(i64::MAX);
        // An image of exactly that age stays.
        self.now.0.saturating_sub(since) > days.saturating_mul(DAY_MILLIS)
    }
}

fn bit(position: usize) -> u64 {
    1_u64.checked_shl(u32::try_from(position).unwrap_or(u32::MAX)).unwrap_or(0)
}
