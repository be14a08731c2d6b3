//! Signaling over a real WebSocket: joining, talking, resuming.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Client, PATIENCE, get, hello, start};

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

/// What a client sends to take up the session of `welcome`.
fn resume(welcome: &Value, secret: &Value, last_s: Option<u64>) -> Value {
    let mut message = hello(welcome["room"]["name"].as_str().unwrap(), "Bo");
    message["resume"] = json!({ "session": welcome["session"], "secret": secret });
    if let Some(last_s) = last_s {
        message["resume"]["last_s"] = last_s.into();
    }
    message
}

#[tokio::test]
async fn the_welcome_brings_relays_with_credentials_of_ones_own() {
    let server = start("tls.mode = \"off\"").await;
    let (turn, turn_tls) = (&server.addresses().turn, &server.addresses().turn_tls);
    assert_eq!((turn.len(), turn_tls.len()), (1, 0));
    assert_ne!(turn[0].port(), 0);
    let (_ada, ada) = Client::join(&server, "yard", "Ada").await;
    let (_bo, bo) = Client::join(&server, "yard", "Bo").await;
    let servers = &ada["ice_servers"];
    assert_eq!(servers[0], json!({ "urls": [format!("stun:{}", turn[0])] }));
    let urls = [format!("turn:{}?transport=udp", turn[0]), format!("turn:{}?transport=tcp", turn[0])];
    assert_eq!(servers[1]["urls"], json!(urls));
    let (expires, user) = servers[1]["username"].as_str().unwrap().split_once(':').unwrap();
    assert!(expires.parse::<u64>().is_ok() && !user.is_empty());
    assert!(!servers[1]["credential"].as_str().unwrap().is_empty());
    assert_ne!(servers[1]["username"], bo["ice_servers"][1]["username"]);
}

#[tokio::test]
async fn a_lost_session_is_resumed_with_what_it_missed_and_a_new_secret() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (bo, welcome) = Client::join(&server, "yard", "Bo").await;
    drop(bo);
    while ada.hear("participant").await["participant"]["presence"] != "away" {}
    for text in ["one", "two", "three"] {
        ada.say(json!({ "t": "chat", "text": text })).await;
    }
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&welcome, &welcome["secret"], welcome["last_s"].as_u64())).await;
    let resumed = bo.hear("resumed").await;
    assert_eq!(resumed["replay"], true);
    assert_ne!(resumed["secret"], welcome["secret"]);
    for text in ["one", "two", "three"] {
        assert_eq!(bo.hear("chat").await["text"], text);
    }
    while ada.hear("participant").await["participant"]["presence"] != "present" {}

    // Once the client has spoken, the old secret is spent; using it again opens nothing and disturbs nobody.
    bo.say(json!({ "t": "chat", "id": 3, "text": "back" })).await;
    bo.hear("ok").await;
    let mut thief = Client::connect(&server).await;
    thief.say(resume(&welcome, &welcome["secret"], Some(0))).await;
    let refused = thief.hear("error").await;
    assert_eq!((refused["code"].as_str(), refused["fatal"].as_bool()), (Some("unauthorized"), Some(true)));
    bo.say(json!({ "t": "ping", "id": 4 })).await;
    assert_eq!(bo.hear("pong").await["re"], 4);

    drop(bo);
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&welcome, &resumed["secret"], resumed["last_s"].as_u64().or(welcome["last_s"].as_u64()))).await;
    bo.hear("resumed").await;
}

#[tokio::test]
async fn a_reloaded_page_keeps_its_identity_and_leaves_no_ghost() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (bo, before) = Client::join(&server, "yard", "Bo").await;
    drop(bo);
    while ada.hear("participant").await["participant"]["presence"] != "away" {}
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&before, &before["secret"], None)).await;
    let after = bo.hear("welcome").await;
    assert_eq!(after["self"]["id"], before["self"]["id"]);
    assert_eq!(after["participants"].as_array().unwrap().len(), 1);
    let (_, _, body) = get(&server, "/v1/rooms/yard", "").await;
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "participants": ["Ada", "Bo"] }));
}

#[tokio::test]
async fn a_page_that_closes_leaves_at_once_and_comes_back_as_who_it_was() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (bo, before) = Client::join(&server, "yard", "Bo").await;
    bo.close_page().await;
    let left = loop {
        let event = ada.hear("participant").await;
        if event["change"] != "added" {
            break event;
        }
    };
    assert_eq!((left["change"].as_str(), left["reason"].as_str()), (Some("removed"), Some("left")));
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&before, &before["secret"], None)).await;
    let after = bo.hear("welcome").await;
    assert_eq!(after["self"]["id"], before["self"]["id"]);
    assert_eq!(ada.hear("participant").await["participant"]["id"], before["self"]["id"]);
}

#[tokio::test]
async fn somebody_kicked_cannot_resume() {
    let server = start("").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (mut bo, welcome) = Client::join(&server, "yard", "Bo").await;
    ada.say(json!({ "t": "mod", "id": 2, "action": "kick", "participant": welcome["self"]["id"] })).await;
    assert_eq!(ada.hear("ok").await["re"], 2);
    let bye = bo.hear("bye").await;
    assert_eq!((bye["code"].as_str(), bye["action"].as_str()), (Some("kicked"), Some("stop")));
    assert_eq!(bo.close_code().await, Some(1000));
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&welcome, &welcome["secret"], welcome["last_s"].as_u64())).await;
    let answer = bo.next().await.unwrap();
    assert!(answer["t"] == "error" && answer["fatal"] == true, "{answer}");
}

