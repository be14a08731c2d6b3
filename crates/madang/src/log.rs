//! Log lines go to standard error: for people, or as JSON.

use std::{error::Error, io::IsTerminal};

use madang_server::config::LogFormat;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// The STUN codec warns of every malformed packet, so any stranger could fill the log. A directive
/// of the operator's own for it counts more, as the later one.
const QUIET: &str = "stun_types=error";

/// Changes what is logged.
pub(crate) struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    pub(crate) fn set(&self, filter: EnvFilter) {
        // Fails only when nothing is logged any more.
        let _ = self.0.reload(filter);
    }
}

/// What lets through lines of this level, or of these directives.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|why| format!("log level `{level}`: {why}; allowed: error, warn, info, debug, trace, or directives"))
}

pub(crate) fn start(level: &str, format: LogFormat) -> Result<Level, Box<dyn Error>> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().boxed(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.compact().with_ansi(colours).with_target(false).boxed()
        }
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(Level(handle))
}
