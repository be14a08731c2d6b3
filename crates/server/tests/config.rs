//! The configuration as an operator meets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write;

use madang_server::{Config, config::TlsMode};

fn environment<const N: usize>(variables: [(&str, &str); N]) -> Vec<(String, String)> {
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_default_needs_nothing() {
    let config = Config::load(None, Vec::new()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.http.listen.0, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.tls.mode, TlsMode::Off);
}

#[test]
fn the_printed_text_reads_back_as_the_defaults_and_holds_every_key() {
    let text = Config::default().to_commented_toml();
    assert_eq!(Config::parse("the print", &text).unwrap(), Config::default());
    let printed: toml::Table = text.parse().unwrap();
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    assert_eq!(printed, defaults, "every key of the structs is printed, and nothing else");
}

#[test]
fn a_changed_configuration_prints_and_reads_back_too() {
    let config = Config::parse(
        "a test",
        "public_ip = [\"198.51.100.1\", \"2001:db8::1\"]\n[http]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\n\
         [auth.keys]\n\"a b\" = \"sixteen bytes or more \\\"quoted\\\"\"\n",
    )
    .unwrap();
    assert_eq!(Config::parse("the print", &config.to_commented_toml()).unwrap(), config);
}

#[test]
fn environment_goes_before_file_and_file_before_default() {
    let file = file("[room]\nmax_tracks = 3\nmax_participants = 4\n[log]\nlevel = \"debug\"\n");
    let variables =
        environment([("MADANG__ROOM__MAX_TRACKS", "5"), ("madang__log__format", "json"), ("MADANG_LOG", "x")]);
    let config = Config::load(Some(file.path()), variables).unwrap();
    assert_eq!((config.room.max_tracks, config.room.max_participants), (5, 4));
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.log.format, madang_server::config::LogFormat::Json);
    assert_eq!(config.room.topology, Config::default().room.topology);
}

