//! `/v1/ws`: who may open a signaling connection at all.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Extension, State, WebSocketUpgrade, rejection::ExtensionRejection, ws::rejection::WebSocketUpgradeRejection,
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use madang_protocol::{ErrorCode, SUBPROTOCOL};

use super::session::Session;
use crate::{http::origin, listen::Peer, server::App};

/// A connection reads and writes a few hundred bytes at a time; an SDP takes a few reads.
const READ_BUFFER: usize = 2 * 1024;
const WRITE_BUFFER: usize = 2 * 1024;

/// Frames above the protocol's limit but below this are read, so that their refusal can be
/// written and heard; larger ones are cut off.
const MOST_READ: usize = 128 * 1024;

pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    peer: Result<Extension<Peer>, ExtensionRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let (Ok(upgrade), Ok(Extension(peer))) = (upgrade, peer) else {
        return refuse(StatusCode::UPGRADE_REQUIRED, ErrorCode::BadRequest, "Signaling speaks WebSocket.");
    };
    if !origin::allowed(&headers, &app.config.http.allowed_origins, app.gate.is_for_this_machine()) {
        return refuse(StatusCode::FORBIDDEN, ErrorCode::Forbidden, "Pages of this origin may not connect here.");
    }
    let mut requested = upgrade.requested_protocols().peekable();
    if requested.peek().is_some() && !requested.any(|name| name.as_bytes() == SUBPROTOCOL.as_bytes()) {
        return refuse(StatusCode::BAD_REQUEST, ErrorCode::BadVersion, "This server speaks madang.v1.");
    }
    drop(requested);
    let Some(permit) = app.signaling_permits.acquire(peer.address.ip()) else {
        tracing::debug!("an address has too many signaling connections");
        return refuse(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "Too many connections from this address. Close some and try again.",
        );
    };
    let host = origin::host(&headers).map(str::to_owned).unwrap_or_else(|| peer.local.ip().to_string());
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MOST_READ)
        .max_frame_size(MOST_READ)
        .on_upgrade(move |socket| {
            let session = Session::new(socket, app, peer.address.ip(), host);
            async move {
                session.run().await;
                drop(permit);
            }
        })
}

fn refuse(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let body = serde_json::json!({ "code": code, "message": message });
    (status, Json(body)).into_response()
}
