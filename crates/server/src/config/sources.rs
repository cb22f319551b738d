//! Collects the texts of settings from flags, environment and file, and remembers where each came
//! from, so that an error can name it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{Kind, OTHER_VARIABLES, Setting, settings};

/// Texts of settings given on the command line, by key.
pub(crate) type Flags = BTreeMap<&'static str, Vec<String>>;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line.
    Flag(String),
    /// In the environment.
    Variable(String),
    /// In the file.
    File(PathBuf, String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => write!(formatter, "`{name}`"),
            Self::File(path, key) => write!(formatter, "`{key}` in {}", path.display()),
        }
    }
}

#[derive(Clone, Debug)]
struct Given {
    texts: Vec<String>,
    origin: Origin,
}

/// The texts of all settings that somebody set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<&'static str, Given>);

impl Values {
    /// A single value, parsed.
    ///
    /// # Errors
    /// When it does not parse; the sentence says where it was set and what belongs there.
    pub(crate) fn one<T, E: fmt::Display>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>> {
        let Some(given) = self.0.get(key) else { return Ok(None) };
        let [text] = given.texts.as_slice() else {
            bail!("{} takes one value", given.origin);
        };
        parse(text).map(Some).map_err(|error| anyhow!("{} is wrong: {error}", given.origin))
    }

    /// All values, parsed.
    ///
    /// # Errors
    /// As [`Values::one`].
    pub(crate) fn many<T, E: fmt::Display>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>> {
        let Some(given) = self.0.get(key) else { return Ok(None) };
        let parsed: Result<Vec<T>, E> = given.texts.iter().map(|text| parse(text)).collect();
        parsed.map(Some).map_err(|error| anyhow!("{} is wrong: {error}", given.origin))
    }

    /// A text as it is.
    ///
    /// # Errors
    /// When it is empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>> {
        self.one(key, |text| match text {
            "" => Err("it is empty"),
            _ => Ok(text.to_owned()),
        })
    }

    /// A number between two bounds.
    ///
    /// # Errors
    /// When it is no number or out of bounds.
    pub(crate) fn number(&self, key: &str, min: u32, max: u32) -> Result<Option<u32>> {
        self.one(key, |text| match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!("{text:?} is not a number from {min} to {max}")),
        })
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is neither.
    pub(crate) fn switch(&self, key: &str) -> Result<Option<bool>> {
        self.one(key, |text| match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        })
    }
}

/// Puts the sources together: flags over environment over file.
///
/// # Errors
/// When the file cannot be read or is not TOML, or a source names a setting that does not exist.
pub(crate) fn load(
    flags: &Flags,
    config_flag: Option<PathBuf>,
    environment: &BTreeMap<String, String>,
) -> Result<Values> {
    let file = config_flag.or_else(|| {
        environment.get("TONNAGE_CONFIG").filter(|text| !text.is_empty()).map(PathBuf::from)
    });
    let mut values = BTreeMap::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("the config file {} cannot be read", path.display()))?;
        from_file(&path, &text, &mut values)?;
    }
    from_environment(environment, &mut values)?;
    for setting in settings() {
        if let Some(texts) = flags.get(setting.key) {
            let origin = Origin::Flag(format!("--{}", setting.flag()));
            values.insert(setting.key, Given { texts: texts.clone(), origin });
        }
    }
    Ok(Values(values))
}

fn from_file(path: &Path, text: &str, values: &mut BTreeMap<&'static str, Given>) -> Result<()> {
    let table: toml::Table = text
        .parse()
        .map_err(|error| anyhow!("the config file {} is not TOML: {error}", path.display()))?;
    for (key, value) in &table {
        let Some(setting) = settings().find(|setting| setting.key == key) else {
            bail!(
                "there is no setting `{key}` ({}); the settings are {}",
                path.display(),
                settings().map(|setting| setting.key).collect::<Vec<_>>().join(", ")
            );
        };
        let origin = Origin::File(path.to_owned(), key.clone());
        let texts = texts_of(setting, value).map_err(|wanted| {
            anyhow!("{origin} is wrong: it is {}, not {wanted}", value.type_str())
        })?;
        values.insert(setting.key, Given { texts, origin });
    }
    Ok(())
}

/// The texts of a TOML value, or what it should have been.
fn texts_of(setting: &Setting, value: &toml::Value) -> Result<Vec<String>, &'static str> {
    match (setting.kind, value) {
        (Kind::Text, toml::Value::String(text)) => Ok(vec![text.clone()]),
        (Kind::Text, _) => Err("a string"),
        (Kind::Number, toml::Value::Integer(number)) => Ok(vec![number.to_string()]),
        (Kind::Number, _) => Err("an integer"),
        (Kind::Switch, toml::Value::Boolean(switch)) => Ok(vec![switch.to_string()]),
        (Kind::Switch, _) => Err("true or false"),
        (Kind::List, toml::Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or("an array of strings"))
            .collect(),
        (Kind::List, _) => Err("an array of strings"),
    }
}

fn from_environment(
    environment: &BTreeMap<String, String>,
    values: &mut BTreeMap<&'static str, Given>,
) -> Result<()> {
    for (name, text) in environment {
        if !name.starts_with("TONNAGE_")
            || OTHER_VARIABLES.iter().any(|(other, _)| other == name)
            || made_by_kubernetes(name)
        {
            continue;
        }
        let Some(setting) = settings().find(|setting| setting.variable() == *name) else {
            bail!(
                "there is no setting for the environment variable `{name}`; unset it, or see \
                 `tonnage serve --help` for those there are"
            );
        };
        // An empty variable is how people switch one off.
        if text.is_empty() {
            continue;
        }
        let texts = match setting.kind {
            Kind::List => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Kind::Text | Kind::Number | Kind::Switch => vec![text.clone()],
        };
        values.insert(setting.key, Given { texts, origin: Origin::Variable(name.clone()) });
    }
    Ok(())
}

/// Kubernetes sets these in every pod beside a service called `tonnage` (Kubernetes manual,
/// "Service", section "Environment variables").
fn made_by_kubernetes(name: &str) -> bool {
    name == "TONNAGE_PORT"
        || name == "TONNAGE_SERVICE_HOST"
        || name.starts_with("TONNAGE_SERVICE_PORT")
        || name.starts_with("TONNAGE_PORT_")
}