#[test]
fn variables_become_what_their_keys_are() {
    let config = Config::load(
        None,
        environment([
            ("MADANG__HTTP__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("MADANG__HTTP__ALLOWED_ORIGINS", "https://a.example,https://b.example"),
            ("MADANG__ROOM__VIDEO_CODECS", "[\"VP8\", \"H264\"]"),
            ("MADANG__AUTH__OPEN", "true"),
            ("MADANG__AUTH__KEYS__Web_1", "1234567890123456"),
            ("MADANG__ROOM__RESUME_GRACE", "90s"),
            ("MADANG__PUBLIC_IP", "198.51.100.7"),
        ]),
    )
    .unwrap();
    assert_eq!(config.http.listen.len(), 2);
    assert_eq!(config.http.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.room.video_codecs, ["VP8", "H264"]);
    assert!(config.auth.open);
    assert_eq!(config.auth.keys.get("Web_1").map(String::as_str), Some("1234567890123456"));
    assert_eq!(config.room.resume_grace.to_string(), "90s");
    assert_eq!(config.public_ip.0, ["198.51.100.7".parse::<std::net::IpAddr>().unwrap()]);
}

/// Every wrong value is answered with its key, the value itself and what is allowed.
#[test]
fn wrong_values_are_named() {
    for (key, value, allowed) in [
        ("public_ip", "\"nowhere\"", "IPv4 and IPv6 addresses"),
        ("http.listen", "\"8080\"", "ADDRESS:PORT"),
        ("http.listen", "8080", "ADDRESS:PORT"),
        ("http.listen", "[]", "ADDRESS:PORT"),
        ("http.listen", "[\"127.0.0.1:70000\"]", "ADDRESS:PORT"),
        ("http.allowed_origins", "[\"example.com\"]", "origins"),
        ("http.allowed_origins", "[\"https://example.com/path\"]", "origins"),
        ("http.max_connections", "0", "from 1"),
        ("http.max_connections", "-5", "from 1"),
        ("http.max_connections", "\"many\"", "from 1"),
        ("http.handshake_timeout", "10", "30s"),
        ("http.handshake_timeout", "\"0s\"", "30s"),
        ("http.handshake_timeout", "\"10 parsecs\"", "30s"),
        ("tls.mode", "\"on\"", "self-signed"),
        ("tls.mode", "true", "self-signed"),
        ("signaling.hello_timeout", "\"\"", "30s"),
        ("signaling.dead_after", "\"15s\"", "longer than signaling.ping_interval"),
        ("signaling.send_queue_bytes", "1", "65536"),
        ("signaling.message_burst", "1.5", "from 1"),
        ("room.topology", "\"star\"", "auto"),
        ("room.topology", "\"mcu\"", "sfu"),
        ("room.max_participants", "1001", "1000"),
        ("room.max_tracks", "0", "64"),
        ("room.video_codecs", "[\"vp8\"]", "upper case"),
        ("room.audio_codecs", "\"OPUS\"", "a list"),
        ("room.max_send_bps", "-1", "0 for no limit"),
        ("room.max_receive_bps", "-1", "0 for no limit"),
        ("turn.listen", "[]", "ADDRESS:PORT"),
        ("turn.realm", "\"\"", "64 bytes"),
        ("turn.relay_ports", "\"65535-1\"", "the lower first"),
        ("turn.relay_addresses", "\"0.0.0.0\"", "IP addresses"),
        ("turn.allow_peers", "\"10.0.0.0/33\"", "prefix"),
        ("turn.allocations", "0", "from 1"),
        ("auth.open", "\"yes\"", "true or false"),
        ("log.format", "\"xml\"", "json"),
    ] {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let why = Config::parse("madang.toml", &format!("{header}{name} = {value}\n")).unwrap_err().to_string();
        for part in [key, value, "madang.toml", allowed] {
            assert!(why.contains(part), "{key} = {value}: `{part}` is not in: {why}");
        }
    }
}

#[test]
fn the_same_holds_for_variables_which_are_named_too() {
    for (name, value, key) in [
        ("MADANG__HTTP__LISTEN", "nowhere", "http.listen"),
        ("MADANG__ROOM__MAX_TRACKS", "x", "room.max_tracks"),
        ("MADANG__AUTH__OPEN", "1", "auth.open"),
        ("MADANG__ROOM__VIDEO_CODECS", "[\"VP8\"", "MADANG__ROOM__VIDEO_CODECS"),
    ] {
        let why = Config::load(None, environment([(name, value)])).unwrap_err().to_string();
        assert!(why.contains(name) && why.contains(key), "{why}");
    }
}

#[test]
fn unknown_keys_are_named_with_those_that_exist() {
    for (text, key, neighbour) in [
        ("listen = \"x\"", "listen", "http"),
        ("[http]\nlisten_on = \"x\"", "http.listen_on", "allowed_origins"),
        ("[htp]\nlisten = \"x\"", "htp", "http"),
        ("[auth.key]\na = \"b\"", "auth.key", "keys"),
        ("[tls.files]\na = \"b\"", "tls.files", "mode"),
    ] {
        let why = Config::parse("madang.toml", text).unwrap_err().to_string();
        for part in [&format!("unknown key `{key}`"), "madang.toml", neighbour] {
            assert!(why.contains(part), "`{part}` is not in: {why}");
        }
    }
    let why = Config::load(None, environment([("MADANG__HTTP__LISTN", "x")])).unwrap_err().to_string();
    assert!(why.contains("http.listn") && why.contains("MADANG__HTTP__LISTN"), "{why}");
    let why = Config::parse("madang.toml", "http = 5").unwrap_err().to_string();
    assert!(why.contains("`http` = 5") && why.contains("listen"), "{why}");
}

#[test]
fn secrets_stay_out_of_errors_and_debug_prints() {
    for text in [
        "[auth.keys]\nweb = \"hunter2\"",
        "[auth.kyes]\nweb = \"hunter2\"",
        "[auth]\nkeys = \"hunter2\"",
        "[turn.users]\na = 5\nb = \"hunter2\"",
        "[turn]\nsecrets = [\"\", \"hunter2\"]",
    ] {
        let why = Config::parse("madang.toml", text).unwrap_err();
        assert!(!why.to_string().contains("hunter2") && !format!("{why:?}").contains("hunter2"), "{why}");
    }
    let config = Config::parse("a test", "[auth.keys]\nweb = \"a long secret that nobody sees\"").unwrap();
    assert!(!format!("{config:?}").contains("nobody sees"));
}

#[test]
fn alternate_addresses_are_one_of_each_family_with_or_without_a_port() {
    let text = "[media]\nlisten = \"127.0.0.1:10000\"\n[turn]\nalternate_addresses = [\"198.51.100.1\", \"[2001:db8::1]:3479\"]";
    let config = Config::parse("madang.toml", text).unwrap();
    assert_eq!(Config::parse("the print", &config.to_commented_toml()).unwrap(), config);
    let text = "[turn]\nalternate_addresses = [\"198.51.100.1\", \"198.51.100.2\"]";
    let why = Config::parse("madang.toml", text).unwrap_err().to_string();
    assert!(why.contains("turn.alternate_addresses") && why.contains("each family"), "{why}");
    let why = Config::parse("madang.toml", "[turn]\nalternate_addresses = \"here\"").unwrap_err().to_string();
    assert!(why.contains("turn.alternate_addresses") && why.contains("with or without a port"), "{why}");
    let why = Config::parse("madang.toml", "[media]\nports = 1").unwrap_err().to_string();
    assert!(why.contains("media.ports") && why.contains("listen"), "{why}");
}

#[test]
fn a_topology_that_is_not_there_yet_names_those_that_are() {
    for text in ["mcu", "star"] {
        let why = Config::parse("madang.toml", &format!("[room]\ntopology = \"{text}\"")).unwrap_err().to_string();
        assert!(why.contains("`room.topology`") && why.contains("allowed: \"auto\", \"mesh\" or \"sfu\""), "{why}");
    }
}

#[test]
fn a_line_that_is_no_toml_is_not_shown_for_it_may_hold_a_secret() {
    let text = "[auth.keys]\nweb = \"hunter2\" \"\n";
    let why = Config::parse("madang.toml", text).unwrap_err();
    assert!(!why.to_string().contains("hunter2") && why.to_string().contains("line 2"), "{why}");
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    let why = Config::parse("madang.toml", "[http]\nlisten = \n").unwrap_err().to_string();
    assert!(why.contains("madang.toml is not TOML") && why.contains("line 2"), "{why}");
    let why = Config::load(Some("/nowhere/madang.toml".as_ref()), Vec::new()).unwrap_err().to_string();
    assert!(why.contains("/nowhere/madang.toml"), "{why}");
}

#[test]
fn a_server_without_keys_listens_on_loopback_only_unless_opened_on_purpose() {
    for (text, fine) in [
        ("http.listen = \"127.0.0.1:80\"", true),
        ("http.listen = \"[::1]:80\"", true),
        ("http.listen = \"0.0.0.0:80\"", false),
        ("http.listen = [\"127.0.0.1:80\", \"[::]:80\"]", false),
        ("turn.listen = \"0.0.0.0:3478\"", false),
        ("turn.listen = [\"127.0.0.1:3478\", \"198.51.100.1:3478\"]", false),
        ("turn.tls_listen = \"0.0.0.0:5349\"", true),
        ("turn.tls_listen = \"0.0.0.0:5349\"\ntls.mode = \"self-signed\"", false),
        ("http.listen = \"0.0.0.0:80\"\nauth.open = true", true),
        ("http.listen = \"0.0.0.0:80\"\nauth.keys.web = \"sixteen bytes or more\"", true),
    ] {
        match Config::parse("madang.toml", text) {
            Ok(_) => assert!(fine, "{text}"),
            Err(why) => {
                assert!(!fine, "{why}");
                let why = why.to_string();
                assert!(["listen`", "auth.keys", "auth.open"].iter().all(|part| why.contains(part)), "{why}");
            }
        }
    }
}

#[test]
fn tls_needs_both_files_or_neither() {
    for (text, fine) in [
        ("mode = \"files\"", false),
        ("mode = \"files\"\ncert = \"a\"", false),
        ("mode = \"files\"\ncert = \"a\"\nkey = \"b\"", true),
        ("mode = \"self-signed\"", true),
        ("mode = \"self-signed\"\nkey = \"b\"", false),
        ("mode = \"self-signed\"\ncert = \"a\"\nkey = \"b\"", true),
    ] {
        assert_eq!(Config::parse("madang.toml", &format!("[tls]\n{text}")).is_ok(), fine, "{text}");
    }
}
