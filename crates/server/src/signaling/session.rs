//! One signaling connection, one task: it reads, writes and keeps time.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt;
use madang_protocol::{
    Bye, ByeAction, ClientFrame, ClientMessage, ErrorCode, Failure, FreshToken, IceServers, Limits, Pong, RequestId,
    ServerMessage,
};
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use tokio::time::{sleep_until, timeout};
use tracing::{Instrument, field::Empty};

use super::{
    outbox::{self, End, Outbox},
    rate::{Bucket, Verdict},
    rooms::{Join, Seat},
};
use crate::{auth::Checked, http::is_room_name, server::App};

/// How long the last words may take to be written, and how long the other end has to answer
/// a close. Dropping the socket at once would reset it, and the words with it.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long one write may take before the client counts as too slow.
const WRITE: Duration = Duration::from_secs(20);

/// When a client that was refused for now may try again.
const RETRY_AFTER_MS: u32 = 1000;

/// WebSocket close codes, RFC 6455 §7.4.1.
mod close {
    pub(super) const NORMAL: u16 = 1000;
    pub(super) const AWAY: u16 = 1001;
    pub(super) const UNSUPPORTED: u16 = 1003;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
}

/// How a connection ends.
enum Ending {
    /// The other end is gone; nobody is there to be told anything.
    Gone,
    /// The other end closed.
    Left,
    /// The other end closed because its page did.
    PageClosed,
    /// The room has said all there is to say.
    Closed,
    /// The client broke a rule.
    Fault { code: ErrorCode, message: &'static str, re: Option<RequestId>, close: u16 },
    /// It reads too slowly.
    Slow,
}

impl Ending {
    fn name(&self) -> &'static str {
        match self {
            Self::Gone => "connection lost",
            Self::Left => "connection closed",
            Self::PageClosed => "page closed",
            Self::Closed => "the room closed it",
            Self::Fault { code, .. } => code.as_str(),
            Self::Slow => "slow_consumer",
        }
    }

    fn fault(code: ErrorCode, message: &'static str) -> Self {
        Self::Fault { code, message, re: None, close: close::POLICY }
    }
}

/// A seat that is given up when dropped, however the session ends.
struct Taken {
    seat: Arc<dyn Seat>,
    page_closed: bool,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seat.left(self.page_closed);
    }
}

/// One connection among those that the metrics count.
struct Counted(Gauge);

