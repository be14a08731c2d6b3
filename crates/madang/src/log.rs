//! Log lines go to standard error: for people, or as JSON.

use std::{error::Error, io::IsTerminal};

use madang_server::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// The STUN codec warns of every malformed packet, so any stranger could fill the log. A directive
/// of the operator's own for it counts more, as the later one.
const QUIET: &str = "stun_types=error";

pub(crate) fn start(level: &str, format: LogFormat) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|why| {
        format!("log level `{level}`: {why}; allowed: error, warn, info, debug, trace, or directives")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().init(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.compact().with_ansi(colours).with_target(false).init();
        }
    }
    Ok(())
}
