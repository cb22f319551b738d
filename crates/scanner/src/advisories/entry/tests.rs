use proptest::prelude::*;

use super::*;

/// Events as words: `+1.0` introduced, `-1.2` fixed, `=1.2` last affected, `|2.0` limit.
fn range(events: &str) -> Range {
    let event = |word: &str| {
        let (kind, version) = word.split_at(1);
        let version = version.to_owned();
        match kind {
            "+" => Event::Introduced(version),
            "-" => Event::Fixed(version),
            "=" => Event::LastAffected(version),
            _ => Event::Limit(version),
        }
    };
    Range { events: events.split_whitespace().map(event).collect() }
}

fn advisory(ecosystem: &str, ranges: &[&str], versions: &str) -> Advisory {
    Advisory {
        id: "TEST-1".to_owned(),
        affected: vec![Affected {
            ecosystem: ecosystem.to_owned(),
            name: "A_b".to_owned(),
            ranges: ranges.iter().map(|events| range(events)).collect(),
            versions: versions.split_whitespace().map(str::to_owned).collect(),
            ..Affected::default()
        }],
        ..Advisory::default()
    }
}

#[test]
fn ranges() {
    for (scheme, events, expected) in [
        (Scheme::SemVer, "+0 -1.2.0", Some("< 1.2.0")),
        (Scheme::SemVer, "-1.2.0 +0", Some("< 1.2.0")),
        (
            Scheme::SemVer,
            "+1.0.0 -1.2.0 +2.0.0 -2.1.0",
            Some(">= 1.0.0, < 1.2.0 | >= 2.0.0, < 2.1.0"),
        ),
        (Scheme::SemVer, "+0 -1.9.0 +1.10.0 -1.11.0", Some("< 1.9.0 | >= 1.10.0, < 1.11.0")),
        (Scheme::SemVer, "+0", Some("all versions")),
        (Scheme::SemVer, "+1.0.0", Some(">= 1.0.0")),
        (Scheme::SemVer, "+1.0.0 =1.2.0", Some(">= 1.0.0, <= 1.2.0")),
        (Scheme::SemVer, "+0 -1.0.0 -2.0.0", Some("< 1.0.0")),
        (Scheme::SemVer, "+0 +1.0.0 -2.0.0", Some("< 2.0.0")),
        (Scheme::SemVer, "+0 -1.0.0 +1.0.0 -2.0.0", Some("< 1.0.0 | >= 1.0.0, < 2.0.0")),
        (Scheme::SemVer, "-1.0.0", Some("")),
        (Scheme::SemVer, "", Some("")),
        (Scheme::SemVer, "+0 |2.0.0", Some("< 2.0.0")),
        (Scheme::SemVer, "+0 -1.0.0 +3.0.0 |2.0.0", Some("< 1.0.0")),
        (Scheme::SemVer, "+0 =3.0.0 |2.0.0", Some("< 2.0.0")),
        (Scheme::SemVer, "+0 =1.0.0 |2.0.0 |*", Some("<= 1.0.0")),
        (Scheme::SemVer, "+0 -1.x", None),
        (Scheme::Pep440, "+0 -2013-01-21T20:33:09+0100", None),
        (Scheme::Debian, "+0 -1.2.3-1~deb12u1", Some("< 1.2.3-1~deb12u1")),
    ] {
        let intervals = intervals(&range(events), scheme);
        let described = intervals
            .map(|list| list.iter().map(Interval::describe).collect::<Vec<_>>().join(" | "));
        assert_eq!(described.as_deref(), expected, "{events}");
    }
}

