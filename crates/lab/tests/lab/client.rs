//! People at home, with a program that tells what it sees in lines of JSON.

use std::{
    fmt,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use madang_lab::yard::{Home, Process};
use serde_json::Value;

use super::Madang;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// tests/e2e/python/client.py, on aiortc.
    Aiortc,
    /// `madang join`.
    Join,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aiortc => "aiortc",
            Self::Join => "madang join",
        })
    }
}

impl Program {
    /// What it needs to run.
    pub(crate) fn needs(self) -> Vec<String> {
        match self {
            Self::Aiortc => vec![super::python().display().to_string()],
            Self::Join => Vec::new(),
        }
    }
}

/// By which ways somebody may be reached, beside their own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// That which STUN finds.
    Stun,
    /// That, and a relay reached over UDP.
    Udp,
    /// That, and a relay reached over TCP.
    Tcp,
}

/// Somebody in a room.
pub(crate) struct Client {
    program: Program,
    _process: Process,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Client {
    pub(crate) fn start(program: Program, home: &Home, server: &Madang, room: &str, name: &str, via: Via) -> Self {
        let mut command = match program {
            Program::Aiortc => aiortc(home, server, room, name, via),
            Program::Join => join(home, server, room, name, via),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(&mut command).expect("the client starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told = lines.clone();
        let stdout = process.child().stdout.take().expect("piped");
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                told.lock().unwrap_or_else(PoisonError::into_inner).push(value);
            }
        });
        let (stderr, told) = (process.child().stderr.take().expect("piped"), lines.clone());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                told.lock().unwrap_or_else(PoisonError::into_inner).push(Value::String(line));
            }
        });
        Self { program, _process: process, lines }
    }

    /// All it said so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, to be read.
    pub(crate) fn said(&self) -> String {
        self.lines().iter().map(|line| format!("\n{line}")).collect()
    }

    /// Whether it is in the room.
    pub(crate) fn is_in(&self) -> bool {
        let event = match self.program {
            Program::Aiortc => "welcome",
            Program::Join => "joined",
        };
        self.lines().iter().any(|line| line["event"] == event)
    }

    /// Whether it has decoded pictures of the other, or receives them.
    pub(crate) fn sees(&self) -> bool {
        match self.program {
            Program::Aiortc => self.lines().iter().any(|line| line["event"] == "video"),
            Program::Join => self.lines().iter().any(|line| line["event"] == "receiving"),
        }
    }

    /// What it says of its path: whether that leads through a relay, as far as it knows.
    pub(crate) fn says_relayed(&self) -> Option<bool> {
        let event = match self.program {
            Program::Aiortc => "link",
            Program::Join => "path",
        };
        let lines = self.lines();
        let path = lines.iter().rfind(|line| line["event"] == event && line["local"].is_string())?;
        Some(path["local"] == "relay" || path["remote"] == "relay")
    }
}

fn aiortc(home: &Home, server: &Madang, room: &str, name: &str, via: Via) -> Command {
    let mut command = home.host().command(super::python());
    command.arg(super::root().join("tests/e2e/python/client.py"));
    command.args(["--url", &format!("ws://{}/v1/ws", server.http), "--room", room, "--name", name]);
    command.args([
        "--via",
        match via {
            Via::Stun => "stun",
            Via::Udp => "udp",
            Via::Tcp => "tcp",
        },
    ]);
    command
}

fn join(home: &Home, server: &Madang, room: &str, name: &str, via: Via) -> Command {
    let mut command = home.host().command(super::program());
    command.args(["join", &format!("http://{}/r/{room}", server.http), "--name", name, "--json"]);
    command.args(["--publish", "pattern", "--no-simulcast", "--topology", "mesh", "--ice"]);
    // It finds out by itself how a relay is to be reached.
    command.arg(if via == Via::Stun { "stun-only" } else { "all" });
    command
}
