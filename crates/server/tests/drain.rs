//! Going down, and coming back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use madang_server::Server;
use support::{Client, config, get, hello, start};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_draining_server_refuses_newcomers_then_sends_everyone_away() {
    let server = start("signaling.drain = \"500ms\"").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let mut late = Client::connect(&server).await;
    let ready = support::authority(&server);
    let begun = Instant::now();
    let drained = server.drain();
    let watch = async {
        // The first poll of the drain is on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        late.say(hello("yard", "Late")).await;
        let refused = late.hear("error").await;
        assert_eq!((refused["code"].as_str(), refused["fatal"].as_bool()), (Some("server_draining"), Some(true)));
        assert!(refused["retry_after_ms"].is_u64());
        assert_eq!(late.close_code().await, Some(1001));
        assert_eq!(support::get_from(&ready, "/readyz", "").await.0, 503);
        assert_eq!(support::get_from(&ready, "/healthz", "").await.0, 200);
        let bye = ada.hear("bye").await;
        assert!(begun.elapsed() >= Duration::from_millis(500), "the grace is kept");
        assert_eq!(bye["code"], "server_draining");
        assert!(bye["action"] == "resume" || bye["action"] == "rejoin", "{bye}");
        assert_eq!(ada.close_code().await, Some(1001));
    };
    tokio::join!(drained, watch);
    assert!(TcpStream::connect(&ready).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_server_with_nobody_inside_goes_at_once() {
    let server = start("signaling.drain = \"30s\"").await;
    let begun = Instant::now();
    server.drain().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn after_a_restart_a_resume_becomes_a_fresh_join() {
    let server = start("signaling.drain = \"0s\"").await;
    let (mut ada, before) = Client::join(&server, "yard", "Ada").await;
    let address = support::authority(&server);
    server.drain().await;
    ada.hear("bye").await;
    let mut again = config("");
    again.http.listen.0 = vec![address.parse().unwrap()];
    let server = Server::start(again).await.expect("the same address is free at once");
    let mut ada = Client::connect(&server).await;
    let mut message = hello("yard", "Ada");
    message["resume"] = serde_json::json!({ "session": before["session"], "secret": before["secret"], "last_s": 1 });
    ada.say(message).await;
    assert_ne!(ada.hear("welcome").await["session"], before["session"]);
    assert_eq!(get(&server, "/readyz", "").await.0, 200);
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let server = start("").await;
    let mut second = config("");
    second.http.listen.0 = vec![support::authority(&server).parse().unwrap()];
    let why = Server::start(second).await.err().expect("the address is taken").to_string();
    assert!(why.contains(&support::authority(&server)) && why.contains("http.listen"), "{why}");
}
