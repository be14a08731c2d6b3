//! Reading the configuration: environment over file over default.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::{Config, ConfigError, keys};

/// What the names of environment variables begin with: `MADANG__HTTP__LISTEN` is `http.listen`.
pub const ENV_PREFIX: &str = "MADANG__";

impl Config {
    /// Reads `file`, if given, and the variables among `environment` that begin with [`ENV_PREFIX`].
    ///
    /// # Errors
    /// Names the key, its value, where it stands and what is allowed.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        if let Some(path) = file {
            layers.add_file(path)?;
        }
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.to_ascii_uppercase().starts_with(ENV_PREFIX)).collect();
        variables.sort();
        let defaults = defaults();
        for (name, text) in variables {
            layers.add_variable(&defaults, &name, &text)?;
        }
        layers.read()
    }

    /// Reads TOML text that came from `origin`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        layers.add_text(origin, text)?;
        layers.read()
    }
}

/// The default configuration as TOML values: it shows the type of each key.
pub(super) fn defaults() -> Table {
    Table::try_from(Config::default()).expect("the default configuration is representable in TOML")
}

/// Values, and where each came from.
#[derive(Default)]
struct Layers {
    table: Table,
    origins: BTreeMap<String, String>,
}

impl Layers {
    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        self.add_text(&path.display().to_string(), &text)
    }

    fn add_text(&mut self, origin: &str, text: &str) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|why: toml::de::Error| ConfigError::Syntax {
            origin: origin.to_owned(),
            message: place_of(text, &why),
        })?;
        self.add_table(origin, "", &table)?;
        self.table = table;
        Ok(())
    }

    /// Notes the origin of each key and refuses unknown ones.
    fn add_table(&mut self, origin: &str, prefix: &str, table: &Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) if keys::find(&path).is_none() && is_section(&path) => {
                    self.add_table(origin, &path, inner)?;
                }
                _ if keys::find(&path).is_some() => {
                    self.origins.insert(path, origin.to_owned());
                }
                _ if is_section(&path) => {
                    return Err(ConfigError::BadValue {
                        value: value.to_string(),
                        origin: origin.to_owned(),
                        message: "not a table".into(),
                        allowed: format!("a section [{path}] with the keys {}", names_under(&path)),
                        key: path,
                    });
                }
                _ => return Err(unknown(path, value, origin)),
            }
        }
        Ok(())
    }

    fn add_variable(&mut self, defaults: &Table, name: &str, text: &str) -> Result<(), ConfigError> {
        let path = path_of(name);
        if keys::find(&path).is_none() {
            return Err(unknown(path, &Value::String(text.to_owned()), name));
        }
        let value = value_like(lookup(defaults, &path), name, text)?;
        let mut table = &mut self.table;
        let (sections, last) = path.rsplit_once('.').unwrap_or(("", &path));
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else {
                return Err(unknown(path.clone(), &Value::String(text.to_owned()), name));
            };
            table = inner;
        }
        table.insert(last.to_owned(), value);
        self.origins.insert(path, name.to_owned());
        Ok(())
    }

    fn read(self) -> Result<Config, ConfigError> {
        let config = serde_path_to_error::deserialize(self.table.clone()).map_err(|why| {
            let path = why.path().to_string();
            self.bad_value(&path, why.into_inner().message())
        })?;
        super::validate::check(&config).map_err(|flaw| match flaw {
            super::validate::Flaw::Value { path, message } => self.bad_value(&path, &message),
            super::validate::Flaw::Conflict(message) => ConfigError::Conflict(message),
        })?;
        Ok(config)
    }

    fn bad_value(&self, path: &str, message: &str) -> ConfigError {
        let whole = path.split('[').next().unwrap_or(path);
        let key = keys::find(path);
        let origin = self.origins.get(whole).or_else(|| self.origins.get(key.map_or("", |key| key.path)));
        let default = defaults();
        let value = lookup(&self.table, whole).or_else(|| lookup(&default, whole));
        let secret = keys::is_secret(whole);
        ConfigError::BadValue {
            key: whole.to_owned(),
            value: value.map_or_else(|| "(nothing)".into(), |value| shown(whole, value)),
            origin: origin.cloned().unwrap_or_else(|| "the configuration".into()),
            message: if secret { "not as allowed".into() } else { first_line(message) },
            allowed: key.map_or_else(|| names_under(whole), |key| key.allowed.to_owned()),
        }
    }
}

/// What is wrong and where, without the line itself: it may hold a secret.
fn place_of(text: &str, why: &toml::de::Error) -> String {
    let Some(before) = why.span().and_then(|span| text.get(..span.start)) else { return first_line(why.message()) };
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    format!("line {line}, column {column}: {}", first_line(why.message()))
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// `MADANG__AUTH__KEYS__web` is `auth.keys.web`: the operator's own names stay as written.
fn path_of(variable: &str) -> String {
    let parts: Vec<&str> = variable[ENV_PREFIX.len()..].split("__").collect();
    let lower = parts.join(".").to_ascii_lowercase();
    for table in keys::FREE_TABLES {
        let depth = table.split('.').count();
        if parts.len() > depth && lower.starts_with(&format!("{table}.")) {
            return format!("{table}.{}", parts[depth..].join("__"));
        }
    }
    lower
}

/// A variable's text as the type that its key has by default.
fn value_like(default: Option<&Value>, name: &str, text: &str) -> Result<Value, ConfigError> {
    let quoted = || Value::String(text.to_owned());
    Ok(match default {
        Some(Value::Integer(_)) => text.trim().parse().map_or_else(|_| quoted(), Value::Integer),
        Some(Value::Float(_)) => text.trim().parse().map_or_else(|_| quoted(), Value::Float),
        Some(Value::Boolean(_)) => text.trim().parse().map_or_else(|_| quoted(), Value::Boolean),
        _ if text.trim_start().starts_with('[') && !text.trim_start().starts_with("[::")
            || matches!(default, Some(Value::Table(_))) =>
        {
            let parsed: Result<Table, toml::de::Error> = format!("value = {text}").parse();
            let mut table = parsed
                .map_err(|why| ConfigError::Syntax { origin: name.to_owned(), message: why.message().to_owned() })?;
            table.remove("value").unwrap_or_else(quoted)
        }
        Some(Value::Array(_)) => Value::Array(
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.to_owned().into()).collect(),
        ),
        _ => quoted(),
    })
}

pub(super) fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (table.get(first)?, rest) {
        (value, None) => Some(value),
        (Value::Table(inner), Some(rest)) => lookup(inner, rest),
        _ => None,
    }
}

fn is_section(path: &str) -> bool {
    keys::all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that exist in a section, or the sections and keys at the top.
fn names_under(section: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for key in keys::all() {
        let rest = if section.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(name) = rest.and_then(|rest| rest.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names.join(", ")
}

fn shown(path: &str, value: &Value) -> String {
    if keys::is_secret(path) { "(hidden)".into() } else { value.to_string() }
}

fn unknown(key: String, value: &Value, origin: &str) -> ConfigError {
    let mut section = key.rsplit_once('.').map_or("", |(section, _)| section);
    while !section.is_empty() && !is_section(section) {
        section = section.rsplit_once('.').map_or("", |(outer, _)| outer);
    }
    // A misspelt key may hold a secret, so only a plain section shows what stands in it.
    let value = if key.contains("auth") || key.contains("turn") || key.contains("key") || key.contains("secret") {
        "(hidden)".into()
    } else {
        value.to_string()
    };
    ConfigError::UnknownKey { allowed: names_under(section), value, origin: origin.to_owned(), key }
}
