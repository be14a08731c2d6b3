//! Signaling over a real WebSocket: joining, talking, resuming.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use serde_json::json;
use support::{Client, start};

#[tokio::test]
async fn two_people_meet_and_chat() {
    let server = start("").await;
    let (mut ada, welcome) = Client::join(&server, "yard", "Ada").await;
    assert_eq!(welcome["re"], 1);
    assert_eq!(welcome["self"]["name"], "Ada");
    assert_eq!(welcome["ping_interval_ms"], 15_000);
    let (mut bo, welcome) = Client::join(&server, "yard", "Bo").await;
    assert_eq!(welcome["participants"][0]["name"], "Ada");
    assert_eq!(ada.hear("participant").await["participant"]["name"], "Bo");
    bo.say(json!({ "t": "chat", "id": 2, "text": "annyeong" })).await;
    let line = ada.hear("chat").await;
    assert_eq!((line["text"].as_str(), &line["from"]), (Some("annyeong"), &welcome["self"]["id"]));
    assert_eq!(bo.hear("ok").await["re"], 2);
    bo.say(json!({ "t": "ping", "id": 3 })).await;
    assert_eq!(bo.hear("pong").await["re"], 3);
}
