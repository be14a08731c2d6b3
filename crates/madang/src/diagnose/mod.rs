//! `madang diagnose`: will calls work from here, and if not, why?

mod connection;
mod nat;
mod obstacle;
mod relay;
mod report;
mod target;
mod transport;
mod web;
mod words;

use std::{
    error::Error,
    io::{ErrorKind, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Args;
use madang_client::relay::{Transport, discovery};
use madang_protocol::IceServer;
use rustls::ClientConfig;

use crate::native::{Trust, client_config};
use report::Report;
use target::Credentials;
use transport::Outcome;
use web::Web;

/// Where a server of one's own listens unless it was told otherwise.
const LOCAL: &str = "http://localhost:8080";

#[derive(Args)]
pub(crate) struct Options {
    /// A madang server, by the address of any of its pages (http(s)://host), or STUN and TURN
    /// servers by their URIs (stun:, turn:, turns:). Without it, the server on this machine.
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// The user name for the relay.
    #[arg(long)]
    username: Option<String>,
    /// The password that goes with it.
    #[arg(long, env = "MADANG_CREDENTIAL", hide_env_values = true)]
    credential: Option<String>,
    /// In place of both: a secret of `turn.secrets`, from which they are made.
    #[arg(long, env = "MADANG_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// A join token, where the server has keys.
    #[arg(long, value_name = "JWT")]
    token: Option<String>,
    /// Believe any certificate: for servers with one of their own making.
    #[arg(long)]
    insecure: bool,
    /// How long an answer is waited for, in seconds.
    #[arg(long, value_name = "S", default_value_t = 5)]
    patience: u16,
    /// One JSON object in place of words; docs/diagnose.md has its fields.
    #[arg(long)]
    json: bool,
}

/// Prints the report. The exit code says whether calls will work.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let trust = if options.insecure { Trust::Anyone } else { Trust::System };
    let tls = client_config(trust)?;
    let patience = Duration::from_secs(options.patience.max(1).into());
    let (web, servers) = targets(options, &tls, patience)?;
    let (nat, outcomes) = examine(&servers, &tls, patience);
    let report = Report::new(web.as_ref(), nat.as_ref(), &outcomes);
    let text = if options.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        words::write(&report, words::Style { colours })?
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough, as `head` does.
        Err(why) if why.kind() == ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(if report.verdict.calls_work { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The servers to try: those that a page names, or those that the URIs do.
fn targets(
    options: &Options,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<(Option<Web>, Vec<IceServer>), String> {
    let Options { username, credential, secret, .. } = options;
    let credentials = Credentials::choose(username.as_deref(), credential.as_deref(), secret.as_deref())?;
    let url = match &options.urls[..] {
        [] => LOCAL,
        [url] if target::is_page(url) => url,
        uris => return Ok((None, target::from_uris(uris, credentials.as_ref())?)),
    };
    let (web, address) = web::examine(url, options.token.as_deref(), tls, patience)?;
    let servers = web.servers.clone().unwrap_or_else(|_| target::guess(&address.host));
    Ok((Some(web), servers))
}

/// Tries everything at once: together it takes as long as the slowest.
fn examine(
    servers: &[IceServer],
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> (Option<discovery::Report>, Vec<Outcome>) {
    let ways = target::ways(servers);
    let udp = ways.iter().find(|way| way.transport == Transport::Udp).cloned();
    thread::scope(|scope| {
        let nat = scope.spawn(|| {
            let udp = udp?;
            let server = connection::resolve(&udp.host, udp.port).ok()?;
            nat::discover(server).ok()
        });
        let outcomes: Vec<_> =
            ways.into_iter().map(|way| scope.spawn(|| transport::examine(way, tls, patience))).collect();
        let outcomes = outcomes.into_iter().filter_map(|outcome| outcome.join().ok()).collect();
        (nat.join().ok().flatten(), outcomes)
    })
}
