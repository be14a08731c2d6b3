//! The load generator against servers: what it says agrees with what it did.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

fn load(more: &[&str]) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "signal", "--json", "--settle", "100ms", "--time", "1s"])
        .args(more)
        .output()
        .expect("the generator runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON alone on standard output")
}

#[test]
fn what_is_sent_is_delivered_whether_candidates_or_data() {
    for kind in ["ice", "data"] {
        let report = load(&["--idle", "10", "--active", "12", "--room-size", "3", "--rate", "240", "--kind", kind]);
        assert_eq!((&report["idle"]["participants"], &report["relay"]["participants"]), (&10.into(), &12.into()));
        let sent = report["relay"]["sent"].as_u64().expect("a count");
        assert!(sent > 50, "{report}");
        assert_eq!(report["relay"]["delivered"], sent, "{report}");
        assert_eq!((&report["errors"], &report["connections_lost"]), (&Value::from(0), &Value::from(0)), "{report}");
        assert!(report["relay"]["latency_ms"]["p99"].as_f64().expect("a time") > 0.0, "{report}");
        assert!(report["idle"]["memory"]["idle"].as_u64().expect("bytes") > 1_000_000, "{report}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "signal", "--idle", "2", "--url", "ws://127.0.0.1:1/v1/ws"])
        .output()
        .expect("the generator runs");
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("could not join"));
}

#[test]
fn every_stream_of_a_room_arrives_and_is_measured() {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args([
            "loadtest",
            "room",
            "--json",
            "--publishers",
            "2",
            "--subscribers",
            "1",
            "--simulcast",
            "--seconds",
            "2",
        ])
        .output()
        .expect("the generator runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON alone on standard output");
    // Each publisher watches the other, and the third watches both: picture and sound of each.
    assert_eq!((&report["streams"], &report["streams_expected"]), (&8.into(), &8.into()), "{report}");
    assert_eq!((&report["video"]["streams"], &report["sound"]["streams"]), (&4.into(), &4.into()), "{report}");
    assert!(report["video"]["frame_rate"].as_f64().expect("a rate") > 0.0, "{report}");
    assert!(report["video"]["delay_ms"]["p50"].as_f64().expect("a time") > 0.0, "{report}");
    assert!(report["server"]["cpu_us_per_packet"].as_f64().expect("a time") > 0.0, "{report}");
    assert_eq!((&report["links_failed"], &report["errors"]), (&0.into(), &0.into()), "{report}");
}

#[test]
fn a_short_soak_leaves_the_server_as_it_was() {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "soak", "--json", "--minutes", "0.1", "--people", "6", "--rooms", "1", "--stay", "1.5"])
        .args(["--seed", "7"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    assert!(told.contains("seed 7"), "{told}");
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON alone on standard output");
    assert!(report["joined"].as_u64() > Some(5) && report["streams"].as_u64() > Some(0), "{report}");
    assert!(report["left"].as_u64() > Some(0) && report["vanished"].as_u64() > Some(0), "{report}");
    for what in ["rooms", "participants", "links", "media_links", "connections", "allocations"] {
        assert_eq!(report["after"][what], 0, "{report}");
    }
    assert!(report["after"]["descriptors"].as_u64() <= report["before"]["descriptors"].as_u64(), "{report}");
    assert_eq!(report["against"], Value::Array(Vec::new()), "{report}");
}

#[test]
fn a_soak_that_proves_nothing_fails_and_says_why() {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "soak", "--minutes", "0.001", "--people", "1", "--stay", "60", "--seed", "7"])
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(1));
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(told.contains("not flat") && told.contains("nothing is proved"), "{told}");
}

struct Server {
    process: Child,
    turn: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["serve", "--log", "json", "--log-level", "warn"])
            .env("MADANG__HTTP__LISTEN", "127.0.0.1:0")
            .env("MADANG__MEDIA__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__SECRETS", "word")
            .env("MADANG__TURN__ALLOW_PEERS", "127.0.0.0/8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("output")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(line.strip_prefix("ready ").expect("ready")).expect("JSON");
        Self { turn: ready["turn"][0].as_str().expect("an address").to_owned(), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn turn(more: &[&str]) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "turn", "--json", "--warm-up", "100ms", "--time", "500ms", "--rate", "400", "--delay"])
        .args(more)
        .output()
        .expect("the generator runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON alone on standard output")
}

fn assert_nothing_is_lost(report: &Value) {
    let sent = report["sent"].as_u64().expect("a count");
    assert!(sent >= 50, "{report}");
    assert_eq!((&report["delivered"], &report["lost"]), (&sent.into(), &0.into()), "{report}");
    assert_eq!((&report["unsent"], &report["strange"]), (&0.into(), &0.into()), "{report}");
    assert!(report["server"]["seconds_per_million"].as_f64() > Some(0.0), "{report}");
    assert!(report["delay_ms"]["p50"].as_f64() > Some(0.0), "{report}");
}

#[test]
fn a_small_load_goes_through_relays_both_ways_and_nothing_is_lost() {
    let server = Server::start();
    let pid = server.process.id().to_string();
    let common = ["--server", &server.turn, "--secret", "word", "--pid", &pid, "--allocations", "2"];
    for direction in ["client-to-peer", "peer-to-client", "client-to-client"] {
        for shape in [["--burst", "1", "--gso", "1"], ["--burst", "8", "--gso", "4"]] {
            let report = turn(&[&common[..], &["--direction", direction], &shape].concat());
            assert_eq!(report["direction"], direction.replace('-', " "), "{report}");
            assert_nothing_is_lost(&report);
        }
    }
}

#[test]
fn a_small_load_goes_through_the_bare_forwarder() {
    for direction in ["client-to-peer", "peer-to-client", "client-to-client"] {
        assert_nothing_is_lost(&turn(&["--bare", "--allocations", "2", "--direction", direction]));
    }
}

#[test]
fn memory_is_told_beside_idle_allocations() {
    let server = Server::start();
    let pid = server.process.id().to_string();
    let report = turn(&["--server", &server.turn, "--secret", "word", "--pid", &pid, "--idle", "20"]);
    assert_eq!(report["allocations"], 20);
    let sockets = |when: &str| report[when]["udp_sockets"].as_u64().expect("a count");
    assert!(sockets("after") > 0 && sockets("before") > 0, "{report}");
    assert!(report["after"]["rss"].as_u64() > Some(1_000_000), "{report}");
}

#[test]
fn wrong_credentials_end_the_load_with_the_servers_words() {
    let server = Server::start();
    let run = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["loadtest", "turn", "--server", &server.turn, "--secret", "other"])
        .output()
        .expect("the generator runs");
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("401"), "{}", String::from_utf8_lossy(&run.stderr));
}
