//! `madang join` against a running server: what one publishes, the other receives.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A server on free ports; ends when dropped.
struct Server {
    process: Child,
    http: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["serve", "--log", "json", "--log-level", "error"])
            .env("MADANG__HTTP__LISTEN", "127.0.0.1:0")
            .env("MADANG__TURN__LISTEN", "127.0.0.1:0")
            .env("MADANG__MEDIA__LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(line.strip_prefix("ready ").expect("ready")).expect("JSON");
        let http = ready["http"][0].as_str().expect("an address").to_owned();
        Self { process, http }
    }

    fn join(&self, name: &str, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["join", &format!("{}/r/yard", self.http), "--json", "--name", name])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a participant that has left.
fn lines(child: Child) -> Vec<Value> {
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON alone")).collect()
}

fn summary(lines: &[Value]) -> &Value {
    let last = lines.last().expect("a summary");
    assert_eq!(last["event"], "summary");
    last
}

fn track<'a>(lines: &'a [Value], codec: &str) -> &'a Value {
    let tracks = summary(lines)["tracks"].as_array().expect("tracks");
    let found = tracks.iter().find(|track| track["codec"] == codec);
    assert!(found.is_some(), "no {codec} in {tracks:?}");
    found.expect("asserted")
}

/// ffprobe's word on a file: its codec and how many frames a decoder made of it.
fn probe(file: &Path) -> Option<(String, u64)> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "json", "-show_entries", "stream=codec_name,nb_read_frames"])
        .arg(file)
        .output()
        .ok()?;
    assert_eq!(String::from_utf8_lossy(&out.stderr), "", "a decoder has nothing to complain of");
    let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let stream = &found["streams"][0];
    let frames = stream["nb_read_frames"].as_str()?.parse().ok()?;
    Some((stream["codec_name"].as_str()?.to_owned(), frames))
}

#[test]
fn two_participants_see_and_hear_each_other_and_what_was_recorded_can_be_played_and_published() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().to_str().expect("a path");
    let ann = server.join("Ann", &["--publish", "pattern", "--tone", "440", "--seconds", "10"]);
    let ben = server.join("Ben", &["--tone", "300", "--record", record, "--seconds", "6"]);
    let (ben, ann) = (lines(ben), lines(ann));

    let picture = track(&ben, "VP8");
    assert!(picture["shown"].as_u64() > Some(60), "{picture}");
    assert!(picture["delay_p50_ms"].as_f64().is_some(), "{picture}");
    assert!(track(&ben, "OPUS")["frames"].as_u64() > Some(100));
    assert!(track(&ann, "OPUS")["frames"].as_u64() > Some(100));
    assert!(ann.iter().any(|line| line["event"] == "participant_left"));

    let mut files = std::fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").path());
    let picture = files.find(|file| file.to_string_lossy().ends_with("-vp8.webm")).expect("a recorded picture");
    // Where ffmpeg is not installed, the reader's own tests have to do.
    if let Some((codec, frames)) = probe(&picture) {
        assert_eq!(codec, "vp8");
        assert!(frames > 60, "{frames}");
    }

    let file = picture.to_str().expect("a path");
    let cat = server.join("Cat", &["--publish", file, "--seconds", "6"]);
    let dan = server.join("Dan", &["--seconds", "5"]);
    let (dan, _) = (lines(dan), lines(cat));
    let again = track(&dan, "VP8");
    assert!(again["shown"].as_u64() > Some(10), "{again}");
    assert!(again["delay_p50_ms"].is_null(), "the stamps of the recorded call are gone: {again}");
}