#[tokio::test]
async fn a_session_whose_grace_passed_is_gone() {
    let server = start("room.resume_grace = \"100ms\"").await;
    let (mut ada, _) = Client::join(&server, "yard", "Ada").await;
    let (bo, welcome) = Client::join(&server, "yard", "Bo").await;
    drop(bo);
    let left = loop {
        let event = ada.hear("participant").await;
        if event["change"] == "removed" {
            break event;
        }
    };
    assert_eq!(left["reason"], "lost");
    let mut bo = Client::connect(&server).await;
    bo.say(resume(&welcome, &welcome["secret"], welcome["last_s"].as_u64())).await;
    assert_ne!(bo.hear("welcome").await["session"], welcome["session"]);
}

#[tokio::test]
async fn a_room_is_gone_when_everybody_left_and_the_metrics_agree_all_along() {
    let server = start("").await;
    let figures = async || {
        let (_, _, text) = get(&server, "/metrics", "").await;
        let figure = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
            line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        };
        let of = |topology: &str| {
            ["rooms", "participants", "links"]
                .map(|what| figure(&format!("madang_room_{what}{{topology=\"{topology}\"}}")))
        };
        (of("mesh"), of("sfu"), figure("madang_signaling_connections"))
    };
    assert_eq!(figures().await, ([0; 3], [0; 3], 0));
    let mut all = Vec::new();
    for (count, name) in ["Ada", "Bo", "Cy", "Di"].into_iter().enumerate() {
        all.push(Client::join(&server, "yard", name).await.0);
        let n = count as u64 + 1;
        let (mesh, sfu) = if n <= 2 { ([1, n, n - 1], [0; 3]) } else { ([0; 3], [1, n, n]) };
        assert_eq!(figures().await, (mesh, sfu, n), "the third moves the room to the server");
    }
    let other = Client::join(&server, "cellar", "Eve").await.0;
    assert_eq!(figures().await, ([1, 1, 0], [1, 4, 4], 5));
    for mut client in all.into_iter().chain([other]) {
        client.say(json!({ "t": "leave" })).await;
        assert_eq!(client.close_code().await, Some(1000));
    }
    let deadline = Instant::now() + PATIENCE;
    while figures().await != ([0; 3], [0; 3], 0) {
        assert!(Instant::now() < deadline, "{:?}", figures().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn many_people_come_and_go_at_once_and_nothing_is_left_behind() {
    let server = std::sync::Arc::new(start("").await);
    let mut tasks = Vec::new();
    for person in 0..60 {
        let server = server.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                let room = format!("room{}", (person + round) % 4);
                let (mut client, _) = Client::join(&server, &room, "Somebody").await;
                client.say(json!({ "t": "leave" })).await;
                client.close_code().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let (_, _, text) = get(&server, "/metrics", "").await;
    for topology in ["mesh", "sfu"] {
        assert!(text.contains(&format!("madang_room_rooms{{topology=\"{topology}\"}} 0")), "{text}");
    }
}

#[tokio::test]
async fn the_metrics_name_what_mixing_takes_from_the_start() {
    let server = start("room.topology = \"mcu\"\nmix.threads = 1\nmix.size = \"640x360\"").await;
    let (_, _, text) = get(&server, "/metrics", "").await;
    for line in [
        "madang_mix_rooms 0",
        "madang_mix_viewers 0",
        "madang_mix_decoding 0",
        "madang_mix_encoding 0",
        "madang_mix_limited 0",
        "madang_mix_full 0",
        "madang_mix_decoded_total 0",
        "madang_mix_decoder_faults_total 0",
        "madang_mix_encoded_total 0",
        "madang_mix_keyframes_total 0",
        "madang_mix_sound_packets_total 0",
        "madang_mix_late_total 0",
        "madang_mix_seconds_total{part=\"decode\"} 0.0",
        "madang_mix_seconds_total{part=\"picture\"} 0.0",
        "madang_mix_seconds_total{part=\"sound\"} 0.0",
        "madang_mix_jobs_waiting 0",
        "madang_mix_job_wait_seconds_count{part=\"sound\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn the_end_of_the_last_link_reaches_the_metrics_though_nothing_happens_after_it() {
    let server = start("media.shards = 1").await;
    for _ in 0..3 {
        let mut ada = Client::connect(&server).await;
        let mut message = hello("yard", "Ada");
        message["topology"] = "sfu".into();
        ada.say(message).await;
        ada.hear("desc").await;
        media_links(&server, 1).await;
        ada.say(json!({ "t": "leave", "id": 2 })).await;
        ada.hear("bye").await;
        media_links(&server, 0).await;
    }
}

/// Waits until so many links to the server are told of.
async fn media_links(server: &madang_server::Server, wanted: u64) {
    let line = format!("\nmadang_media_links {wanted}\n");
    let began = Instant::now();
    while !get(server, "/metrics", "").await.2.contains(&line) {
        assert!(began.elapsed() < Duration::from_secs(2), "not {wanted} links in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
