//! `madang serve`.

use std::{error::Error, io::Write};

use clap::Args;
use madang_server::{Config, Server, config::LogFormat, network_urls};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Source, limits, log};

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
    log::start(level, format)?;
    limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, format))
}

async fn serve(config: Config, format: LogFormat) -> Result<(), Box<dyn Error>> {
    let mut end = Signals::new()?;
    let server = Server::start(config.clone()).await?;
    if format == LogFormat::Text {
        greet(&server, &config);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", serde_json::to_string(server.addresses())?)?;
    out.flush()?;
    drop(out);
    end.next().await;
    tokio::select! {
        () = server.drain() => tracing::info!("drained"),
        () = end.next() => tracing::warn!("a second signal: ending at once"),
    }
    Ok(())
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