#[test]
fn media_flows_by_the_relay_over_udp_and_tcp() {
    let server = Server::start();
    for relay in ["udp", "tcp"] {
        let ann = server.join("Ann", &["--tone", "440", "--seconds", "6", "--relay", relay]);
        let ben = server.join("Ben", &["--tone", "300", "--seconds", "5", "--relay", relay]);
        let (ben, ann) = (lines(ben), lines(ann));
        assert!(ann.iter().any(|line| line["event"] == "relay"), "{relay}");
        assert!(track(&ben, "OPUS")["frames"].as_u64() > Some(50), "{relay}");
        assert_eq!(summary(&ann)["path"], format!("relay_{relay}"));
    }
}

#[test]
fn in_a_mesh_two_meet_directly_or_by_a_relay_over_udp_and_tcp() {
    let server = Server::start();
    for (options, expected) in [
        (&["--ice", "stun-only"][..], "host"),
        (&["--ice", "relay-only"], "relay_udp"),
        (&["--relay", "tcp"], "relay_tcp"),
    ] {
        let join = |name, more: &[&str]| {
            let options = [&["--topology", "mesh", "--tone", "440"], options, more].concat();
            server.join(name, &options)
        };
        let ann = join("Ann", &["--publish", "pattern", "--seconds", "7"]);
        let ben = join("Ben", &["--seconds", "6"]);
        let (ben, ann) = (lines(ben), lines(ann));
        assert!(track(&ben, "VP8")["shown"].as_u64() > Some(30), "{expected}: {ben:?}");
        for (lines, peer) in [(&ben, "Ann"), (&ann, "Ben")] {
            assert!(track(lines, "OPUS")["frames"].as_u64() > Some(50), "{expected}: {lines:?}");
            let link = &summary(lines)["links"][0];
            assert_eq!((&link["peer"], &link["path"]), (&peer.into(), &expected.into()), "{lines:?}");
            assert_eq!(summary(lines)["path"], expected);
        }
    }
}

#[test]
fn a_mesh_that_a_third_makes_a_forwarded_room_goes_on() {
    let server = Server::start();
    let join = |name, more: &[&str]| server.join(name, &[&["--topology", "auto"], more].concat());
    let ann = join("Ann", &["--publish", "pattern", "--tone", "440", "--seconds", "12"]);
    let ben = join("Ben", &["--tone", "300", "--seconds", "11"]);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let cat = join("Cat", &["--tone", "200", "--seconds", "6"]);
    let (cat, ben, ann) = (lines(cat), lines(ben), lines(ann));
    let kinds = |lines: &[Value]| {
        let opened = lines.iter().filter(|line| line["event"] == "link" && line["op"] == "open");
        opened.map(|line| line["kind"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&ann), ["mesh", "sfu"], "{ann:?}");
    assert_eq!(kinds(&cat), ["sfu"], "{cat:?}");
    assert_eq!(summary(&ben)["links"][0]["path"], "host");
    assert!(track(&cat, "VP8")["shown"].as_u64() > Some(30), "{cat:?}");
    let sounds = |lines: &[Value]| {
        let tracks = summary(lines)["tracks"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| {
            let sound = tracks.iter().filter(|track| track["codec"] == "OPUS" && track["from"] == name);
            sound.filter_map(|track| track["frames"].as_u64()).sum::<u64>()
        };
        (of("Ben"), of("Cat"))
    };
    assert!(sounds(&ann).0 > 300 && sounds(&ann).1 > 100, "{ann:?}");
}

#[test]
fn what_is_no_room_or_no_server_is_an_error_that_says_so() {
    let join = |arguments: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_madang")).arg("join").args(arguments).output().expect("it runs");
        assert!(!run.status.success());
        String::from_utf8(run.stderr).expect("text")
    };
    assert!(join(&["http://127.0.0.1:1/"]).contains("/r/NAME"));
    assert!(join(&["http://127.0.0.1:1/r/yard"]).contains("can't be reached"));
    assert!(join(&["http://127.0.0.1:1/r/yard", "--publish", "/nowhere.webm"]).contains("/nowhere.webm"));
    assert!(join(&["http://127.0.0.1:1/r/yard", "--tone", "5"]).contains("20000"));
}
