//! Pages, health, metrics and the door to signaling.

pub(crate) mod check;
mod headers;
mod health;
mod learn;
pub(crate) mod origin;
mod pages;
mod roster;

use std::sync::Arc;

use axum::{Router, middleware, routing::get};
use madang_protocol::WEBSOCKET_PATH;

use crate::{server::App, signaling::upgrade::upgrade};

/// 1 to 64 ASCII letters, digits, `-` and `_`.
pub(crate) fn is_room_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Every route of the server.
pub(crate) fn router(app: Arc<App>) -> Router {
    let pages = Router::new()
        .route("/", get(pages::home))
        .route("/r/{room}", get(pages::room))
        .route("/app/{*path}", get(pages::app))
        .route("/sdk/{*path}", get(pages::sdk))
        .route("/check", get(pages::check))
        .route("/example", get(pages::example))
        .route("/example/{*path}", get(pages::example_file))
        .route("/learn", get(learn::english))
        .route("/learn/ko", get(learn::korean))
        .route("/favicon.svg", get(pages::favicon))
        .route("/favicon.ico", get(pages::favicon))
        .route("/v1/rooms/{room}", get(roster::roster))
        .route("/v1/check", get(check::servers))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(pages::not_found)
        .layer(middleware::map_response(headers::harden));
    Router::new().route(WEBSOCKET_PATH, get(upgrade)).merge(pages).with_state(app)
}
