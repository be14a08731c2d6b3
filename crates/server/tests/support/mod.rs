//! A server on free loopback ports, and a WebSocket client that knows no more than the protocol.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod trust;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use madang_server::{Config, Server};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::HeaderValue,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// Longer than anything here takes, short enough to fail in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a server with `toml` over the defaults, on free ports.
pub(crate) async fn start(toml: &str) -> Server {
    Server::start(config(toml)).await.expect("the server starts")
}

pub(crate) fn config(toml: &str) -> Config {
    let mut config = Config::parse("the test", toml).expect("the configuration is right");
    let turn = &mut config.turn;
    let media = &mut config.media.listen.0;
    let turn = turn.listen.0.iter_mut().chain(&mut turn.tls_listen.0);
    for address in config.http.listen.0.iter_mut().chain(turn).chain(media) {
        address.set_port(0);
    }
    config
}

/// `127.0.0.1:port` of the server's web listener.
pub(crate) fn authority(server: &Server) -> String {
    let url = &server.addresses().http[0];
    url.split_once("://").expect("a URL").1.to_owned()
}

/// TCP, or TLS on it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection to the server's web listener, encrypted where it wants that.
pub(crate) async fn stream(server: &Server) -> Box<dyn Stream> {
    let authority = authority(server);
    if server.addresses().http[0].starts_with("https:") {
        Box::new(trust::connect(&authority).await.expect("a TLS connection"))
    } else {
        Box::new(TcpStream::connect(&authority).await.expect("connects"))
    }
}

/// A signaling client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<Box<dyn Stream>>,
}

impl Client {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::try_connect(server, &[("sec-websocket-protocol", "madang.v1")]).await.expect("connects")
    }

    pub(crate) async fn try_connect(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{}/v1/ws", authority(server)).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream(server).await).await?;
        Ok(Self { socket })
    }

    /// Connects and joins; returns the welcome too.
    pub(crate) async fn join(server: &Server, room: &str, name: &str) -> (Self, Value) {
        let mut client = Self::connect(server).await;
        client.say(hello(room, name)).await;
        let welcome = client.hear("welcome").await;
        (client, welcome)
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.expect("the connection takes it");
    }

    /// Closes as a browser does whose page goes away.
    pub(crate) async fn close_page(mut self) {
        let close = CloseFrame { code: CloseCode::Away, reason: "".into() };
        self.socket.send(Message::Close(Some(close))).await.expect("the connection takes it");
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// The next message, or none when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    /// The next message of a kind; others are passed over.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("closed before `{kind}`"));
            if message["t"] == kind {
                return message;
            }
        }
    }

    /// The close code; messages before it are passed over.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a close comes in time") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    }
}

pub(crate) fn hello(room: &str, name: &str) -> Value {
    json!({ "t": "hello", "id": 1, "versions": [1], "room": room, "name": name })
}

/// One HTTP request; returns status, head and body.
pub(crate) async fn get(server: &Server, path: &str, headers: &str) -> (u16, String, String) {
    ask(stream(server).await, path, headers).await
}

/// The same in the clear, of a server that may be going down.
pub(crate) async fn get_from(authority: &str, path: &str, headers: &str) -> (u16, String, String) {
    ask(TcpStream::connect(authority).await.expect("connects"), path, headers).await
}

async fn ask(mut stream: impl Stream, path: &str, headers: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("answers in time").expect("answers");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// The sum of a metric over its labels; `name` may end in a label.
pub(crate) async fn metric(server: &Server, name: &str) -> u64 {
    // Counters come to the metrics four times a second.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (_, _, text) = get(server, "/metrics", "").await;
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}
