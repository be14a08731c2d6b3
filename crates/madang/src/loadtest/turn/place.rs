//! The server under load: a given one, or a process of this program.

use std::{
    error::Error,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use super::Options;

/// A server; one that was started here ends when this is dropped.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) pid: Option<u32>,
    process: Option<Child>,
}

impl Place {
    pub(super) fn find(options: &Options) -> Result<Self, Box<dyn Error>> {
        if let Some(address) = options.server {
            return Ok(Self { address, pid: options.pid, process: None });
        }
        let mut command = match options.server_core {
            Some(core) => {
                let mut taskset = Command::new("taskset");
                taskset.args(["-c", &core.to_string()]).arg(std::env::current_exe()?);
                taskset
            }
            None => Command::new(std::env::current_exe()?),
        };
        let users = format!("MADANG__TURN__USERS__{}", options.username);
        let mut process = command
            .args(["serve", "--log", "json", "--log-level", "warn"])
            .env("MADANG__HTTP__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__TLS_LISTEN", "[]")
            .env("MADANG__TURN__ALLOW_PEERS", "127.0.0.0/8")
            .env("MADANG__TURN__RELAY_ADDRESSES", "127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4")
            .env("MADANG__TURN__RELAY_PORTS", "10240-65535")
            .env("MADANG__TURN__ALLOCATIONS", "1000000")
            .env("MADANG__TURN__ALLOCATIONS_PER_USER", "1000000")
            .env("MADANG__TURN__ALLOCATIONS_PER_ADDRESS", "1000000")
            .env("MADANG__TURN__UNAUTHENTICATED_PER_SECOND", "1000000")
            .env("MADANG__MEDIA__LISTEN", "127.0.0.1:0")
            .env("MADANG__MEDIA__SHARDS", "1")
            .env(users, &options.password)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the server has no output")?;
        let pid = Some(process.id());
        let mut place = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), pid, process: Some(process) };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready = line.strip_prefix("ready ").ok_or_else(|| format!("the server said: {line}"))?;
        let ready: serde_json::Value = serde_json::from_str(ready)?;
        place.address = ready["turn"][0].as_str().ok_or("the server has no TURN address")?.parse()?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It has nothing to save.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
