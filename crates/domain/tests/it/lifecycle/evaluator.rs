//! The pure decision: the documented examples, and a naive reading of the rules as the oracle.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tonnage_domain::clock::Millis;
use tonnage_domain::lifecycle::evaluate::{Evaluation, Image};
use tonnage_domain::lifecycle::policy::{
    Action, CountType, CountUnit, LifecyclePolicy, Rule, Selection, StorageClass, TagStatus,
};
use tonnage_domain::lifecycle::validate;

use super::policy;

const DAY: i64 = 24 * 3600 * 1000;
const NOW: i64 = 1_790_000_000_000;

/// Images as `name tag,tag age-in-days`; a dash for no tags.
#[track_caller]
fn check(images: &[&str], rules: &[&str], acted_on: &str) {
    let policy = validate::parse(&policy(rules)).unwrap();
    let mut evaluation = Evaluation::new(&policy, Millis(NOW));
    let mut names = Vec::new();
    // The order in which they are given must not matter.
    for (index, image) in images.iter().enumerate().rev() {
        let mut words = image.split(' ');
        let name = words.next().unwrap();
        let tags: Vec<String> = match words.next().unwrap() {
            "-" => Vec::new(),
            tags => tags.split(',').map(ToOwned::to_owned).collect(),
        };
        let days: i64 = words.next().unwrap().parse().unwrap();
        names.push((i64::try_from(index).unwrap(), name));
        evaluation.add(&Image {
            id: i64::try_from(index).unwrap(),
            tags: &tags,
            storage_class: StorageClass::Standard,
            pushed_at: Millis(NOW - days * DAY),
            last_pulled_at: None,
            last_archived_at: None,
            last_activated_at: None,
        });
    }
    let found: Vec<&str> = evaluation
        .finish()
        .iter()
        .map(|verdict| names.iter().find(|(id, _)| *id == verdict.image).unwrap().1)
        .collect();
    assert_eq!(found.join(" "), acted_on, "{images:?} {rules:?}");
}

/// "Examples of lifecycle policies" of the user guide, with the results that stand there.
#[test]
fn documented_examples() {
    const PROD: &str = r#""tagStatus":"tagged","tagPatternList":["prod*"],"countType":"imageCountMoreThan","countNumber":1"#;
    const BETA: &str = r#""tagStatus":"tagged","tagPatternList":["beta*"],"countType":"imageCountMoreThan","countNumber":1"#;
    let three = ["A beta-1,prod-1 10", "B beta-2,prod-2 9", "C beta-3 8"];
    check(&three, &[PROD, BETA], "A");
    check(&three, &[BETA, PROD], "A B");
    check(
        &[
            "A alpha-1 12",
            "B beta-1 11",
            "C alpha-2,beta-2 10",
            "D alpha-3 4",
            "E beta-3 3",
            "F alpha-4,beta-4 2",
        ],
        &[
            r#""tagStatus":"tagged","tagPatternList":["alpha*","beta*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":5"#,
        ],
        "C",
    );
    let with_gamma =
        ["A alpha-1,beta-1,gamma-1 10", "B alpha-2,beta-2 9", "C alpha-3,beta-3,gamma-2 8"];
    for list in ["tagPatternList\":[\"alpha*\",\"beta*\"]", "tagPrefixList\":[\"alpha\",\"beta\"]"]
    {
        let rule = format!(
            r#""tagStatus":"tagged","{list},"countType":"imageCountMoreThan","countNumber":1"#
        );
        check(&with_gamma, &[&rule], "A B");
    }
    const ANY: &str = r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":1"#;
    check(&["A alpha-1 4", "B beta-1 3", "C - 2", "D alpha-2 1"], &[ANY], "A B C");
    check(
        &["A alpha-1,beta-1 4", "B - 3", "C alpha-2 2", "D git,hash 1", "E - 1"],
        &[
            r#""tagStatus":"tagged","tagPatternList":["alpha*"],"countType":"imageCountMoreThan","countNumber":1"#,
            r#""tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
            ANY,
        ],
        "A B D",
    );
}

#[test]
fn an_image_of_exactly_that_age_stays() {
    const OLD: &str =
        r#""tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":5"#;
    check(&["A - 6", "B - 5", "C - 4"], &[OLD], "A");
}

