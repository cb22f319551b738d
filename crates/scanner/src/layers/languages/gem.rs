//! Ruby: the specification of an installed gem. It is a program, of which RubyGems writes every
//! line in one form.

use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::index::word;
use super::super::lines::{Lines, split_words};
use crate::package::{Package, PackageType};

pub(in super::super) fn gemspec(
    mut lines: Lines<'_>,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let (mut name, mut version, mut platform, mut licence) = (None, None, None, None);
    while let Some(line) = lines.next()? {
        if let Some(stub) = line.strip_prefix("# stub: ") {
            let mut words = split_words(stub);
            name = words.next().and_then(word);
            version = words.next().and_then(word);
            platform = words.next().and_then(word);
            continue;
        }
        let Some((target, value)) = line.trim_start().split_once('=') else { continue };
        let Some((_, attribute)) = target.trim_end().split_once('.') else { continue };
        match attribute {
            "name" if name.is_none() => name = quoted(value).next().and_then(word),
            "version" if version.is_none() => version = quoted(value).next().and_then(word),
            "platform" if platform.is_none() => platform = quoted(value).next().and_then(word),
            "licenses" | "license" => {
                licence = word(&quoted(value).take(16).collect::<Vec<_>>().join(" OR "));
            }
            _ => {}
        }
    }
    let (Some(name), Some(version)) = (name, version) else {
        return Err(Fault::file("it has no name or no version"));
    };
    findings.package(Package {
        architecture: platform.filter(|platform| platform != "ruby"),
        licence,
        ..Package::new(PackageType::Gem, name, version)
    })
}

/// The texts in quotes.
fn quoted(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = rest.find(['"', '\''])?;
        let quote = rest.get(start..)?.chars().next()?;
        let (text, after) = rest.get(start + 1..)?.split_once(quote)?;
        rest = after;
        Some(text)
    })
}
