//! `madang serve`.

use std::{error::Error, io::Write};

use clap::Args;
use madang_server::{
    Config, Server,
    config::{Change, LogFormat},
    network_urls,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    Source, limits,
    log::{self, Level},
};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// How log lines look.
    #[arg(long, value_name = "text|json", value_parser = parse_format)]
    log: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or filter directives.
    #[arg(long, value_name = "LEVEL", env = "MADANG_LOG")]
    log_level: Option<String>,
}

fn parse_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text and json are allowed".into()),
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let config = options.source.load()?;
    let level = options.log_level.as_deref().unwrap_or(&config.log.level);
    let format = options.log.unwrap_or(config.log.format);
    let level = log::start(level, format)?;
    limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options, config, format, &level))
}

async fn serve(options: &Options, config: Config, format: LogFormat, level: &Level) -> Result<(), Box<dyn Error>> {
    let (mut end, mut hangup) = (Signals::new()?, signal(SignalKind::hangup())?);
    let server = Server::start(config.clone()).await?;
    if format == LogFormat::Text {
        greet(&server, &config);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", serde_json::to_string(server.addresses())?)?;
    out.flush()?;
    drop(out);
    loop {
        tokio::select! {
            () = end.next() => break,
            _ = hangup.recv() => reload(options, &server, level),
        }
    }
    tokio::select! {
        () = server.drain() => tracing::info!("drained"),
        () = end.next() => tracing::warn!("a second signal: ending at once"),
    }
    Ok(())
}

/// SIGHUP: takes over the configuration as it is now, or nothing of it when anything is wrong.
fn reload(options: &Options, server: &Server, level: &Level) {
    let taken = || -> Result<Vec<Change>, Box<dyn Error>> {
        let config = options.source.load()?;
        let filter = log::filter(options.log_level.as_deref().unwrap_or(&config.log.level))?;
        let changes = server.reload(&config)?;
        level.set(filter);
        Ok(changes)
    };
    match taken() {
        Ok(changes) => {
            let keys = |live: bool| changes.iter().filter(move |change| change.live == live).map(|change| change.key);
            let [changed, restart] = [true, false].map(|live| keys(live).collect::<Vec<_>>().join(", "));
            tracing::info!(%changed, "the configuration was read again");
            if !restart.is_empty() {
                tracing::warn!(%restart, "these keys change with a restart only");
            }
        }
        Err(why) => tracing::error!(%why, "the configuration cannot be used, the former stays"),
    }
}

/// SIGTERM and SIGINT mean the same.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Tells the person at the terminal what to do next.
fn greet(server: &Server, config: &Config) {
    let addresses = server.addresses();
    let open = addresses.http.first().map(|url| url.replace("0.0.0.0", "localhost").replace("[::]", "localhost"));
    eprintln!("\n  madang is running. Open  {}", open.unwrap_or_default());
    for url in network_urls(addresses, config) {
        eprintln!("  On other devices         {url}");
    }
    let who = match (config.auth.keys.is_empty(), config.auth.open) {
        (false, false) => "Whoever has a join token (`madang token`) can enter the room it names.",
        (true, false) => "No keys are configured: anyone on this machine, and nobody else, can enter any room.",
        (_, true) => "auth.open = true: anyone who can reach this machine over the network can enter any room.",
    };
    eprintln!("  {who}\n");
}
