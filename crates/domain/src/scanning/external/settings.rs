//! What the operator says about other scanners: where they are, and what they scan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::names::{AccountId, Region, RepositoryName};
use crate::repositories::RepositoryAddress;

/// Longest name of a scanner, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Longest value of another field, in bytes.
const FIELD_BYTES_MAX: usize = 2_048;
/// The word for the scanner of this program.
const BUILT_IN: &str = "builtin";
/// How long a scan may take: the default, the least and the most, in seconds.
const TIMEOUT_SECONDS: (i64, i64, i64) = (900, 30, 6 * 3600);
/// How long after a scan an image that is scanned continuously is scanned again, in the same way.
const RESCAN_SECONDS: (i64, i64, i64) = (24 * 3600, 600, 365 * 24 * 3600);
const FIELDS: [&str; 6] = ["name", "url", "registry", "credential_file", "timeout", "rescan"];

/// A scanner behind an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// What it is called here.
    pub name: String,
    /// Where the adapter is: a URL, below which is `/api/v1`.
    pub url: String,
    /// By which URL the adapter reaches this registry; `{account}` and `{region}` stand for those of
    /// the repository.
    pub registry: String,
    /// A file with what requests are made with: `USER:PASSWORD`, or `Bearer TOKEN`.
    pub credential_file: Option<PathBuf>,
    /// How long a scan may take, in seconds. The adapter may read the image for as long.
    pub timeout_seconds: i64,
    /// How long after a scan an image that is scanned continuously is scanned again, in seconds.
    pub rescan_seconds: i64,
}

/// Why a text names no scanner, or chooses none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AdapterError(String);

fn wrong<T>(reason: String) -> Result<T, AdapterError> {
    Err(AdapterError(reason))
}

impl Adapter {
    /// Reads `name=trivy,url=https://…,registry=https://…`, with `credential_file`, `timeout` and
    /// `rescan` where they are wanted; `seconds` reads a time.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(
        text: &str,
        seconds: impl Fn(&str) -> Result<i64, String>,
    ) -> Result<Self, AdapterError> {
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for field in text.split(',') {
            let Some((key, value)) = field.split_once('=') else {
                return wrong(format!("{field:?} is not `KEY=VALUE`; values have no commas"));
            };
            let (key, value) = (key.trim(), value.trim());
            if !FIELDS.contains(&key) {
                return wrong(format!("{key:?} is none of {}", FIELDS.join(", ")));
            }
            if value.is_empty() || value.len() > FIELD_BYTES_MAX {
                return wrong(format!("{key} is empty, or longer than {FIELD_BYTES_MAX} bytes"));
            }
            if fields.insert(key, value).is_some() {
                return wrong(format!("{key} is there twice"));
            }
        }
        let needed = |key: &str| match fields.get(key) {
            Some(value) => Ok(*value),
            None => wrong(format!("{key} is missing")),
        };
        let name = needed("name")?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) || name == BUILT_IN {
            return wrong(format!(
                "the name {name:?} is not 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, or it is \
                 `{BUILT_IN}`"
            ));
        }
        let time = |key: &str, (default, least, most): (i64, i64, i64)| {
            let Some(text) = fields.get(key) else { return Ok(default) };
            match seconds(text) {
                Ok(time) if (least..=most).contains(&time) => Ok(time),
                Ok(_) => wrong(format!("{key} is not {least} to {most} seconds")),
                Err(error) => wrong(format!("{key}: {error}")),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            url: base_url("url", needed("url")?)?,
            registry: base_url("registry", needed("registry")?)?,
            credential_file: fields.get("credential_file").map(PathBuf::from),
            timeout_seconds: time("timeout", TIMEOUT_SECONDS)?,
            rescan_seconds: time("rescan", RESCAN_SECONDS)?,
        })
    }

    /// The URL by which the adapter reaches the registry of a repository.
    pub(super) fn registry_of(&self, address: &RepositoryAddress) -> String {
        self.registry
            .replace("{account}", address.account.as_str())
            .replace("{region}", address.region.as_str())
    }
}

