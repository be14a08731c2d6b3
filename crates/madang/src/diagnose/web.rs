//! The web side of a madang server: whether HTTP answers, whether a WebSocket opens, and which ICE
//! servers it names.

use std::{
    io::{Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::IceServer;
use rustls::ClientConfig;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::{
    self,
    client::IntoClientRequest,
    http::{HeaderValue, Uri},
};

use super::{connection::Stream, obstacle::Obstacle};
use crate::native::ServerAddress;

/// What the server says to whoever wants to check their network.
const CHECK: &str = "/v1/check";
/// The longest answer that is read.
const LONGEST: u64 = 64 * 1024;

/// What came of the web side.
pub(super) struct Web {
    pub(super) url: String,
    pub(super) http: Result<(), Obstacle>,
    pub(super) web_socket: Result<(), Obstacle>,
    /// The ICE servers, or why the server names none.
    pub(super) servers: Result<Vec<IceServer>, &'static str>,
}

/// The part of the answer that matters here.
#[derive(Deserialize)]
struct Check {
    #[serde(alias = "iceServers")]
    ice_servers: Vec<IceServer>,
}

struct Response {
    status: u16,
    body: Vec<u8>,
}

/// Asks a server by the address of any of its pages.
pub(super) fn examine(
    url: &str,
    token: Option<&str>,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> Result<(Web, ServerAddress), String> {
    let address = ServerAddress::of_server(url)?;
    let check = get(&address, CHECK, token, tls, Instant::now() + patience);
    let http = check.as_ref().map(|_| ()).map_err(|why| *why);
    let web_socket = match http {
        Ok(()) => open_web_socket(&address, tls, Instant::now() + patience),
        Err(why) => Err(why),
    };
    let servers = check.map_err(Obstacle::words).and_then(|response| ice_servers(&response));
    Ok((Web { url: url.to_owned(), http, web_socket, servers }, address))
}

fn ice_servers(response: &Response) -> Result<Vec<IceServer>, &'static str> {
    match response.status {
        200 => {
            let check: Check = serde_json::from_slice(&response.body)
                .map_err(|_| "what it says of its STUN and TURN servers can't be understood")?;
            Ok(check.ice_servers)
        }
        401 | 403 => Err("it tells its TURN servers only to those who have a join token (--token)"),
        404 => Err("it does not tell its TURN servers to strangers"),
        429 => Err("it was asked too often from this address; wait a minute"),
        _ => Err("it has an error of its own"),
    }
}

fn get(
    address: &ServerAddress,
    path: &str,
    token: Option<&str>,
    tls: &Arc<ClientConfig>,
    by: Instant,
) -> Result<Response, Obstacle> {
    let mut stream = connect(address, tls, by)?;
    let authority = authority(address).ok_or(Obstacle::NameNotFound)?;
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    // HTTP/1.0: the answer ends with the connection, and comes in no pieces.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nAccept: application/json\r\n{token}\r\n");
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).map_err(|why| Obstacle::of(&why))?;
    let mut bytes = Vec::new();
    if let Err(why) = stream.take(LONGEST).read_to_end(&mut bytes) {
        // Some end a TLS connection without saying so; the answer may be whole all the same.
        if why.kind() != std::io::ErrorKind::UnexpectedEof || bytes.is_empty() {
            return Err(Obstacle::of(&why));
        }
    }
    read(&bytes).ok_or(Obstacle::NotHttp)
}

fn read(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Response { status, body: bytes[end + 4..].to_vec() })
}

fn open_web_socket(address: &ServerAddress, tls: &Arc<ClientConfig>, by: Instant) -> Result<(), Obstacle> {
    let stream = connect(address, tls, by)?;
    let mut request = address.signaling.as_str().into_client_request().map_err(|_| Obstacle::NameNotFound)?;
    let protocol = HeaderValue::from_static(madang_protocol::SUBPROTOCOL);
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    match tungstenite::client::client(request, stream) {
        Ok((mut socket, _)) => {
            // Nothing is to be said; that it opened is all.
            let _ = socket.close(None);
            Ok(())
        }
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Io(why))) => Err(Obstacle::of(&why)),
        Err(tungstenite::HandshakeError::Interrupted(_)) => Err(Obstacle::TimedOut),
        Err(_) => Err(Obstacle::NotHttp),
    }
}

fn connect(address: &ServerAddress, tls: &Arc<ClientConfig>, by: Instant) -> Result<Stream, Obstacle> {
    let at = address.resolve().map_err(|_| Obstacle::NameNotFound)?;
    let stream = Stream::connect(at, &address.host, address.is_encrypted.then_some(tls), by)?;
    let left = by.saturating_duration_since(Instant::now());
    stream.set_timeout(left).map_err(|why| Obstacle::of(&why))?;
    Ok(stream)
}

fn authority(address: &ServerAddress) -> Option<String> {
    let uri: Uri = address.signaling.parse().ok()?;
    uri.authority().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_servers_in_either_spelling() {
        for name in ["ice_servers", "iceServers"] {
            let text = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
                 {{\"{name}\":[{{\"urls\":[\"stun:a\"]}}],\"expires_in\":300}}"
            );
            let response = read(text.as_bytes()).expect("an answer");
            assert_eq!(ice_servers(&response).expect("servers")[0].urls, ["stun:a"]);
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for text in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
        let refused = read(b"HTTP/1.1 403 Forbidden\r\n\r\n").expect("an answer");
        assert!(ice_servers(&refused).expect_err("a reason").contains("--token"));
    }
}
