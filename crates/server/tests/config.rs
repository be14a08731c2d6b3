//! The configuration as an operator meets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write;

use madang_server::{
    Config,
    config::{LayoutName, TlsMode},
};

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
        ("mix.threads", "-1", "0 for one on each core"),
        ("mix.threads", "1000", "0 for one on each core"),
        ("mix.size", "\"720p\"", "1280x720"),
        ("mix.size", "\"1280x724\"", "multiples of 8"),
        ("mix.size", "720", "1280x720"),
        ("mix.bitrate", "1500", "from 100000"),
        ("mix.layout", "\"mosaic\"", "picture_in_picture"),
        ("mix.regions", "\"all\"", "a list"),
        ("mix.pictures", "0", "from 1 to 16"),
        ("mix.pictures", "17", "from 1 to 16"),
        ("mix.font", "7", "a font file"),
        ("mix.locale", "\"k\"", "zh-CN"),
        ("mix.locale", "\"zh_CN\"", "zh-CN"),
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
fn a_topology_that_there_is_not_names_those_that_there_are() {
    for topology in ["auto", "mesh", "sfu", "mcu"] {
        assert!(Config::parse("madang.toml", &format!("room.topology = \"{topology}\"")).is_ok(), "{topology}");
    }
    let why = Config::parse("madang.toml", "room.topology = \"star\"").unwrap_err().to_string();
    assert!(why.contains("`room.topology`") && why.contains("\"mesh\", \"sfu\" or \"mcu\""), "{why}");
}

#[test]
fn every_key_of_the_mix_can_be_set_by_file_and_by_variable() {
    let file = file(
        "[mix]\nthreads = 3\nsize = \"1920x1080\"\nbitrate = 2500000\nlayout = \"custom\"\npictures = 2\n\
         font = \"Pretendard\"\nlocale = \"ja\"\n\
         [[mix.regions]]\nleft = 0\ntop = 0.1\nwidth = 0.7\nheight = 0.9\nfill = \"any_screen\"\nfit = \"contain\"\n\
         [[mix.regions]]\nleft = 0.7\ntop = 0\nwidth = 0.3\nheight = 1\nz = -2\nfill = \"speaker\"\n",
    );
    let config = Config::load(Some(file.path()), Vec::new()).unwrap();
    let mix = &config.mix;
    assert_eq!((mix.threads, mix.size.to_string().as_str(), mix.bitrate), (3, "1920x1080", 2_500_000));
    assert_eq!((mix.layout, mix.regions.len(), mix.pictures), (LayoutName::Custom, 2, 2));
    assert_eq!((mix.font.as_str(), mix.locale.as_str()), ("Pretendard", "ja"));
    assert_eq!((mix.regions[0].left, mix.regions[0].top, mix.regions[1].z), (0.0, 0.1, -2));
    assert_eq!(Config::parse("the print", &config.to_commented_toml()).unwrap(), config);

    let variables = [
        ("MADANG__MIX__THREADS", "5"),
        ("MADANG__MIX__SIZE", "640x360"),
        ("MADANG__MIX__BITRATE", "600000"),
        ("MADANG__MIX__LAYOUT", "picture_in_picture"),
        ("MADANG__MIX__REGIONS", "[{ left = 0, top = 0, width = 1, height = 1, fill = \"next\" }]"),
        ("MADANG__MIX__PICTURES", "1"),
        ("MADANG__MIX__FONT", "/fonts/a.otf"),
        ("MADANG__MIX__LOCALE", "zh-HK"),
    ];
    let mix = Config::load(Some(file.path()), environment(variables)).unwrap().mix;
    assert_eq!((mix.threads, mix.size.to_string().as_str(), mix.bitrate), (5, "640x360", 600_000));
    assert_eq!((mix.layout, mix.regions.len(), mix.pictures), (LayoutName::PictureInPicture, 1, 1));
    assert_eq!((mix.font.as_str(), mix.locale.as_str()), ("/fonts/a.otf", "zh-HK"));
}

#[test]
fn a_region_that_cannot_be_drawn_is_named_by_its_number() {
    let whole = "{ left = 0, top = 0, width = 1, height = 1, fill = \"next\" }";
    for (region, what) in [
        ("left = 0.6, top = 0, width = 0.5, height = 1, fill = \"next\"", "region 2 reaches beyond the picture"),
        ("left = 0, top = 0, width = 0, height = 1, fill = \"next\"", "region 2 has no width"),
        ("left = -0.1, top = 0, width = 1, height = 1, fill = \"next\"", "region 2 has a length"),
        ("left = nan, top = 0, width = 1, height = 1, fill = \"next\"", "region 2 has a length"),
        ("left = 0, top = 0, width = 1, fill = \"next\"", "`height`"),
        ("left = 0, top = 0, width = 1, height = 1, fill = \"mina\"", "`mina`"),
        ("left = 0, top = 0, width = 1, height = 1, fill = \"next\", fit = \"stretch\"", "`stretch`"),
        ("left = 0, top = 0, width = 1, height = 1, fill = \"next\", depth = 1", "`depth`"),
    ] {
        let text = format!("mix.regions = [{whole}, {{ {region} }}]");
        let why = Config::parse("madang.toml", &text).unwrap_err().to_string();
        for part in ["`mix.regions`", "madang.toml", what, "a list of up to 25 tables"] {
            assert!(why.contains(part), "{region}: `{part}` is not in: {why}");
        }
    }
    let many = format!("mix.regions = [{}]", vec![whole; 26].join(", "));
    assert!(Config::parse("madang.toml", &many).unwrap_err().to_string().contains("too many"));
    let large = |count| Config::parse("madang.toml", &format!("mix.regions = [{}]", vec![whole; count].join(", ")));
    assert!(large(4).is_ok() && large(5).unwrap_err().to_string().contains("too large together"));
    let why = Config::parse("madang.toml", "mix.layout = \"custom\"").unwrap_err().to_string();
    assert!(why.contains("needs mix.regions"), "{why}");
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
