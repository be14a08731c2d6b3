//! For whoever watches over the server.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use crate::server::App;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The server takes newcomers, and its relay is there for those who need it.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> impl IntoResponse {
    if app.drain.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if app.ice.is_relay_dead() {
        (StatusCode::SERVICE_UNAVAILABLE, "STUN and TURN have ended; restart the server\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.metrics.text(app.rooms.counts());
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
