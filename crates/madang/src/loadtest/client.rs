//! A participant without media.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connects and joins.
    pub(crate) async fn join(url: &str, room: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("madang.v1"));
        let authority = request.uri().authority().ok_or("the URL names no host")?.as_str().to_owned();
        let stream = TcpStream::connect(&authority).await?;
        stream.set_nodelay(true)?;
        // Small buffers, so that ten thousand of these fit beside the server.
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        let mut client = Self { socket };
        client.say(&json!({ "t": "hello", "id": 1, "versions": [1], "room": room, "name": "Load" })).await?;
        loop {
            let message = client.next().await?;
            match message["t"].as_str() {
                Some("welcome") => return Ok(client),
                Some("error") => return Err(message.to_string().into()),
                _ => {}
            }
        }
    }

    pub(crate) async fn say(&mut self, message: &Value) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// The next message. Can be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Result<Value, Box<dyn Error + Send + Sync>> {
        loop {
            match self.socket.next().await.ok_or("the server closed the connection")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(why) => return Err(format!("the server closed the connection: {why:?}").into()),
                _ => {}
            }
        }
    }
}