/// Scheme, host and perhaps more, without a slash at the end.
fn base_url(key: &str, text: &str) -> Result<String, AdapterError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_url = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(['?', '#', '@', ' '])
        && text.chars().all(|letter| letter.is_ascii_graphic());
    if !is_url {
        return wrong(format!(
            "{key}: {text:?} is not a URL such as `https://scanner.example.com`"
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// What is scanned by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannerChoice {
    account: Option<AccountId>,
    region: Option<Region>,
    prefix: String,
    /// The scanner; none for the one of this program.
    pub scanner: Option<String>,
}

impl ScannerChoice {
    /// Reads `REGISTRY=NAME` or `REGISTRY:PREFIX=NAME`. The registry is an account, a region, both
    /// (`123456789012/us-east-1`), or `*` for every one.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, AdapterError> {
        let Some((place, name)) = text.split_once('=') else {
            return wrong(format!(
                "{text:?} is not a registry with a scanner, such as `123456789012:team=trivy`"
            ));
        };
        let (registry, prefix) = place.split_once(':').unwrap_or((place, ""));
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && RepositoryName::parse(prefix).is_err() {
            return wrong(format!("{prefix:?} is not the beginning of a repository's name"));
        }
        let account = |text| AccountId::parse(text).ok();
        let region = |text| Region::parse(text).ok();
        let (account, region) = match (registry, registry.split_once('/')) {
            ("*", _) => (None, None),
            (_, Some((left, right))) => (account(left), region(right)),
            (one, None) if account(one).is_some() => (account(one), None),
            (one, None) => (None, region(one)),
        };
        let named = usize::from(account.is_some()) + usize::from(region.is_some());
        let wanted = if registry == "*" { 0 } else { registry.split('/').count() };
        if named != wanted {
            return wrong(format!("{registry:?} is not an account, a region, both, or `*`"));
        }
        let scanner = (name != BUILT_IN).then(|| name.to_owned());
        Ok(Self { account, region, prefix: prefix.to_owned(), scanner })
    }

    fn matches(&self, address: &RepositoryAddress) -> bool {
        let name = address.name.as_str();
        let rest = name.strip_prefix(self.prefix.as_str());
        let is_below = self.prefix.is_empty()
            || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below
            && self.account.is_none_or(|account| account == address.account)
            && self.region.as_ref().is_none_or(|region| *region == address.region)
    }

    /// The longer prefix first; then what says more about the registry.
    fn weight(&self) -> (usize, bool, bool) {
        (self.prefix.len(), self.account.is_some(), self.region.is_some())
    }
}

/// Which other scanners there are, and what they scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScannerSettings {
    /// The scanners, by name, each name once.
    pub adapters: Vec<Adapter>,
    /// What they scan; what says most about a repository counts.
    pub choices: Vec<ScannerChoice>,
}

impl ScannerSettings {
    /// Whether scanners and choices fit together.
    ///
    /// # Errors
    /// A sentence that says what does not.
    pub fn check(&self) -> Result<(), AdapterError> {
        for (index, adapter) in self.adapters.iter().enumerate() {
            if self.adapters.iter().take(index).any(|other| other.name == adapter.name) {
                return wrong(format!("there are two scanners named {}", adapter.name));
            }
        }
        for (index, choice) in self.choices.iter().enumerate() {
            if let Some(name) = &choice.scanner
                && self.named(name).is_none()
            {
                return wrong(format!("there is no scanner named {name}"));
            }
            let same = |other: &ScannerChoice| {
                (other.account, &other.region, &other.prefix)
                    == (choice.account, &choice.region, &choice.prefix)
            };
            if self.choices.iter().take(index).any(same) {
                return wrong("the same repositories are given a scanner twice".to_owned());
            }
        }
        Ok(())
    }

    /// The scanner of this name.
    pub fn named(&self, name: &str) -> Option<&Adapter> {
        self.adapters.iter().find(|adapter| adapter.name == name)
    }

