//! `madang diagnose` against a running server on loopback.
#![allow(clippy::panic, reason = "a test fails where it has to")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, UdpSocket},
    process::{Child, Command, Output, Stdio},
    thread,
};

use serde_json::{Value, json};

/// A server on free ports; ends when dropped.
struct Server {
    process: Child,
    ready: Value,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["serve", "--log", "json", "--log-level", "error"])
            .env("MADANG__HTTP__LISTEN", "127.0.0.1:0")
            .env("MADANG__TLS__MODE", "self-signed")
            .env("MADANG__TURN__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__TLS_LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__SECRETS", "[\"yard\"]")
            .env("MADANG__TURN__USERS", "{ ann = \"wonder\" }")
            .env("MADANG__MEDIA__LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(line.strip_prefix("ready ").expect("ready")).expect("JSON");
        Self { process, ready }
    }

    fn turn(&self) -> String {
        format!("turn:{}", self.ready["turn"][0].as_str().expect("an address"))
    }

    fn turns(&self) -> String {
        format!("turns:{}", self.ready["turn_tls"][0].as_str().expect("an address"))
    }

    fn page(&self) -> String {
        self.ready["http"][0].as_str().expect("an address").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_madang")).arg("diagnose").args(arguments).output().expect("it runs")
}

/// The report for machines, and whether the exit code says that calls will work.
fn report(arguments: &[&str]) -> (Value, bool) {
    let run = run(&[arguments, &["--json"]].concat());
    let report = serde_json::from_slice(&run.stdout);
    let report = report.unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&run.stderr)));
    (report, run.status.success())
}

/// Says once what a madang server says of its STUN and TURN servers, and then no more.
fn page(status: &'static str, body: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut request = [0; 2048];
        let length = stream.read(&mut request).expect("a request");
        assert!(request[..length].starts_with(b"GET /v1/check HTTP/1.0\r\nHost: 127.0.0.1:"), "{request:?}");
        let body = body.to_string();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("it is read");
    });
    format!("http://{address}")
}

#[test]
fn every_transport_of_a_server_on_this_machine_is_reached_and_its_relay_timed() {
    let server = Server::start();
    let (report, works) =
        report(&[&server.turn(), &server.turns(), "--username", "ann", "--credential", "wonder", "--insecure"]);
    for transport in ["udp", "tcp", "tls"] {
        let found = &report["transports"][transport];
        assert_eq!((&found["reachable"], &found["relay"]), (&json!(true), &json!(true)), "{transport}: {found}");
        let took = found["relayRoundTripMs"].as_f64().expect("a time");
        assert!(took > 0.0 && took < 1000.0, "{transport}: {took}");
        assert_eq!(found["relayLost"], 0, "{transport}");
    }
    assert_eq!(report["publicAddress"], "127.0.0.1");
    assert_eq!(report["nat"]["mapping"], "none");
    assert_eq!(report["verdict"], json!({ "callsWork": true, "path": "direct", "text": report["verdict"]["text"] }));
    assert!(works);
}

#[test]
fn a_secret_stands_for_a_name_and_a_password() {
    let server = Server::start();
    let uri = format!("{}?transport=udp", server.turn());
    let (found, works) = report(&[&uri, "--secret", "yard"]);
    assert_eq!((&found["transports"]["udp"]["relay"], works), (&json!(true), true), "{found}");
    assert_eq!(found["transports"]["tcp"]["offered"], false);
    let (found, works) = report(&[&uri, "--secret", "another"]);
    assert_eq!((&found["transports"]["udp"]["relayWhy"], works), (&json!("credentials-refused"), false), "{found}");
}

#[test]
fn a_wrong_password_is_named_and_the_server_counts_as_reached() {
    let server = Server::start();
    let (found, works) = report(&[&server.turn(), "--username", "ann", "--credential", "wrong"]);
    for transport in ["udp", "tcp"] {
        let found = &found["transports"][transport];
        assert_eq!((&found["reachable"], &found["relay"]), (&json!(true), &json!(false)), "{found}");
        assert_eq!(found["relayWhy"], "credentials-refused");
    }
    assert!(!works);
    let words = run(&[&server.turn(), "--username", "ann", "--credential", "wrong"]);
    let words = String::from_utf8(words.stdout).expect("text");
    assert!(words.contains("does not accept the user name and password"), "{words}");
    assert!(!words.contains('\x1b'), "no colours in a pipe: {words}");
}

#[test]
fn a_self_signed_certificate_is_named_as_untrusted() {
    let server = Server::start();
    let (found, works) = report(&[&server.turns(), "--username", "ann", "--credential", "wonder"]);
    let tls = &found["transports"]["tls"];
    assert_eq!((&tls["reachable"], &tls["why"]), (&json!(false), &json!("certificate-untrusted")), "{tls}");
    assert!(!works);
    let (found, works) = report(&[&server.page()]);
    assert_eq!((&found["web"]["http"], &found["web"]["httpWhy"]), (&json!(false), &json!("certificate-untrusted")));
    assert!(!works);
    let words = String::from_utf8(run(&[&server.page()]).stdout).expect("text");
    assert!(words.contains("its certificate is not trusted"), "{words}");
}

#[test]
fn a_closed_port_is_refused_and_a_silent_one_times_out() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (found, works) = report(&[&format!("turn:{closed}")]);
    for transport in ["udp", "tcp"] {
        assert_eq!(found["transports"][transport]["why"], "refused", "{transport}: {found}");
    }
    assert_eq!((&found["nat"]["mapping"], &found["publicAddress"], works), (&json!("unknown"), &Value::Null, false));
    assert_eq!(found["verdict"]["path"], "none");

    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let (found, _) = report(&[&format!("stun:{}", silent.local_addr().expect("an address")), "--patience", "1"]);
    assert_eq!(found["transports"]["udp"]["why"], "timed-out", "{found}");
}

#[test]
fn the_page_of_a_server_leads_to_its_stun_and_turn_servers() {
    let server = Server::start();
    let uri = format!("{}?transport=udp", server.turn());
    let servers = json!([{ "urls": [uri], "username": "ann", "credential": "wonder" }]);
    let url = page("200 OK", json!({ "ice_servers": servers, "expires_in": 300 }));
    let (found, works) = report(&[&url]);
    assert_eq!(found["transports"]["udp"]["relay"], true, "{found}");
    // This page knows no WebSockets; without signaling there is no call.
    assert_eq!((&found["web"]["http"], &found["web"]["webSocket"], works), (&json!(true), &json!(false), false));
    let refused = page("403 Forbidden", json!({}));
    let (found, _) = report(&[&refused, "--patience", "1"]);
    let why = found["web"]["serversWhy"].as_str().expect("a reason");
    assert!(why.contains("--token"), "{why}");
    assert_eq!(found["transports"]["udp"]["server"], "127.0.0.1:3478");
}

#[test]
fn what_is_no_server_is_an_error_that_says_so() {
    let wrong = |arguments: &[&str]| {
        let run = run(arguments);
        assert!(!run.status.success());
        String::from_utf8(run.stderr).expect("text")
    };
    assert!(wrong(&["example.org"]).contains("is wanted"));
    assert!(wrong(&["turn:a", "--username", "ann"]).contains("--credential"));
    assert!(wrong(&["ftp://a"]).contains("http://"));
}
