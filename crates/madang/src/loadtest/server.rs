//! A server to put under load: another process of this program.

use std::{error::Error, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A server on free loopback ports; ends when dropped.
pub(crate) struct Server {
    process: Child,
    /// `ws://…/v1/ws`.
    pub(crate) url: String,
}

impl Server {
    /// Starts it on one worker thread, with the caps that hold one address back out of the way,
    /// and with more of its configuration given as environment variables.
    pub(crate) async fn start(more: &[(&str, &str)]) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--log", "json", "--log-level", "warn"])
            .env("TOKIO_WORKER_THREADS", "1")
            .env("MADANG__HTTP__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__LISTEN", "127.0.0.1:0")
            .env("MADANG__MEDIA__LISTEN", "127.0.0.1:0")
            .env("MADANG__HTTP__MAX_CONNECTIONS", "200000")
            .env("MADANG__HTTP__MAX_CONNECTIONS_PER_ADDRESS", "200000")
            .env("MADANG__SIGNALING__MAX_CONNECTIONS_PER_ADDRESS", "200000")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let ready = line.strip_prefix("ready ").ok_or_else(|| format!("the server said: {line}"))?;
        let ready: serde_json::Value = serde_json::from_str(ready)?;
        let http = ready["http"][0].as_str().ok_or("the server has no address")?;
        Ok(Self { url: format!("{}/v1/ws", http.replacen("http", "ws", 1)), process })
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }
}
