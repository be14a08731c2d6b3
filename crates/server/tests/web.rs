//! Pages, headers, health, tokens for the roster.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use madang_protocol::Role;
use madang_server::{
    Server,
    auth::{Claims, sign},
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Client, get, hello, start};

const KEYED: &str = "[auth.keys]\nweb = \"a secret for the tests\"\n";

fn token(room: &str, identity: &str, role: Role, ttl: u64) -> String {
    sign(&Claims::new(identity, room, role, Duration::from_secs(ttl)), "web", "a secret for the tests").unwrap()
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_a_page() {
    let server = start("").await;
    for path in
        ["/", "/r/yard", "/learn", "/check", "/app/nothing.js", "/nothing", "/v1/rooms/yard", "/v1/check", "/healthz"]
    {
        let (_, head, _) = get(&server, path, "").await;
        for header in [
            "content-security-policy: default-src 'self';",
            "permissions-policy: camera=(self)",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
        // Chromium has no such feature and warns of it on every page.
        assert!(!head.contains("bluetooth"), "{head}");
    }
}

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let server = start("").await;
    let (status, head, body) = get(&server, "/learn", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/html; charset=utf-8") && head.contains("cache-control: no-cache"));
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let (status, head, rest) = get(&server, "/learn", &format!("If-None-Match: \"other\", {tag}\r\n")).await;
    assert_eq!((status, rest.as_str()), (304, ""));
    assert!(head.contains(tag));
    let (status, _, again) = get(&server, "/learn", "If-None-Match: \"other\"\r\n").await;
    assert_eq!((status, again), (200, body));
}

#[tokio::test]
async fn the_learning_page_is_rendered_in_both_languages() {
    let server = start("").await;
    for (path, language) in [("/learn", "en"), ("/learn/ko", "ko")] {
        let (status, _, body) = get(&server, path, "").await;
        assert_eq!(status, 200, "{path}");
        assert!(body.contains(&format!("lang=\"{language}\"")) && body.contains("<h2 id="), "{path}");
        assert!(!body.contains("{{") && !body.contains("style="), "{path}");
    }
}

#[tokio::test]
async fn paths_do_not_leave_their_folders() {
    let server = start("").await;
    for path in [
        "/app/../../Cargo.toml",
        "/app/..%2f..%2fCargo.toml",
        "/app/%2e%2e/%2e%2e/Cargo.toml",
        "/sdk/../package.json",
        "/app//etc/passwd",
        "/app/",
        // Tests are no part of the product.
        "/app/test/grid.test.mjs",
        "/app/links/test/panel.test.mjs",
        "/r/no%20spaces",
        "/r/a/b",
    ] {
        let (status, _, body) = get(&server, path, "").await;
        assert_eq!(status, 404, "{path}: {body}");
    }
}

#[tokio::test]
async fn health_is_told() {
    let server = start("").await;
    assert_eq!(get(&server, "/healthz", "").await.0, 200);
    assert_eq!(get(&server, "/readyz", "").await.0, 200);
}

#[tokio::test]
async fn the_roster_names_those_inside_and_tells_nothing_of_unknown_rooms() {
    let server = start("").await;
    let (_ada, _) = Client::join(&server, "yard", "Ada").await;
    let roster = async |path| serde_json::from_str::<Value>(&get(&server, path, "").await.2).unwrap();
    assert_eq!(roster("/v1/rooms/yard").await, json!({ "participants": ["Ada"] }));
    assert_eq!(roster("/v1/rooms/cellar").await, json!({ "participants": [] }));
    assert_eq!(roster("/v1/rooms/no%20room").await, json!({ "participants": [] }));
}

#[tokio::test]
async fn where_there_are_keys_the_roster_needs_a_token_for_its_room() {
    let server = start(KEYED).await;
    let right = token("yard", "ada", Role::Participant, 60);
    let wrong = token("cellar", "ada", Role::Participant, 60);
    assert_eq!(get(&server, &format!("/v1/rooms/yard?token={right}"), "").await.0, 200);
    assert_eq!(get(&server, "/v1/rooms/yard", &format!("Authorization: Bearer {right}\r\n")).await.0, 200);
    assert_eq!(get(&server, "/v1/rooms/yard", "").await.0, 401);
    assert_eq!(get(&server, &format!("/v1/rooms/yard?token={wrong}"), "").await.0, 401);
}

#[tokio::test]
async fn a_token_gives_identity_name_and_role() {
    let server = start(KEYED).await;
    let mut client = Client::connect(&server).await;
    let mut claims = Claims::new("ada@example.com", "yard", Role::Viewer, Duration::from_secs(60));
    claims.name = Some("Ada Lovelace".into());
    let mut message = hello("yard", "Somebody else");
    message["token"] = sign(&claims, "web", "a secret for the tests").unwrap().into();
    client.say(message).await;
    let welcome = client.hear("welcome").await;
    assert_eq!(welcome["self"]["identity"], "ada@example.com");
    assert_eq!(welcome["self"]["name"], "Ada Lovelace");
    assert_eq!(welcome["self"]["role"], "viewer");
}

#[tokio::test]
async fn missing_wrong_and_expired_tokens_end_the_connection_with_their_code() {
    let server = start(KEYED).await;
    let mut late = Claims::new("ada", "yard", Role::Host, Duration::from_secs(60));
    late.exp -= 3600;
    let late = sign(&late, "web", "a secret for the tests").unwrap();
    let forged =
        sign(&Claims::new("ada", "yard", Role::Host, Duration::from_secs(60)), "web", "another secret").unwrap();
    for (token, code) in [
        (json!(null), "unauthorized"),
        (json!("nonsense"), "unauthorized"),
        (json!(forged), "unauthorized"),
        (json!(token("cellar", "ada", Role::Host, 60)), "unauthorized"),
        (json!(late), "token_expired"),
    ] {
        let mut client = Client::connect(&server).await;
        let mut message = hello("yard", "Ada");
        message["token"] = token.clone();
        client.say(message).await;
        let answer = client.hear("error").await;
        assert_eq!((answer["code"].as_str(), answer["fatal"].as_bool()), (Some(code), Some(true)), "{token}");
        assert_eq!(client.close_code().await, Some(1008));
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let server = start(KEYED).await;
    let mut client = Client::connect(&server).await;
    let mut message = hello("yard", "Ada");
    message["token"] = token("yard", "ada", Role::Host, 2).into();
    client.say(message).await;
    client.hear("welcome").await;
    let fresh = client.hear("token").await["token"].as_str().unwrap().to_owned();
    let (status, _, _) = get(&server, &format!("/v1/rooms/yard?token={fresh}"), "").await;
    assert_eq!(status, 200);
}

async fn check(server: &Server, head: &str) -> (u16, Value) {
    let (status, _, body) = get(server, "/v1/check", head).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn relay(answer: &Value) -> &Value {
    let servers = answer["ice_servers"].as_array().unwrap();
    servers.iter().find(|server| server["urls"][0].as_str().unwrap().starts_with("turn:")).unwrap()
}

#[tokio::test]
async fn a_check_borrows_the_relay_for_five_minutes() {
    let server = start("").await;
    let (status, head, _) = get(&server, "/v1/check", "").await;
    assert!(status == 200 && head.contains("cache-control: no-store"), "{head}");
    let (_, answer) = check(&server, "Sec-Fetch-Site: same-origin\r\n").await;
    assert_eq!((&answer["expires_in"], &answer["certificate"]), (&json!(300), &json!("none")));
    let relay = relay(&answer);
    let (time, account) = relay["username"].as_str().unwrap().split_once(':').unwrap();
    let left = time.parse::<u64>().unwrap() - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((295..=300).contains(&left) && account.starts_with("check-"), "{relay}");
    assert!(relay["credential"].as_str().is_some_and(|credential| !credential.is_empty()));
}

#[tokio::test]
async fn a_page_of_another_site_may_not_check() {
    let server = start("").await;
    for head in ["Sec-Fetch-Site: cross-site\r\n", "Origin: https://evil.example\r\n"] {
        let (status, answer) = check(&server, head).await;
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{head}");
        assert!(answer.get("ice_servers").is_none());
    }
}

#[tokio::test]
async fn where_there_are_keys_only_a_token_brings_credentials_for_a_check() {
    let server = start(KEYED).await;
    let mut late = Claims::new("ada", "yard", Role::Host, Duration::from_secs(60));
    late.exp -= 3600;
    let late = sign(&late, "web", "a secret for the tests").unwrap();
    for (token, refused) in [
        (None, Some("unauthorized")),
        (Some("nonsense".into()), Some("unauthorized")),
        (Some(late), Some("token_expired")),
        (Some(token("yard", "ada", Role::Viewer, 60)), None),
        (Some(token("cellar", "ada", Role::Participant, 60)), None),
    ] {
        let head = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let (status, answer) = check(&server, &head).await;
        assert_eq!((status, answer["refused"].as_str()), (200, refused), "{head}");
        let relay = relay(&answer);
        assert!(!relay["urls"].as_array().unwrap().is_empty(), "the addresses are no secret: {answer}");
        assert_eq!(relay.get("credential").is_some(), refused.is_none(), "{answer}");
        assert_eq!(answer.get("expires_in").is_some(), refused.is_none(), "{answer}");
    }
}

#[tokio::test]
async fn one_address_may_not_check_without_end() {
    let server = start("").await;
    for _ in 0..20 {
        assert_eq!(check(&server, "").await.0, 200);
    }
    let (status, answer) = check(&server, "").await;
    assert_eq!((status, &answer["code"]), (429, &json!("rate_limited")));
}