impl Counted {
    fn new(app: &App) -> Self {
        let gauge = app.metrics.connections.clone();
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What came next.
enum Event {
    Frame(Box<ClientFrame>),
    /// Answered or ignored already.
    Nothing,
    Write,
    Overflow,
    Tick,
}

/// The parts of a frame that a refusal can still name.
#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    id: Option<RequestId>,
}

pub(crate) struct Session {
    socket: WebSocket,
    app: Arc<App>,
    outbox: Arc<Outbox>,
    bucket: Bucket,
    heard: Instant,
    address: IpAddr,
    /// The host by which the client reached this server, for the relays' addresses.
    host: String,
    /// Whom TURN's quotas count: the same over all fresh credentials.
    turn_user: String,
    ice_due: Option<Instant>,
    token: Option<(Checked, Instant)>,
}

impl Session {
    pub(crate) fn new(socket: WebSocket, app: Arc<App>, address: IpAddr, host: String) -> Self {
        let limits = &app.config.signaling;
        let now = Instant::now();
        let bucket = Bucket::new(now, limits.messages_per_second, limits.message_burst);
        let outbox = Outbox::new(app.next_connection(), limits.send_queue_bytes, limits.send_queue_messages);
        let turn_user = random_user();
        Self { socket, outbox, bucket, heard: now, address, host, turn_user, ice_due: None, token: None, app }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn run(self) {
        let span =
            tracing::info_span!("session", connection = self.outbox.connection.0, room = Empty, participant = Empty);
        let _counted = Counted::new(&self.app);
        Box::pin(self.serve()).instrument(span).await;
    }

    async fn serve(mut self) {
        let ending = match self.enter().await {
            Ok(mut taken) => {
                tracing::info!("entered");
                let ending = self.stay(taken.seat.as_ref()).await;
                taken.page_closed = matches!(ending, Ending::PageClosed);
                drop(taken);
                tracing::info!(why = ending.name(), "left");
                ending
            }
            Err(ending) => {
                // Any stranger can cause it, as often as they like.
                tracing::debug!(why = ending.name(), "did not enter");
                ending
            }
        };
        self.part(ending).await;
    }

    /// Waits for `hello`, checks it and asks for a seat.
    async fn enter(&mut self) -> Result<Taken, Ending> {
        let deadline = Instant::now() + self.app.config.signaling.hello_timeout.0;
        let frame = loop {
            match self.next(deadline).await? {
                Event::Frame(frame) => break frame,
                Event::Tick => return Err(Ending::fault(ErrorCode::BadRequest, "No `hello` came in time.")),
                Event::Write => self.write().await?,
                Event::Overflow => return Err(Ending::Slow),
                Event::Nothing => {}
            }
        };
        let ClientFrame { id, message } = *frame;
        let refuse = |code, message| Ending::Fault { code, message, re: id, close: close::POLICY };
        let ClientMessage::Hello(hello) = message else {
            return Err(refuse(ErrorCode::BadRequest, "The first message has to be `hello`."));
        };
        if !is_room_name(hello.room.as_str()) {
            let message = "A room's name has 1 to 64 ASCII letters, digits, `-` and `_`.";
            return Err(refuse(ErrorCode::BadRequest, message));
        }
        tracing::Span::current().record("room", hello.room.as_str());
        if self.app.drain.is_draining() {
            let message = "This server is shutting down. Connect again in a moment.";
            return Err(Ending::Fault { code: ErrorCode::ServerDraining, message, re: id, close: close::AWAY });
        }
        if !self.app.arrivals.admit(Instant::now(), self.address) {
            let message = "Too many came from this address within a short time. Try again in a moment.";
            return Err(refuse(ErrorCode::RateLimited, message));
        }
        let admission = self
            .app
            .gate
            .admit(hello.token.as_deref(), &hello.room)
            .map_err(|refusal| refuse(refusal.code, refusal.message))?;
        self.token = admission.token.map(|checked| {
            let due = Instant::now() + checked.renew_in();
            (checked, due)
        });
        let ice_servers = self.ice_servers();
        let join = Join { request: id, hello: Box::new(hello), grant: admission.grant, ice_servers };
        Ok(Taken { seat: self.app.rooms.join(join, self.outbox.clone()), page_closed: false })
    }

    /// Carries messages until something ends the connection.
    async fn stay(&mut self, seat: &dyn Seat) -> Ending {
        loop {
            let dead_at = self.heard + self.app.config.signaling.dead_after.0;
            let renew_at = self.token.as_ref().map(|(_, due)| *due);
            let next = [Some(dead_at), self.ice_due, renew_at].into_iter().flatten().min().unwrap_or(dead_at);
            let done = match self.next(next).await {
                Ok(Event::Frame(frame)) => self.hear(frame, seat),
                Ok(Event::Write) => self.write().await,
                Ok(Event::Overflow) => Err(Ending::Slow),
                Ok(Event::Tick) => self.tick(),
                Ok(Event::Nothing) => Ok(()),
                Err(ending) => Err(ending),
            };
            if let Err(ending) = done {
                return ending;
            }
        }
    }

    fn hear(&mut self, frame: Box<ClientFrame>, seat: &dyn Seat) -> Result<(), Ending> {
        match frame.message {
            ClientMessage::Hello(_) => {
                self.refuse(frame.id, ErrorCode::BadRequest, "`hello` comes once, as the first message.", None);
            }
            ClientMessage::Ping(_) => self.say(frame.id, &ServerMessage::Pong(Pong {})),
            _ => seat.message(*frame),
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if now >= self.heard + self.app.config.signaling.dead_after.0 {
            return Err(Ending::Gone);
        }
        if self.ice_due.is_some_and(|due| due <= now) {
            let ice_servers = self.ice_servers();
            self.say(None, &ServerMessage::IceServers(IceServers { ice_servers }));
        }
        if let Some((checked, due)) = &self.token
            && *due <= now
        {
            let fresh = self.app.gate.renew(checked);
            self.token = fresh.map(|(token, checked)| {
                self.say(None, &ServerMessage::Token(FreshToken { token }));
                let due = now + checked.renew_in();
                (checked, due)
            });
        }
        Ok(())
    }

    /// Waits for a message, for something to write, or for `until`.
    async fn next(&mut self, until: Instant) -> Result<Event, Ending> {
        let message = tokio::select! {
            message = self.socket.recv() => message,
            () = self.outbox.filled() => return Ok(Event::Write),
            () = self.outbox.overflowed() => return Ok(Event::Overflow),
            () = sleep_until(until.into()) => return Ok(Event::Tick),
        };
        let text = match message {
            None => return Err(Ending::Gone),
            Some(Ok(Message::Close(Some(why)))) if why.code == close::AWAY => return Err(Ending::PageClosed),
            Some(Ok(Message::Close(_))) => return Err(Ending::Left),
            Some(Err(why)) => return Err(of_error(why)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                self.heard = Instant::now();
                return match self.bucket.take(self.heard) {
                    Verdict::Close => Err(too_fast()),
                    _ => Ok(Event::Nothing),
                };
            }
            Some(Ok(Message::Binary(_))) => {
                let message = "Messages are JSON in text frames, not binary.";
                return Err(Ending::Fault {
                    code: ErrorCode::BadRequest,
                    message,
                    re: None,
                    close: close::UNSUPPORTED,
                });
            }
            Some(Ok(Message::Text(text))) => text,
        };
        self.heard = Instant::now();
        self.app.metrics.messages_in.inc();
        self.parse(&text)
    }

    fn parse(&mut self, text: &Utf8Bytes) -> Result<Event, Ending> {
        if text.len() > Limits::default().frame_bytes as usize {
            return Err(too_large());
        }
        let id = || serde_json::from_str::<Envelope>(text).unwrap_or_default().id;
        match self.bucket.take(self.heard) {
            Verdict::Pass => {}
            Verdict::Close => return Err(too_fast()),
            Verdict::Refuse { retry_after_ms } => {
                self.refuse(
                    id(),
                    ErrorCode::RateLimited,
                    "Too many messages; this one was dropped.",
                    Some(retry_after_ms),
                );
                return Ok(Event::Nothing);
            }
        }
        match serde_json::from_str(text) {
            Ok(frame) => Ok(Event::Frame(Box::new(frame))),
            Err(why) => {
                let message = format!("Not a message of this protocol: {why}.");
                self.say(id(), &failure(ErrorCode::BadRequest, message, None, false));
                Ok(Event::Nothing)
            }
        }
    }

    fn refuse(&self, re: Option<RequestId>, code: ErrorCode, message: &str, retry_after_ms: Option<u32>) {
        self.say(re, &failure(code, message.to_owned(), retry_after_ms, false));
    }

    fn say(&self, re: Option<RequestId>, message: &ServerMessage) {
        self.outbox.push(message, outbox::text(re, message));
    }

    fn ice_servers(&mut self) -> Vec<madang_protocol::IceServer> {
        let (servers, renew_in) = self.app.ice.mint(&self.host, &self.turn_user);
        self.ice_due = Some(Instant::now() + renew_in);
        servers
    }

    /// Writes what waits. Nothing is read meanwhile: who does not read is not listened to.
    async fn write(&mut self) -> Result<(), Ending> {
        let batch = self.outbox.take();
        self.app.metrics.messages_out.inc_by(batch.texts.len() as u64);
        if !batch.texts.is_empty() {
            let outbox = self.outbox.clone();
            let all = timeout(WRITE, send_all(&mut self.socket, batch.texts));
            tokio::select! {
                sent = all => match sent {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Err(Ending::Gone),
                    Err(_) => return Err(Ending::Slow),
                },
                () = outbox.overflowed() => return Err(Ending::Slow),
            }
        }
        match batch.end {
            None => Ok(()),
            Some(End::Closed) => Err(Ending::Closed),
            Some(End::Slow) => Err(Ending::Slow),
        }
    }

    /// Says why, closes, and gives the other end a moment to hear it.
    async fn part(&mut self, ending: Ending) {
        let (text, code) = match ending {
            Ending::Gone => return,
            Ending::Left | Ending::PageClosed => {
                // The answer to its close waits to be written.
                let _ = timeout(FAREWELL, self.socket.flush()).await;
                return;
            }
            Ending::Closed if self.app.drain.is_draining() => (None, close::AWAY),
            Ending::Closed => (None, close::NORMAL),
            Ending::Slow => {
                let bye = Bye {
                    action: ByeAction::Resume,
                    code: Some(ErrorCode::SlowConsumer),
                    message: "This connection reads more slowly than the room speaks. Connect and resume.".into(),
                    retry_after_ms: None,
                };
                (Some(outbox::text(None, &ServerMessage::Bye(bye))), close::POLICY)
            }
            Ending::Fault { code, message, re, close } => {
                let retry =
                    matches!(code, ErrorCode::ServerDraining | ErrorCode::RateLimited).then_some(RETRY_AFTER_MS);
                let failure = failure(code, message.to_owned(), retry, true);
                (Some(outbox::text(re, &failure)), close)
            }
        };
        // What was answered before the fault goes out before it.
        let mut texts = self.outbox.take().texts;
        texts.extend(text);
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::default() }));
        let socket = &mut self.socket;
        let farewell = async {
            send_all(socket, texts).await?;
            socket.send(close).await
        };
        if !matches!(timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
            return;
        }
        let linger = Instant::now() + FAREWELL;
        let answered = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        if timeout(FAREWELL, answered).await.is_ok() && matches!(code, close::TOO_BIG) {
            // The rest of an oversized frame is still on its way and cannot be read as frames.
            sleep_until(linger.into()).await;
        }
    }
}

