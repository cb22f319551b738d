//! The model as Rust source, before formatting.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use super::model::{Kind, Length, Member, Model, Shape};
use super::patterns;

/// A file takes items until this many lines; formatting adds some.
const LINES_PER_FILE: usize = 600;

/// The generated modules, each split into several files when it grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Module {
    Scalars,
    Collections,
    Structures,
    Requests,
    Responses,
    Errors,
}

impl Module {
    fn name(self) -> &'static str {
        match self {
            Self::Scalars => "scalars",
            Self::Collections => "collections",
            Self::Structures => "structures",
            Self::Requests => "requests",
            Self::Responses => "responses",
            Self::Errors => "errors",
        }
    }
}

/// One static, with the shapes it refers to.
struct Item {
    source: String,
    references: Vec<String>,
}

/// File names and sources for everything the operations reach.
pub(super) fn render(model: &Model) -> Result<BTreeMap<String, String>> {
    let modules = placement(model)?;
    let mut items: BTreeMap<Module, BTreeMap<&str, Item>> = BTreeMap::new();
    let mut identifiers = BTreeMap::new();
    for (name, module) in &modules {
        let identifier = identifier(name);
        if let Some(other) = identifiers.insert(identifier.clone(), name) {
            bail!("shapes {other} and {name} would both be called {identifier}");
        }
        let item = item(name, model.shape(name)?, *module)?;
        items.entry(*module).or_default().insert(name, item);
    }

    // Which file holds which shape must be known before any reference is written.
    let mut files: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
    let mut file_of: BTreeMap<&str, String> = BTreeMap::new();
    for (module, items) in &items {
        let (mut file, mut lines, mut number) = (module.name().to_owned(), 0, 1);
        for (name, item) in items {
            let item_lines = item.source.lines().count();
            if lines + item_lines > LINES_PER_FILE {
                number += 1;
                file = format!("{}_{number}", module.name());
                lines = 0;
            }
            lines += item_lines;
            files.entry(file.clone()).or_default().push(item);
            file_of.insert(name, file.clone());
        }
    }

    let resolve = |source: &str, references: &[String], own: &str| -> Result<String> {
        let mut source = source.to_owned();
        for name in references.iter().collect::<BTreeSet<_>>() {
            let file = file_of.get(name.as_str()).with_context(|| format!("no shape {name}"))?;
            let identifier = identifier(name);
            let path = match file == own {
                true => identifier,
                false => format!("{file}::{identifier}"),
            };
            source = source.replace(&placeholder(name), &path);
        }
        Ok(source)
    };

    let mut sources = BTreeMap::new();
    let mut file_names: BTreeSet<String> = files.keys().cloned().collect();
    for (file, items) in &files {
        let mut body = String::new();
        for item in items {
            body += &resolve(&item.source, &item.references, file)?;
            body.push('\n');
        }
        sources.insert(format!("{file}.rs"), imports(&body, &file_names) + &body);
    }
    let operations = operations(model);
    let body = resolve(&operations.source, &operations.references, "operations")?;
    sources.insert("operations.rs".to_owned(), imports(&body, &file_names) + &body);
    file_names.insert("operations".to_owned());
    sources.insert("mod.rs".to_owned(), module_root(model, &file_names)?);
    Ok(sources)
}

