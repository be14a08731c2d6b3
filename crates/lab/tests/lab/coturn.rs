//! coturn's server, for what ours is compared with.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use madang_lab::yard::{Namespace, Process, SERVERS};

/// coturn's server on both addresses, so that it speaks RFC 5780.
pub(crate) struct Coturn {
    _process: Process,
    pub(crate) address: SocketAddr,
}

impl Coturn {
    pub(crate) fn start(internet: &Namespace) -> Self {
        let mut command = internet.command("turnserver");
        command.args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file", "stdout", "--realm", "lab"]);
        command.args(["--lt-cred-mech", "--user", "lab:lab", "--pidfile", "/dev/null"]);
        for address in SERVERS {
            command.args(["--listening-ip", &address.to_string(), "--relay-ip", &address.to_string()]);
        }
        let process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null())).expect("coturn is installed");
        wait_for_udp(internet, 3478);
        Self { _process: process, address: SocketAddr::from((SERVERS[0], 3478)) }
    }
}

/// Waits until somebody listens on that UDP port.
fn wait_for_udp(internet: &Namespace, port: u16) {
    let end = Instant::now() + Duration::from_secs(15);
    while !internet.run(&format!("ss -Hlun sport = :{port}")).expect("ss runs").contains(&SERVERS[1].to_string()) {
        assert!(Instant::now() < end, "nobody listens on UDP port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