/// Eight random bytes in hexadecimal.
fn random_user() -> String {
    format!("{:016x}", rand::random::<u64>())
}

async fn send_all(socket: &mut WebSocket, texts: Vec<Utf8Bytes>) -> Result<(), axum::Error> {
    for text in texts {
        socket.feed(Message::Text(text)).await?;
    }
    socket.flush().await
}

fn failure(code: ErrorCode, message: String, retry_after_ms: Option<u32>, fatal: bool) -> ServerMessage {
    ServerMessage::Error(Failure { code, message, retry_after_ms, fatal })
}

fn too_large() -> Ending {
    let message = "The message is larger than 64 KiB.";
    Ending::Fault { code: ErrorCode::TooLarge, message, re: None, close: close::TOO_BIG }
}

fn too_fast() -> Ending {
    Ending::fault(ErrorCode::RateLimited, "Too many messages, and no end to it.")
}

/// A frame too large to be taken in is a fault; anything else that goes wrong below means that
/// the connection is gone.
fn of_error(why: axum::Error) -> Ending {
    use tokio_tungstenite::tungstenite::Error;
    match why.into_inner().downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => too_large(),
        Some(Error::Utf8(_)) => Ending::fault(ErrorCode::BadRequest, "The message is not UTF-8."),
        Some(Error::Protocol(_)) => Ending::fault(ErrorCode::BadRequest, "Not a frame of the WebSocket protocol."),
        _ => Ending::Gone,
    }
}
