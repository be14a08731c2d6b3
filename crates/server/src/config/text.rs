//! `madang config`: every key with what it is for, what it allows and its value.

use std::fmt::Write;

use toml::Table;

use super::{Config, keys, load::lookup};

/// Columns after which a comment goes on in the next line.
const WIDTH: usize = 110;

impl Config {
    /// The configuration as commented TOML that reads back as itself.
    #[must_use]
    pub fn to_commented_toml(&self) -> String {
        let values = Table::try_from(self).expect("every configuration is representable in TOML");
        let mut text = String::from(
            "# madang's configuration. Each key may also be set by an environment variable:\n\
             # http.listen is MADANG__HTTP__LISTEN. Environment goes before file, file before default.\n",
        );
        let mut section = "";
        for key in keys::all() {
            let (within, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            if within != section {
                let _ = write!(text, "\n[{within}]");
                section = within;
            }
            text.push('\n');
            comment(&mut text, key.about);
            comment(&mut text, &format!("Allowed: {}.", key.allowed));
            if let Some(value) = lookup(&values, key.path) {
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        text
    }
}

fn comment(text: &mut String, about: &str) {
    let mut line = String::from("#");
    for word in about.split_whitespace() {
        if line.len() + word.len() + 1 > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
