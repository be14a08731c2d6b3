//! `/v1/rooms/{room}`: who is inside, for the screen before joining.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use madang_protocol::{ErrorCode, RoomName};
use serde::Deserialize;
use serde_json::json;

use super::{is_room_name, origin};
use crate::server::App;

#[derive(Deserialize)]
pub(super) struct Asked {
    token: Option<String>,
}

/// A room that does not exist answers as an empty one.
pub(super) async fn roster(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if app.gate.is_for_this_machine() && !origin::names_this_machine(&headers) {
        let message = "This server is for its own machine. Ask for localhost, or set auth.open or a key.";
        let body = json!({ "code": ErrorCode::Forbidden, "message": message });
        return (StatusCode::FORBIDDEN, Json(body)).into_response();
    }
    let name = RoomName(room);
    if let Err(refusal) = app.gate.admit(bearer.or(asked.token.as_deref()), &name) {
        let body = json!({ "code": refusal.code, "message": refusal.message });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let names = if is_room_name(name.as_str()) { app.rooms.roster(&name).await } else { Vec::new() };
    Json(json!({ "participants": names })).into_response()
}
