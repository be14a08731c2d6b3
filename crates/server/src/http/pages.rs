//! The web files, embedded in release builds and read from disk in debug builds.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::is_room_name;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/app"]
#[exclude = "test/*"]
#[exclude = "*/test/*"]
#[allow_missing = true]
pub(super) struct App;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/sdk/src"]
#[allow_missing = true]
struct Sdk;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/example"]
#[allow_missing = true]
struct Example;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../docs"]
#[include = "learn*.md"]
#[allow_missing = true]
pub(super) struct Docs;

pub(super) async fn home(headers: HeaderMap) -> Response {
    file::<App>("home.html", &headers)
}

pub(super) async fn room(Path(room): Path<String>, headers: HeaderMap) -> Response {
    if is_room_name(&room) { file::<App>("room.html", &headers) } else { not_found().await }
}

pub(super) async fn check(headers: HeaderMap) -> Response {
    file::<App>("check.html", &headers)
}

pub(super) async fn app(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file::<App>(&path, &headers)
}

pub(super) async fn sdk(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file::<Sdk>(&path, &headers)
}

pub(super) async fn example(headers: HeaderMap) -> Response {
    file::<Example>("index.html", &headers)
}

pub(super) async fn example_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file::<Example>(&path, &headers)
}

pub(super) async fn favicon(headers: HeaderMap) -> Response {
    file::<App>("favicon.svg", &headers)
}

pub(super) async fn not_found() -> Response {
    match App::get("not-found.html") {
        Some(page) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (StatusCode::NOT_FOUND, kind, page.data.into_owned()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is nothing at this address.").into_response(),
    }
}

fn file<Folder: RustEmbed>(path: &str, headers: &HeaderMap) -> Response {
    match Folder::get(path) {
        Some(file) => answer(path, file, headers),
        None => (StatusCode::NOT_FOUND, "There is no such file.").into_response(),
    }
}

/// The file, or that it has not changed.
fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = etag(&file.metadata.sha256_hash());
    let content = file.data.into_owned();
    tagged(HeaderValue::from_static(content_type(path)), tag, content, headers)
}

/// An answer that a browser keeps and asks about each time (RFC 9110 §13.1.2).
pub(super) fn tagged(content_type: HeaderValue, tag: HeaderValue, body: Vec<u8>, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| {
        known.as_bytes().split(|byte| *byte == b',').any(|known| known.trim_ascii() == tag.as_bytes())
    });
    let head = [
        (header::CONTENT_TYPE, content_type),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if known { (StatusCode::NOT_MODIFIED, head).into_response() } else { (head, body).into_response() }
}

pub(super) fn etag(hash: &[u8]) -> HeaderValue {
    use std::fmt::Write;
    let mut text = String::from("\"");
    for byte in hash.iter().take(12) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    HeaderValue::try_from(text).expect("hexadecimal digits in quotes are a header value")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "md" | "txt" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
