//! `madang token`.

use std::error::Error;

use clap::Args;
use madang_server::{
    auth::{Claims, sign},
    config::Span,
};

use crate::Source;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// The room that it opens.
    #[arg(long)]
    room: String,
    /// Who bears it; one participant at a time has an identity in a room.
    #[arg(long)]
    identity: String,
    /// What its bearer may do.
    #[arg(long, value_name = "host|participant|viewer", default_value = "participant")]
    role: String,
    /// How long it opens the room.
    #[arg(long, default_value = "1h")]
    ttl: Span,
    /// The name to show.
    #[arg(long)]
    name: Option<String>,
    /// The id of the key in [auth.keys] that signs; needed where there are several.
    #[arg(long)]
    key: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let config = options.source.load()?;
    let keys = &config.auth.keys;
    let (id, secret) = match &options.key {
        Some(id) => keys.get_key_value(id).ok_or_else(|| format!("there is no key `{id}` in [auth.keys]"))?,
        None if keys.len() > 1 => return Err("there are several keys in [auth.keys]; choose one with --key".into()),
        None => {
            keys.first_key_value().ok_or("there is no key in [auth.keys]; set one, such as MADANG__AUTH__KEYS__main")?
        }
    };
    let role = serde_json::from_value(options.role.as_str().into())
        .map_err(|_| format!("--role {}: host, participant and viewer are allowed", options.role))?;
    let mut claims = Claims::new(&options.identity, &options.room, role, options.ttl.0);
    claims.name = options.name.clone();
    println!("{}", sign(&claims, id, secret)?);
    Ok(())
}
