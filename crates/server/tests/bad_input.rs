//! Hostile and careless clients: each gets its code, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::{Value, json};
use support::{Client, authority, hello, start};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Code, fatality and the request answered.
fn refusal(message: &Value) -> (&str, bool, Option<u64>) {
    (message["code"].as_str().unwrap(), message["fatal"].as_bool().unwrap(), message["re"].as_u64())
}

#[tokio::test]
async fn malformed_unknown_and_repeated_messages_are_refused_and_the_session_goes_on() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    for (text, re) in [
        ("no JSON", None),
        ("[]", None),
        ("null", None),
        (r#"{"id":7}"#, Some(7)),
        (r#"{"t":"dance","id":8}"#, Some(8)),
        (r#"{"t":"chat","id":9}"#, Some(9)),
        (r#"{"t":"chat","id":10,"text":5}"#, Some(10)),
        (r#"{"t":"ice","id":11,"link":"l_x","epoch":-1,"n":1,"candidate":null}"#, Some(11)),
        (r#"{"t":"hello","id":12,"versions":[1],"room":"yard","name":"Ada"}"#, Some(12)),
    ] {
        ada.say_text(text).await;
        assert_eq!(refusal(&ada.hear("error").await), ("bad_request", false, re), "{text}");
    }
    ada.say(json!({ "t": "ping", "id": 20 })).await;
    assert_eq!(ada.hear("pong").await["re"], 20);
}

#[tokio::test]
async fn the_first_message_has_to_be_hello() {
    let server = start("").await;
    for first in [json!({ "t": "ping", "id": 3 }), json!({ "t": "chat", "id": 3, "text": "hi" })] {
        let mut client = Client::connect(&server).await;
        client.say(first).await;
        assert_eq!(refusal(&client.hear("error").await), ("bad_request", true, Some(3)));
        assert_eq!(client.close_code().await, Some(1008));
    }
}

#[tokio::test]
async fn versions_names_and_rooms_out_of_range_are_refused() {
    let server = start("").await;
    for (field, value, code) in [
        ("versions", json!([99]), "bad_version"),
        ("versions", json!([]), "bad_version"),
        ("room", json!("no spaces"), "bad_request"),
        ("room", json!(""), "bad_request"),
        ("room", json!("x".repeat(65)), "bad_request"),
        ("name", json!(""), "bad_request"),
        ("topology", json!("star"), "bad_request"),
    ] {
        let mut client = Client::connect(&server).await;
        let mut message = hello("yard", "Ada");
        message[field] = value.clone();
        client.say(message).await;
        let answer = client.hear("error").await;
        assert_eq!((answer["code"].as_str(), &answer["re"]), (Some(code), &json!(1)), "{field} = {value}");
    }
    let (_, _, text) = support::get(&server, "/metrics", "").await;
    assert!(text.contains("madang_room_rooms{topology=\"mesh\"} 0"), "no room came of it: {text}");
}

#[tokio::test]
async fn silence_before_hello_ends_the_connection() {
    let server = start("signaling.hello_timeout = \"100ms\"").await;
    let mut client = Client::connect(&server).await;
    assert_eq!(refusal(&client.hear("error").await), ("bad_request", true, None));
    assert_eq!(client.close_code().await, Some(1008));
}

#[tokio::test]
async fn silence_after_hello_counts_as_lost() {
    let server = start("signaling.ping_interval = \"50ms\"\nsignaling.dead_after = \"200ms\"").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (mut bo, _) = Client::join(&server, "yard", "Bo").await;
    let started = Instant::now();
    loop {
        ada.say(json!({ "t": "ping" })).await;
        let message = ada.next().await.unwrap();
        if message["t"] == "participant" && message["participant"]["presence"] == "away" {
            break;
        }
        assert!(started.elapsed() < support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bo.close_code().await, None);
}

#[tokio::test]
async fn oversized_messages_get_too_large_and_a_close() {
    let server = start("").await;
    for size in [64 * 1024 + 1, 100 * 1024, 1024 * 1024] {
        let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
        let text = json!({ "t": "chat", "text": "x".repeat(size) }).to_string();
        // The server may close before it has taken all of it.
        let _ = ada.socket.send(Message::text(text)).await;
        assert_eq!(refusal(&ada.hear("error").await), ("too_large", true, None), "{size}");
        assert_eq!(ada.close_code().await, Some(1009), "{size}");
    }
}

#[tokio::test]
async fn a_message_of_exactly_64_kib_is_read() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let empty = json!({ "t": "ping", "id": 5, "pad": "" }).to_string().len();
    ada.say(json!({ "t": "ping", "id": 5, "pad": "x".repeat(64 * 1024 - empty) })).await;
    assert_eq!(ada.hear("pong").await["re"], 5);
}

#[tokio::test]
async fn binary_frames_are_refused() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    ada.socket.send(Message::binary(vec![0, 1, 2])).await.unwrap();
    assert_eq!(refusal(&ada.hear("error").await), ("bad_request", true, None));
    assert_eq!(ada.close_code().await, Some(1003));
}

#[tokio::test]
async fn text_that_is_not_utf8_and_frames_that_are_none_end_the_connection_only() {
    let server = start("").await;
    let (mut other, _) = Client::join(&server, "yard", "Ada").await;
    for raw in [
        &[0x81u8, 0x82, 0, 0, 0, 0, 0xff, 0xfe][..],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
    ] {
        let mut stream = TcpStream::connect(authority(&server)).await.unwrap();
        let request = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.write_all(raw).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(support::PATIENCE, read).await.expect("the connection ends");
        assert!(answer.starts_with(b"HTTP/1.1 101"));
    }
    other.say(json!({ "t": "ping", "id": 1 })).await;
    other.hear("pong").await;
}

#[tokio::test]
async fn too_many_messages_are_dropped_with_a_code_and_then_end_the_connection() {
    let server = start("signaling.messages_per_second = 1\nsignaling.message_burst = 3").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    for id in 0..3 {
        ada.say(json!({ "t": "ping", "id": id })).await;
    }
    let refused = ada.hear("error").await;
    assert_eq!(refusal(&refused), ("rate_limited", false, Some(2)));
    assert!(refused["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0 && wait <= 1000));
    for id in 0..200 {
        if ada.socket.send(Message::text(json!({ "t": "ping", "id": id }).to_string())).await.is_err() {
            break;
        }
    }
    let last = loop {
        let answer = ada.hear("error").await;
        if answer["fatal"] == true {
            break answer;
        }
    };
    assert_eq!(refusal(&last), ("rate_limited", true, None));
    assert_eq!(ada.close_code().await, Some(1008));
}

#[tokio::test]
async fn too_many_connections_from_one_address_get_429_until_one_closes() {
    let server = start("signaling.max_connections_per_address = 2").await;
    let first = Client::connect(&server).await;
    let _second = Client::connect(&server).await;
    let Err(Error::Http(answer)) = Client::try_connect(&server, &[]).await else { panic!("a third connection opened") };
    assert_eq!(answer.status(), 429);
    let body: Value = serde_json::from_slice(answer.body().as_deref().unwrap()).unwrap();
    assert_eq!(body["code"], "rate_limited");
    drop(first);
    let deadline = Instant::now() + support::PATIENCE;
    while Client::try_connect(&server, &[]).await.is_err() {
        assert!(Instant::now() < deadline, "a place becomes free");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn who_comes_and_vanishes_again_and_again_is_refused_for_a_while() {
    let server = start("signaling.max_connections_per_address = 3\nroom.resume_grace = \"1h\"").await;
    for round in 0..12 {
        Client::join(&server, &format!("yard-{round}"), "Ada").await;
        // Its connection is counted until the server has seen it close.
        let deadline = Instant::now() + support::PATIENCE;
        while !support::get(&server, "/metrics", "").await.2.contains("madang_signaling_connections 0") {
            assert!(Instant::now() < deadline, "the connection is seen to be closed");
        }
    }
    let mut client = Client::connect(&server).await;
    client.say(hello("yard", "Ada")).await;
    let refused = client.hear("error").await;
    assert_eq!(refusal(&refused), ("rate_limited", true, Some(1)));
    assert!(refused["retry_after_ms"].is_u64());
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_lead_to_this_machine_gets_nothing() {
    let request = async |server: &madang_server::Server, rest: &str| {
        let mut stream = TcpStream::connect(authority(server)).await.unwrap();
        let port = stream.peer_addr().unwrap().port();
        stream.write_all(rest.replace("PORT", &port.to_string()).as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    let roster = "GET /v1/rooms/yard HTTP/1.1\r\nHost: evil.example:PORT\r\n\r\n";
    let socket = "GET /v1/ws HTTP/1.1\r\nHost: evil.example:PORT\r\nOrigin: http://evil.example:PORT\r\n\
                  Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let server = start("").await;
    assert_eq!(request(&server, roster).await, "403");
    assert_eq!(request(&server, socket).await, "403");
    // Who opens the server on purpose may be reached by any name.
    let server = start("auth.open = true").await;
    assert_eq!(request(&server, roster).await, "200");
    assert_eq!(request(&server, socket).await, "101");
}

#[tokio::test]
async fn tcp_connections_beyond_the_cap_are_closed() {
    let server = start("http.max_connections = 1").await;
    let mut first = TcpStream::connect(authority(&server)).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut second = TcpStream::connect(authority(&server)).await.unwrap();
    let _ = second.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(support::PATIENCE, second.read_to_end(&mut rest)).await.expect("it ends");
    assert!(read.is_err() || rest.is_empty());
}

#[tokio::test]
async fn a_request_whose_head_never_ends_is_cut_off() {
    let server = start("http.handshake_timeout = \"100ms\"").await;
    let mut stream = TcpStream::connect(authority(&server)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: local").await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the connection ends");
}

#[tokio::test]
async fn who_does_not_read_is_told_to_resume_and_costs_bounded_memory() {
    let server = start(
        "signaling.send_queue_bytes = 65536\nsignaling.messages_per_second = 100000\nsignaling.message_burst = 100000",
    )
    .await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (mut slow, _) = Client::join(&server, "yard", "Slow").await;
    let text = "x".repeat(4000);
    let mut sent = 0;
    let away = 'sending: loop {
        sent += 1;
        ada.say(json!({ "t": "chat", "id": sent, "text": text })).await;
        // All that comes, or she would be a slow reader too.
        loop {
            let answer = ada.next().await.unwrap();
            if answer["t"] == "participant" && answer["participant"]["presence"] == "away" {
                break 'sending answer;
            }
            if answer["re"] == sent {
                break;
            }
        }
        assert!(sent < 100_000, "the slow reader is given up at some time");
    };
    assert_eq!(away["participant"]["name"], "Slow");
    let mut last = None;
    while let Some(message) = slow.next().await {
        last = Some(message);
    }
    let last = last.unwrap();
    let news = (last["t"].as_str(), last["code"].as_str(), last["action"].as_str());
    assert_eq!(news, (Some("bye"), Some("slow_consumer"), Some("resume")));
}

#[tokio::test]
async fn pages_of_other_origins_may_not_connect() {
    let server = start("http.allowed_origins = [\"https://app.example.com\"]").await;
    let own = format!("http://{}", authority(&server));
    for (origin, allowed) in
        [(own.as_str(), true), ("https://app.example.com", true), ("https://evil.example", false), ("null", false)]
    {
        match Client::try_connect(&server, &[("origin", origin)]).await {
            Ok(_) => assert!(allowed, "{origin}"),
            Err(Error::Http(answer)) => assert_eq!((answer.status().as_u16(), allowed), (403, false), "{origin}"),
            Err(why) => panic!("{origin}: {why}"),
        }
    }
}

#[tokio::test]
async fn a_subprotocol_that_is_not_ours_is_refused() {
    let server = start("").await;
    let refused = Client::try_connect(&server, &[("sec-websocket-protocol", "madang.v99")]).await;
    let Err(Error::Http(answer)) = refused else { panic!("it opened") };
    assert_eq!(answer.status(), 400);
    assert!(Client::try_connect(&server, &[("sec-websocket-protocol", "madang.v99, madang.v1")]).await.is_ok());
    assert!(Client::try_connect(&server, &[]).await.is_ok(), "naming none is allowed");
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so() {
    let server = start("").await;
    let (status, _, body) = support::get(&server, "/v1/ws", "").await;
    assert_eq!(status, 426);
    assert!(body.contains("bad_request"));
}

#[tokio::test]
async fn a_link_of_another_room_is_not_found_and_nobody_there_notices() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (_bo, welcome) = Client::join(&server, "yard", "Bo").await;
    let link = &welcome["links"][0];
    assert!(link["link"].is_string());
    let (mut eve, _) = Client::join(&server, "cellar", "Eve").await;
    for message in [
        json!({ "t": "ice", "id": 1, "link": link["link"], "epoch": link["epoch"], "n": 1, "candidate": null }),
        json!({ "t": "desc", "id": 1, "link": link["link"], "epoch": link["epoch"], "n": 1, "kind": "offer", "sdp": "v=0" }),
        json!({ "t": "restart", "id": 1, "link": link["link"], "epoch": link["epoch"] }),
        json!({ "t": "chat", "id": 1, "text": "psst", "to": [welcome["self"]["id"]] }),
        json!({ "t": "mod", "id": 1, "action": "kick", "participant": welcome["self"]["id"] }),
    ] {
        eve.say(message.clone()).await;
        assert_eq!(refusal(&eve.hear("error").await), ("not_found", false, Some(1)), "{message}");
    }
    ada.say(json!({ "t": "ping", "id": 99 })).await;
    loop {
        let message = ada.next().await.unwrap();
        assert!(!["ice", "desc", "chat", "negotiate"].iter().any(|kind| message["t"] == *kind), "{message}");
        if message["t"] == "pong" {
            break;
        }
    }
}

#[tokio::test]
async fn a_full_room_says_so() {
    let server = start("room.max_participants = 1").await;
    let (_ada, _) = Client::join(&server, "yard", "Ada").await;
    let mut bo = Client::connect(&server).await;
    bo.say(hello("yard", "Bo")).await;
    assert_eq!(refusal(&bo.hear("error").await), ("room_full", true, Some(1)));
    Client::join(&server, "cellar", "Bo").await;
}