#[test]
fn patterns_are_anchored_and_prefixes_are_beginnings() {
    let rule = |list: &str| {
        format!(
            r#""tagStatus":"tagged",{list},"countType":"sinceImagePushed","countUnit":"days","countNumber":1"#
        )
    };
    let images = ["A v1 9", "B v1.2 9", "C dev-v1 9", "D - 9"];
    check(&images, &[&rule(r#""tagPatternList":["v1"]"#)], "A");
    check(&images, &[&rule(r#""tagPatternList":["*v1"]"#)], "A C");
    check(&images, &[&rule(r#""tagPatternList":["*v*.*"]"#)], "B");
    check(&images, &[&rule(r#""tagPrefixList":["v1"]"#)], "A B");
}

// --- the oracle

#[derive(Clone, Debug)]
struct Candidate {
    id: i64,
    tags: Vec<String>,
    archived: bool,
    pushed: i64,
    pulled: Option<i64>,
    transitioned: Option<i64>,
    activated: Option<i64>,
}

/// The rules as the guide words them, without any thought of cost.
fn oracle(policy: &LifecyclePolicy, images: &[Candidate]) -> BTreeSet<(usize, i64)> {
    let born = |image: &Candidate| image.activated.unwrap_or(image.pushed);
    let sees = |rule: &Rule, image: &Candidate| {
        let wanted = rule.selection.storage_class.unwrap_or(StorageClass::Standard);
        let is_of_class = (wanted == StorageClass::Archive) == image.archived;
        let all = |list: &Option<Vec<String>>, fits: &dyn Fn(&str, &str) -> bool| {
            list.iter().flatten().all(|entry| image.tags.iter().any(|tag| fits(entry, tag)))
        };
        is_of_class
            && match rule.selection.tag_status {
                TagStatus::Any => true,
                TagStatus::Untagged => image.tags.is_empty(),
                TagStatus::Tagged => {
                    all(&rule.selection.tag_prefix_list, &|prefix, tag| tag.starts_with(prefix))
                        && all(&rule.selection.tag_pattern_list, &|pattern, tag| {
                            let (before, after) = pattern.split_once('*').unwrap();
                            tag.len() >= before.len() + after.len()
                                && tag.starts_with(before)
                                && tag.ends_with(after)
                        })
                }
            }
    };
    let marks = |rule: &Rule, image: &Candidate| {
        let number = i64::try_from(rule.selection.count_number).unwrap();
        let older = |time: i64| NOW - time > number * DAY;
        match rule.selection.count_type {
            CountType::ImageCountMoreThan => {
                let newer = images
                    .iter()
                    .filter(|other| sees(rule, other))
                    .filter(|other| (born(other), other.id) > (born(image), image.id));
                newer.count() as u64 >= rule.selection.count_number
            }
            CountType::SinceImagePushed => older(born(image)),
            CountType::SinceImagePulled => {
                older(image.pulled.map_or(born(image), |pulled| pulled.max(born(image))))
            }
            CountType::SinceImageTransitioned => image.transitioned.is_some_and(older),
        }
    };
    let mut acted = BTreeSet::new();
    for (position, rule) in policy.rules.iter().enumerate() {
        for image in images {
            let higher = policy.rules[..position].iter().any(|higher| sees(higher, image));
            if sees(rule, image) && marks(rule, image) && !higher {
                acted.insert((position, image.id));
            }
        }
    }
    acted
}

fn rules() -> impl Strategy<Value = LifecyclePolicy> {
    let text = prop::sample::select(vec!["a", "b", "ab", "c"]).prop_map(ToOwned::to_owned);
    let pattern = prop::sample::select(vec!["a*", "*b", "*", "a*c"]).prop_map(ToOwned::to_owned);
    let lists = prop_oneof![
        prop::collection::vec(text, 1..3).prop_map(|list| (TagStatus::Tagged, None, Some(list))),
        prop::collection::vec(pattern, 1..3).prop_map(|list| (TagStatus::Tagged, Some(list), None)),
        Just((TagStatus::Untagged, None, None)),
        Just((TagStatus::Any, None, None)),
    ];
    let count = prop::sample::select(vec![
        CountType::ImageCountMoreThan,
        CountType::SinceImagePushed,
        CountType::SinceImagePulled,
        CountType::SinceImageTransitioned,
    ]);
    let rule =
        (lists, count, 1..6_u64, any::<bool>()).prop_map(|(lists, count, number, archive)| {
            let archive = archive && count != CountType::ImageCountMoreThan;
            Rule {
                rule_priority: 1,
                description: None,
                selection: Selection {
                    tag_status: lists.0,
                    tag_pattern_list: lists.1,
                    tag_prefix_list: lists.2,
                    storage_class: archive.then_some(StorageClass::Archive),
                    count_type: count,
                    count_unit: Some(CountUnit::Days),
                    count_number: number,
                },
                action: Action::Expire,
            }
        });
    prop::collection::vec(rule, 1..6).prop_map(|rules| LifecyclePolicy { rules })
}

fn images() -> impl Strategy<Value = Vec<Candidate>> {
    let tag = prop::sample::select(vec!["a", "b", "abc", "c", "ac"]).prop_map(ToOwned::to_owned);
    let time = || (0..8_i64, 0..2_i64).prop_map(|(days, more)| NOW - days * DAY - more);
    let image = (
        prop::collection::btree_set(tag, 0..3),
        any::<bool>(),
        time(),
        prop::option::of(time()),
        prop::option::of(time()),
        prop::option::of(time()),
    )
        .prop_map(|(tags, archived, pushed, pulled, transitioned, activated)| Candidate {
            id: 0,
            tags: tags.into_iter().collect(),
            archived,
            pushed,
            pulled,
            transitioned,
            activated,
        });
    prop::collection::vec(image, 0..14).prop_map(|mut images| {
        for (id, image) in (0..).zip(&mut images) {
            image.id = id;
        }
        images
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_evaluator_agrees_with_a_naive_reading(policy in rules(), images in images()) {
        let mut evaluation = Evaluation::new(&policy, Millis(NOW));
        for image in &images {
            evaluation.add(&Image {
                id: image.id,
                tags: &image.tags,
                storage_class: if image.archived {
                    StorageClass::Archive
                } else {
                    StorageClass::Standard
                },
                pushed_at: Millis(image.pushed),
                last_pulled_at: image.pulled.map(Millis),
                last_archived_at: image.transitioned.map(Millis),
                last_activated_at: image.activated.map(Millis),
            });
        }
        let verdicts = evaluation.finish();
        let found: BTreeSet<(usize, i64)> =
            verdicts.iter().map(|verdict| (verdict.rule, verdict.image)).collect();
        prop_assert_eq!(found.len(), verdicts.len(), "an image twice");
        prop_assert_eq!(&found, &oracle(&policy, &images));
        let acted: BTreeSet<i64> = found.iter().map(|(_, image)| *image).collect();
        prop_assert_eq!(acted.len(), found.len(), "two rules act on an image");
    }
}
