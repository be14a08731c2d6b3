//! The program as an operator runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio_tungstenite::tungstenite;

fn madang() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MADANG")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String, String) {
    let Output { status, stdout, stderr } = madang().args(arguments).envs(variables.iter().copied()).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A server on free ports, and its ready line.
fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> (Child, String) {
    let mut process = madang()
        .arg("serve")
        .args(arguments)
        .envs([
            ("MADANG__HTTP__LISTEN", "127.0.0.1:0"),
            ("MADANG__TURN__LISTEN", "127.0.0.1:0"),
            ("MADANG__MEDIA__LISTEN", "127.0.0.1:0"),
        ])
        .envs([("MADANG__TURN__TLS_LISTEN", "127.0.0.1:0")])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (process, line)
}

fn terminate(process: &Child) {
    kill_process(Pid::from_child(process), Signal::TERM).unwrap();
}

/// Whether it ended well, and what it wrote to standard error.
fn end(mut process: Child) -> (bool, String) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            process.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut errors = String::new();
    process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (status.success(), errors)
}

#[test]
fn the_ready_line_holds_the_addresses_and_sigterm_ends_the_server() {
    let (process, line) = serve(&[], &[("MADANG__TLS__MODE", "self-signed")]);
    let ready: serde_json::Value = serde_json::from_str(line.strip_prefix("ready ").unwrap()).unwrap();
    assert!(ready["http"][0].as_str().unwrap().starts_with("https://127.0.0.1:"), "{line}");
    for kind in ["turn", "turn_tls"] {
        let address: std::net::SocketAddr = ready[kind][0].as_str().unwrap().parse().unwrap();
        assert_ne!(address.port(), 0);
    }
    terminate(&process);
    let (well, errors) = end(process);
    assert!(well, "{errors}");
    assert!(errors.contains("Open  https://127.0.0.1:") && errors.contains("anyone on this machine"), "{errors}");
}

#[test]
fn sighup_reads_the_configuration_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("madang.toml");
    std::fs::write(&file, "turn.allocations = 5").unwrap();
    let (mut process, _) = serve(&["--config", file.to_str().unwrap()], &[]);
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let mut hang_up = |text: &str, lines: usize| {
        std::fs::write(&file, text).unwrap();
        kill_process(Pid::from_child(&process), Signal::HUP).unwrap();
        let mut said = String::new();
        while !said.contains("read again") && !said.contains("the former stays") {
            assert!(log.read_line(&mut said).unwrap() > 0, "{said}");
        }
        for _ in 1..lines {
            log.read_line(&mut said).unwrap();
        }
        said
    };
    let said = hang_up("turn.allocations = 6\nroom.max_tracks = 3", 2);
    assert!(said.contains("changed=turn.allocations") && said.contains("restart=room.max_tracks"), "{said}");
    let said = hang_up("turn.allocations = 0", 1);
    assert!(said.contains("turn.allocations") && said.contains("the former stays"), "{said}");
    let said = hang_up("turn.allocations = 8\nlog.level = \"madang=loud\"", 1);
    assert!(said.contains("log level") && said.contains("the former stays"), "{said}");
    let said = hang_up("turn.allocations = 7", 1);
    assert!(said.contains("changed=turn.allocations"), "{said}");
    process.stderr = Some(log.into_inner());
    terminate(&process);
    assert!(end(process).0);
}

#[test]
fn a_second_sigterm_ends_it_while_somebody_is_inside() {
    let (process, line) = serve(&[], &[("MADANG__SIGNALING__DRAIN", "1h")]);
    let ready: serde_json::Value = serde_json::from_str(line.strip_prefix("ready ").unwrap()).unwrap();
    let url = ready["http"][0].as_str().unwrap().replace("http://", "ws://") + "/v1/ws";
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    let hello = r#"{"t":"hello","versions":[1],"room":"yard","name":"Ada"}"#;
    socket.send(tungstenite::Message::text(hello)).unwrap();
    assert!(socket.read().unwrap().into_text().unwrap().contains("welcome"));
    terminate(&process);
    let mut process = process;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(process.try_wait().unwrap(), None, "it waits for those inside");
    terminate(&process);
    end(process);
}

#[test]
fn opened_to_the_network_it_says_who_can_get_in() {
    let open =
        [("MADANG__AUTH__OPEN", "true"), ("MADANG__TLS__MODE", "self-signed"), ("MADANG__HTTP__LISTEN", "0.0.0.0:0")];
    let (process, line) = serve(&[], &open);
    assert!(line.starts_with("ready "), "{line}");
    terminate(&process);
    let (_, errors) = end(process);
    assert!(errors.contains("anyone who can reach this machine over the network can enter any room"), "{errors}");
    assert!(errors.contains("Open  https://"), "{errors}");
}

#[test]
fn logs_for_machines_are_json_alone() {
    let (process, _) = serve(&["--log", "json"], &[("MADANG_LOG", "info")]);
    terminate(&process);
    let (_, errors) = end(process);
    assert!(!errors.is_empty());
    for line in errors.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_ends_it_with_the_key_named() {
    let (well, out, errors) = run(&["serve"], &[("MADANG__HTTP__LISTEN", "0.0.0.0:0")]);
    assert!(!well && out.is_empty());
    assert!(errors.contains("http.listen") && errors.contains("auth.open"), "{errors}");
    let (well, _, errors) = run(&["serve", "--log-level", "[[["], &[]);
    assert!(!well && errors.contains("[[["), "{errors}");
}

#[test]
fn the_printed_configuration_can_be_served() {
    let (well, text, _) = run(&["config"], &[]);
    assert!(well && text.contains("[turn]") && text.contains("# Allowed: "));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let (well, again, errors) = run(&["config", "--config", file.path().to_str().unwrap()], &[]);
    assert!(well, "{errors}");
    assert_eq!(again, text);
}

#[test]
fn a_token_is_signed_with_the_key_that_is_configured() {
    let who = ["token", "--room", "yard", "--identity", "ada"];
    let (well, _, errors) = run(&who, &[]);
    assert!(!well && errors.contains("auth.keys"), "{errors}");
    let one = [("MADANG__AUTH__KEYS__web", "sixteen bytes or more")];
    let (well, token, errors) = run(&who, &one);
    assert!(well, "{errors}");
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    let two = [one[0], ("MADANG__AUTH__KEYS__app", "sixteen bytes or more")];
    assert!(run(&who, &two).2.contains("--key"));
    assert!(run(&[&who[..], &["--key", "app"]].concat(), &two).0);
    assert!(run(&[&who[..], &["--key", "none"]].concat(), &two).2.contains("none"));
    assert!(run(&[&who[..], &["--role", "king"]].concat(), &one).2.contains("viewer"));
    assert!(!run(&[&who[..], &["--ttl", "soon"]].concat(), &one).0);
}