#[test]
fn of_advisories() {
    for (advisory, expected, unusable) in [
        (
            advisory("PyPI", &["+0 -1.2"], "1.0 1.1 1.1.0 1.3 weird"),
            vec![("PyPI", "a-b", r#"{"v":1,"r":[{"i":[["","f","1.2"]],"x":["1.3","weird"]}]}"#)],
            0,
        ),
        (
            advisory("crates.io", &["+1.0.0 =1.2.0", "+2.0.0"], ""),
            vec![(
                "crates.io",
                "A_b",
                r#"{"v":1,"r":[{"i":[["1.0.0","l","1.2.0"],["2.0.0","o",""]]}]}"#,
            )],
            0,
        ),
        (advisory("npm", &["+0 -x"], ""), vec![], 1),
        (
            advisory("npm", &["+0 -x"], "1.0.0"),
            vec![("npm", "A_b", r#"{"v":1,"r":[{"x":["1.0.0"]}]}"#)],
            1,
        ),
        (advisory("npm", &[], ""), vec![], 0),
        (advisory("Hex", &["+0"], ""), vec![], 0),
        (Advisory { withdrawn: Some(1), ..advisory("npm", &["+0"], "") }, vec![], 0),
    ] {
        let made = entries(&advisory);
        let texts: Vec<(String, String, String)> = made
            .entries
            .iter()
            .map(|entry| (entry.ecosystem.to_string(), entry.name.clone(), entry.rules.encode()))
            .collect();
        let texts: Vec<(&str, &str, &str)> = texts
            .iter()
            .map(|(ecosystem, name, rules)| (&**ecosystem, &**name, &**rules))
            .collect();
        assert_eq!(texts, expected);
        assert_eq!(made.unusable_ranges, unusable);
        for entry in &made.entries {
            let text = entry.rules.encode();
            assert_eq!(Rules::decode(&text).expect("the same"), entry.rules);
        }
    }
}

#[test]
fn packages_of_one_name_are_one_entry() {
    let mut advisory = advisory("Red Hat:enterprise_linux:9::baseos", &["+0 -1.0-1.el9"], "");
    let mut other = advisory.affected[0].clone();
    other.ecosystem = "Red Hat:enterprise_linux:9::appstream".to_owned();
    advisory.affected.push(other.clone());
    other.ranges = vec![range("+0 -2.0-1.el9")];
    advisory.affected.push(other);
    let entries = entries(&advisory).entries;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].ecosystem.as_str(), "Red Hat:enterprise_linux:9");
    assert_eq!(entries[0].rules.rules.len(), 2);
}

#[test]
fn stored_in_another_form() {
    for (text, expected) in [
        (r#"{"v":2,"r":[]}"#, "form 2, which is not form 1"),
        (r#"{"v":2,"future":true}"#, "form 2, which is not form 1"),
        (r#"{"v":1}"#, "cannot be read"),
        (r#"{"v":1,"r":[{"i":[["","q",""]]}]}"#, "cannot be read"),
        ("", "cannot be read"),
    ] {
        let error = Rules::decode(text).expect_err("an error").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// The schema's own way of evaluating a range, step by step over the sorted events.
fn evaluate(scheme: Scheme, range: &Range, version: &str) -> bool {
    let bound = |event: &Event| match event {
        Event::Introduced(v) | Event::Fixed(v) | Event::LastAffected(v) | Event::Limit(v) => {
            v.clone()
        }
    };
    let compare = |left: &str, right: &str| scheme.compare_all(left, right);
    let limits: Vec<String> =
        range.events.iter().filter(|e| matches!(e, Event::Limit(_))).map(bound).collect();
    if !limits.is_empty() && !limits.iter().any(|limit| compare(version, limit).is_lt()) {
        return false;
    }
    let rank = |event: &Event| matches!(event, Event::Introduced(_));
    let mut events = range.events.clone();
    events.sort_by(|a, b| compare(&bound(a), &bound(b)).then(rank(a).cmp(&rank(b))));
    let mut affected = false;
    let mut last = None;
    for event in &events {
        match event {
            Event::Introduced(v) if !affected && compare(version, v).is_ge() => {
                affected = true;
                last = None;
            }
            Event::Fixed(v) if compare(version, v).is_ge() => affected = false,
            Event::LastAffected(v) if compare(version, v).is_gt() => affected = false,
            Event::LastAffected(v) if affected && last.is_none() => last = Some(v.clone()),
            _ => {}
        }
    }
    affected
}

fn events() -> impl Strategy<Value = Range> {
    let version = (0..4u8, 0..3u8).prop_map(|(major, minor)| format!("{major}.{minor}.0"));
    let event = (0..3u8, version).prop_map(|(kind, version)| match kind {
        0 => Event::Introduced(version),
        1 => Event::Fixed(version),
        _ => Event::LastAffected(version),
    });
    prop::collection::vec(event, 0..6).prop_map(|events| Range { events })
}

proptest! {
    #[test]
    fn intervals_are_the_ranges(range in events(), major in 0..4u8, minor in 0..3u8, patch in 0..2u8) {
        let version = format!("{major}.{minor}.{patch}");
        let parsed = Scheme::SemVer.parse(&version).expect("a version");
        let intervals = intervals(&range, Scheme::SemVer).expect("intervals");
        let contained = intervals.iter().any(|interval| interval.contains(Scheme::SemVer, &parsed));
        prop_assert_eq!(contained, evaluate(Scheme::SemVer, &range, &version), "{:?} {:?}", range, intervals);
    }

    #[test]
    fn any_text_decodes_or_not(text in ".{0,60}") {
        let _ = Rules::decode(&text);
    }

    #[test]
    fn what_is_stored_comes_back(
        from in prop::option::of("[ -~é\"]{1,8}"), end in "[ -~é\"]{0,8}", kind in 0..4u8,
        module in prop::option::of("[a-z:0-9]{1,8}"), versions in prop::collection::vec("\\PC{1,8}", 0..3),
    ) {
        let end = match kind {
            0 => End::Fixed(end.into()),
            1 => End::Last(end.into()),
            2 => End::Before(end.into()),
            _ => End::Open,
        };
        let rules = Rules::new(vec![Rule {
            intervals: vec![Interval { from: from.map(Text::from), end }],
            versions: versions.into_iter().map(Text::from).collect(),
            module: module.map(Text::from),
            severity: Some(Severity::High),
            end_of_life: kind == 0,
            ..Rule::default()
        }]);
        let text = rules.encode();
        prop_assert_eq!(Rules::decode(&text).expect("the same"), rules);
    }
}