    /// The scanner of a repository; none for the one of this program. Public repositories are always
    /// scanned by that one: a token for a private registry does not read them.
    pub fn of(&self, address: &RepositoryAddress) -> Option<&Adapter> {
        if address.region.is_global() {
            return None;
        }
        let choices = self.choices.iter().filter(|choice| choice.matches(address));
        let choice = choices.max_by_key(|choice| choice.weight())?;
        self.named(choice.scanner.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Adapter, AdapterError> {
        Adapter::parse(text, |text| text.parse().map_err(|_| "no number".to_owned()))
    }

    #[test]
    fn scanners_say_what_is_wrong_with_them() {
        let good = "name=trivy,url=https://trivy.example/,registry=http://{account}.example:5000";
        let adapter = parse(&format!("{good},timeout=60,credential_file=/c")).unwrap();
        assert_eq!(adapter.url, "https://trivy.example");
        assert_eq!((adapter.timeout_seconds, adapter.rescan_seconds), (60, 86_400));
        for (text, expected) in [
            ("trivy", "is not `KEY=VALUE`"),
            ("name=trivy,color=red", "none of name"),
            ("name=trivy,name=trivy", "twice"),
            ("name=trivy,url=", "empty"),
            ("name=Trivy,url=https://a,registry=https://b", "of a-z"),
            ("name=builtin,url=https://a,registry=https://b", "of a-z"),
            ("name=trivy,registry=https://b", "url is missing"),
            ("name=trivy,url=https://a", "registry is missing"),
            ("name=trivy,url=ftp://a,registry=https://b", "is not a URL"),
            ("name=trivy,url=https://u@a,registry=https://b", "is not a URL"),
            ("name=trivy,url=https:///a,registry=https://b", "is not a URL"),
            ("name=trivy,url=https://a,registry=https://b,timeout=1", "30 to 21600"),
            ("name=trivy,url=https://a,registry=https://b,rescan=x", "no number"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_says_most_about_a_repository_counts() {
        let adapter =
            |name: &str| parse(&format!("name={name},url=https://a,registry=https://b")).unwrap();
        let choices = [
            "*=one",
            "*:team=two",
            "us-east-1=three",
            "123456789012=builtin",
            "123456789012/us-east-1:team/web/=three",
        ];
        let choices = choices.map(|text| ScannerChoice::parse(text).unwrap()).to_vec();
        let adapters = ["one", "two", "three"].map(adapter).to_vec();
        let settings = ScannerSettings { adapters, choices };
        settings.check().unwrap();
        for (account, region, name, expected) in [
            ("111122223333", "eu-west-1", "app", Some("one")),
            ("111122223333", "us-east-1", "app", Some("three")),
            ("111122223333", "us-east-1", "team/app", Some("two")),
            ("111122223333", "us-east-1", "teams", Some("three")),
            ("123456789012", "us-east-1", "app", None),
            ("123456789012", "us-east-1", "team", Some("two")),
            ("123456789012", "us-east-1", "team/web", Some("three")),
            ("123456789012", "eu-west-1", "team/web/a", Some("two")),
        ] {
            let address = RepositoryAddress {
                account: AccountId::parse(account).unwrap(),
                region: Region::parse(region).unwrap(),
                name: RepositoryName::parse(name).unwrap(),
            };
            let found = settings.of(&address).map(|adapter| adapter.name.as_str());
            assert_eq!(found, expected, "{account} {region} {name}");
        }
        for (text, expected) in [
            ("trivy", "is not a registry with a scanner"),
            ("No!=trivy", "is not an account"),
            ("123456789012/No!=trivy", "is not an account"),
            ("*:Team=trivy", "is not the beginning"),
        ] {
            let error = ScannerChoice::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let choice = |text| ScannerChoice::parse(text).unwrap();
        for (choices, expected) in [
            (vec![choice("*=four")], "no scanner named four"),
            (vec![choice("*:aa=one"), choice("*:aa/=two")], "twice"),
        ] {
            let settings = ScannerSettings { choices, ..settings.clone() };
            assert!(settings.check().unwrap_err().to_string().contains(expected));
        }
    }
}
