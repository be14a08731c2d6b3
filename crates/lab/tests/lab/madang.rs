//! Our server, in a yard's internet.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use madang_lab::yard::{Namespace, Process, SERVERS, Yard};
use serde_json::Value;

/// A server; ends when dropped.
pub(crate) struct Madang {
    _process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) turn: SocketAddr,
}

impl Madang {
    /// A server in rooms of a mesh. It relays to addresses for documentation, as those of homes are.
    pub(crate) fn start(yard: &Yard) -> Self {
        let address = SERVERS[0];
        let mut command = yard.internet().command(super::program());
        command.args(["serve", "--log-level", "error"]);
        command.env("MADANG__HTTP__LISTEN", format!("{address}:8080"));
        command.env("MADANG__AUTH__OPEN", "true");
        command.env("MADANG__TURN__LISTEN", format!("{address}:3478"));
        command.env("MADANG__TURN__ALTERNATE_ADDRESSES", SERVERS[1].to_string());
        command.env("MADANG__TURN__ALLOW_PEERS", r#"["198.51.100.0/24", "203.0.113.0/24"]"#);
        command.env("MADANG__MEDIA__LISTEN", format!("{address}:0"));
        command.env("MADANG__ROOM__TOPOLOGY", "mesh");
        let mut process = Process::start(command.stdout(Stdio::piped())).expect("the server starts");
        let mut line = String::new();
        let output = process.child().stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(line.strip_prefix("ready ").expect("ready")).expect("JSON");
        let http = ready["http"][0].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
        let turn = SocketAddr::from((address, 3478));
        Self { _process: process, http: http.parse().expect("an address"), turn }
    }

    /// One metric, summed over its labels.
    pub(crate) fn metric(&self, internet: &Namespace, name: &str) -> f64 {
        let http = self.http;
        let page = internet.inside(move || {
            let mut stream = TcpStream::connect(http)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(stream, "GET /metrics HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n")?;
            let mut page = String::new();
            stream.read_to_string(&mut page)?;
            Ok(page)
        });
        let page = page.expect("metrics");
        let samples = page.lines().filter_map(|line| line.strip_prefix(name));
        let samples = samples.filter(|rest| rest.starts_with(['{', ' ']));
        let values: Vec<f64> = samples.filter_map(|rest| rest.rsplit(' ').next()?.trim().parse().ok()).collect();
        assert!(!values.is_empty(), "no {name} in {page}");
        values.iter().sum()
    }

    /// Bytes of application data that went through relays so far.
    pub(crate) fn relayed(&self, internet: &Namespace) -> f64 {
        self.metric(internet, "madang_turn_relayed_bytes_total")
    }
}