/// Every shape that an operation reaches, and the module it belongs to.
fn placement(model: &Model) -> Result<BTreeMap<String, Module>> {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    let mut queue: Vec<String> = Vec::new();
    for operation in &model.operations {
        for (shape, module) in
            [(&operation.input, Module::Requests), (&operation.output, Module::Responses)]
        {
            if let Some(name) = shape {
                modules.entry(name.clone()).or_insert(module);
                queue.push(name.clone());
            }
        }
        for name in &operation.errors {
            let is_error = model.shape(name)?.error_status.is_some();
            ensure!(is_error, "{} lists {name}, which is no error", operation.name);
            modules.insert(name.clone(), Module::Errors);
            queue.push(name.clone());
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(name) = queue.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let shape = model.shape(&name)?;
        let module = match &shape.kind {
            Kind::Structure(_) => Module::Structures,
            Kind::List { .. } | Kind::Map { .. } => Module::Collections,
            _ => Module::Scalars,
        };
        modules.entry(name).or_insert(module);
        match &shape.kind {
            Kind::Structure(members) => queue.extend(members.iter().map(|m| m.shape.clone())),
            Kind::List { member, .. } => queue.push(member.clone()),
            Kind::Map { key, value, .. } => {
                let is_string = matches!(model.shape(key)?.kind, Kind::String { .. });
                ensure!(is_string, "the map's key {key} is no string");
                queue.extend([key.clone(), value.clone()]);
            }
            _ => {}
        }
    }
    Ok(modules)
}

fn item(name: &str, shape: &Shape, module: Module) -> Result<Item> {
    let identifier = identifier(name);
    let mut references = Vec::new();
    let mut refer = |name: &str| {
        references.push(name.to_owned());
        format!("&{}", placeholder(name))
    };
    let mut before = String::new();
    let expression = match &shape.kind {
        Kind::Structure(members) => {
            format!("Shape::Structure(&[{}])", members_source(members, &mut refer))
        }
        Kind::List { member, length } => {
            format!("Shape::List {{ member: {}, length: {} }}", refer(member), length.source())
        }
        Kind::Map { key, value, length } => {
            let (key, value) = (refer(key), refer(value));
            format!("Shape::Map {{ key: {key}, value: {value}, length: {} }}", length.source())
        }
        Kind::String { length, pattern, values, sensitive } => {
            let mut text = format!("Text::ANY{}", bounds(length.min, length.max));
            if let Some(pattern) = pattern.as_ref().filter(|it| !patterns::is_left_out(it)) {
                patterns::check(pattern).with_context(|| format!("shape {name}"))?;
                let literal = raw_string(pattern);
                writeln!(
                    before,
                    "static {identifier}_PATTERN: Pattern = Pattern::new({literal});"
                )?;
                write!(text, ".pattern(&{identifier}_PATTERN)")?;
            }
            if !values.is_empty() {
                let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                write!(text, ".values(&[{}])", values.join(", "))?;
            }
            if *sensitive {
                text += ".sensitive()";
            }
            format!("Shape::String({text})")
        }
        Kind::Integer { min, max } => format!("Shape::Integer(Range::ANY{})", bounds(*min, *max)),
        Kind::Long { min, max } => format!("Shape::Long(Range::ANY{})", bounds(*min, *max)),
        Kind::Float { min, max } => {
            let float = |bound: &Option<f64>| bound.map(|bound| format!("{bound:?}"));
            format!("Shape::Float(FloatRange::ANY{})", bounds(float(min), float(max)))
        }
        Kind::Boolean => "Shape::Boolean".to_owned(),
        Kind::Timestamp => "Shape::Timestamp".to_owned(),
        Kind::Blob(length) => format!("Shape::Blob({})", length.source()),
    };
    let source = if module == Module::Errors {
        let code = shape.error_code.as_deref().unwrap_or(name);
        let status = shape.error_status.context("an error without a status")?;
        format!(
            "pub(super) static {identifier}: ErrorShape = \
             ErrorShape {{ code: {code:?}, status: {status}, shape: &{expression} }};"
        )
    } else {
        format!("{before}pub(super) static {identifier}: Shape = {expression};")
    };
    Ok(Item { source, references })
}

fn members_source(members: &[Member], refer: &mut impl FnMut(&str) -> String) -> String {
    let lines = members.iter().map(|member| {
        let constructor = if member.required { "required" } else { "optional" };
        format!("\nMember::{constructor}({:?}, {}),", member.wire_name, refer(&member.shape))
    });
    lines.collect()
}

fn operations(model: &Model) -> Item {
    let mut references = Vec::new();
    let mut refer = |name: &str| {
        references.push(name.to_owned());
        format!("&{}", placeholder(name))
    };
    let mut source = "pub(super) static OPERATIONS: &[Operation] = &[".to_owned();
    for operation in &model.operations {
        // An operation without an input takes an empty document.
        let input = match &operation.input {
            Some(name) => refer(name),
            None => "&Shape::Structure(&[])".to_owned(),
        };
        // Without an output it answers nothing, which AWS Query tells from an empty document.
        let output = match &operation.output {
            Some(name) => format!("Some({})", refer(name)),
            None => "None".to_owned(),
        };
        let errors: Vec<String> = operation.errors.iter().map(|name| refer(name)).collect();
        let name = &operation.name;
        if errors.is_empty() {
            source += &format!("Operation::plain({name:?}, {input}, {output}),");
            continue;
        }
        let errors = errors.join(", ");
        source += &format!(
            "Operation {{ name: {name:?}, input: {input}, output: {output}, errors: &[{errors}] }},"
        );
    }
    source += "];";
    Item { source, references }
}

fn module_root(model: &Model, files: &BTreeSet<String>) -> Result<String> {
    let style = match model.signing_name.as_str() {
        "ecr" | "ecr-public" => "EcrInvalidParameter",
        _ => "Aggregated",
    };
    let mut source = String::new();
    for file in files {
        writeln!(source, "mod {file};")?;
    }
    write!(
        source,
        "\nuse super::{{Service, Style}};\n\n\
         /// The service and its {} operations.\n\
         pub static SERVICE: Service = Service {{\n\
         signing_name: {:?}, target_prefix: {:?}, api_version: {:?},\n\
         style: Style::{style}, operations: operations::OPERATIONS }};\n",
        model.operations.len(),
        model.signing_name,
        model.target_prefix,
        model.api_version,
    )?;
    Ok(source)
}

/// The imports that `body` needs: sibling files, then the table types.
fn imports(body: &str, files: &BTreeSet<String>) -> String {
    let types =
        ["ErrorShape", "FloatRange", "Length", "Member", "Operation", "Pattern", "Range", "Shape"]
            .into_iter()
            .chain(["Text"]);
    // Words, not substrings: `Range::` is also the end of `FloatRange::`.
    let words: BTreeSet<&str> =
        body.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let used: Vec<&str> = types.filter(|name| words.contains(name)).collect();
    let siblings: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|file| body.contains(&format!("&{file}::")))
        .collect();
    let mut source = String::new();
    if !siblings.is_empty() {
        source += &format!("use super::{{{}}};\n", siblings.join(", "));
    }
    source + &format!("use crate::aws::shapes::{{{}}};\n\n", used.join(", "))
}

impl Length {
    fn source(self) -> String {
        format!("Length::ANY{}", bounds(self.min, self.max))
    }
}

fn bounds<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    let min = min.map(|min| format!(".min({min})"));
    let max = max.map(|max| format!(".max({max})"));
    min.unwrap_or_default() + &max.unwrap_or_default()
}

/// Stands for a reference until the file of its target is known; no model contains it.
fn placeholder(name: &str) -> String {
    format!("<<{name}>>")
}

fn raw_string(text: &str) -> String {
    let mut hashes = String::new();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("r{hashes}\"{text}\"{hashes}")
}

/// `RCTAppliedForList` becomes `RCT_APPLIED_FOR_LIST`.
pub(super) fn identifier(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut identifier = String::new();
    for (index, character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).and_then(|index| characters.get(index));
        let next = characters.get(index + 1);
        let starts_word = character.is_ascii_uppercase()
            && previous.is_some_and(|previous| {
                !previous.is_ascii_uppercase() && *previous != '_'
                    || previous.is_ascii_uppercase()
                        && next.is_some_and(|next| next.is_ascii_lowercase())
            });
        if starts_word {
            identifier.push('_');
        }
        identifier.push(character.to_ascii_uppercase());
    }
    identifier
}
