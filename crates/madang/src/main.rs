//! The `madang` binary: a thin shell over `madang-server`.

mod diagnose;
mod join;
mod limits;
mod loadtest;
mod log;
mod native;
mod serve;
mod token;

use std::{
    error::Error,
    io::{ErrorKind, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use madang_server::{Config, ConfigError};

/// Signaling, STUN, TURN and rooms for group video calls, in one program.
#[derive(Parser)]
#[command(name = "madang", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Options),
    /// Prints every key of the configuration with what it is for and its value.
    Config(Source),
    /// Signs a join token with a configured key.
    Token(token::Options),
    /// Joins a room without a browser: publishes, receives, records.
    Join(join::Options),
    /// Says whether calls will work from here, and if not, why.
    Diagnose(diagnose::Options),
    /// Puts a server under load and says what it cost.
    Loadtest(loadtest::Options),
}

/// Where the configuration comes from.
#[derive(Args)]
struct Source {
    /// A TOML file; without it the built-in default. Environment variables go before both:
    /// MADANG__HTTP__LISTEN sets http.listen.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Source {
    fn load(&self) -> Result<Config, ConfigError> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            Some((name, value))
        });
        Config::load(self.config.as_deref(), environment)
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve::run(&options),
        Command::Config(source) => print_config(&source),
        Command::Token(options) => token::run(&options),
        Command::Join(options) => join::run(&options),
        Command::Diagnose(options) => match diagnose::run(&options) {
            Ok(code) => return code,
            Err(why) => Err(why),
        },
        Command::Loadtest(options) => loadtest::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("madang: {why}");
            ExitCode::FAILURE
        }
    }
}

fn print_config(source: &Source) -> Result<(), Box<dyn Error>> {
    let text = source.load()?.to_commented_toml();
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough, as `head` does.
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
