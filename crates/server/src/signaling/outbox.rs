//! What waits to be written to one connection: bounded in bytes and in messages.

use std::{collections::VecDeque, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use madang_protocol::{LinkId, ParticipantId, RequestId, Seq, ServerMessage, TrackId};
use madang_room::ConnectionId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// An emptied queue keeps room for this many frames; idle connections should cost little.
const KEPT: usize = 8;

/// The queue towards one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The connection.
    pub(crate) connection: ConnectionId,
    queue: Mutex<Queue>,
    filled: Notify,
    overflowed: Notify,
    most_bytes: usize,
    most_frames: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    end: Option<End>,
}

#[derive(Debug)]
struct Frame {
    text: Utf8Bytes,
    topic: Option<Topic>,
}

/// Why nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The room said so; everything before it is to be written first.
    Closed,
    /// The client reads too slowly; what waited was thrown away.
    Slow,
}

/// Of frames on one topic only the newest matters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Topic {
    Bitrate(Option<LinkId>, Option<TrackId>),
    Delivery(LinkId, TrackId),
    Quality(ParticipantId),
    Speakers,
}

/// What there is to write now.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) texts: Vec<Utf8Bytes>,
    pub(crate) end: Option<End>,
}

impl Outbox {
    pub(crate) fn new(connection: ConnectionId, most_bytes: usize, most_frames: usize) -> Arc<Self> {
        Arc::new(Self {
            connection,
            queue: Mutex::default(),
            filled: Notify::new(),
            overflowed: Notify::new(),
            most_bytes,
            most_frames,
        })
    }

    /// Adds a frame. Newer news of one topic replace older ones; a client that still has too
    /// much waiting is given up.
    pub(crate) fn push(&self, message: &ServerMessage, text: Utf8Bytes) {
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return;
        }
        let topic = Topic::of(message);
        if topic.is_some()
            && let Some(old) = queue.frames.iter().position(|frame| frame.topic == topic)
            && let Some(old) = queue.frames.remove(old)
        {
            queue.bytes -= old.text.len();
        }
        queue.bytes += text.len();
        queue.frames.push_back(Frame { text, topic });
        if queue.bytes > self.most_bytes || queue.frames.len() > self.most_frames {
            *queue = Queue { end: Some(End::Slow), ..Queue::default() };
            self.overflowed.notify_one();
        }
        self.filled.notify_one();
    }

    /// Nothing more comes after what was pushed before.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.end.get_or_insert(End::Closed);
        self.filled.notify_one();
    }

    /// Waits until there is something to take.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Waits until the client has fallen too far behind.
    pub(crate) async fn overflowed(&self) {
        self.overflowed.notified().await;
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Batch {
        let mut queue = self.queue.lock();
        queue.bytes = 0;
        let texts = queue.frames.drain(..).map(|frame| frame.text).collect();
        queue.frames.shrink_to(KEPT);
        Batch { texts, end: queue.end }
    }
}

impl Topic {
    fn of(message: &ServerMessage) -> Option<Self> {
        match message {
            ServerMessage::Bitrate(bitrate) => Some(Self::Bitrate(bitrate.link.clone(), bitrate.track.clone())),
            ServerMessage::Delivery(delivery) => Some(Self::Delivery(delivery.link.clone(), delivery.track.clone())),
            ServerMessage::Quality(quality) => Some(Self::Quality(quality.participant.clone())),
            ServerMessage::Speakers(_) => Some(Self::Speakers),
            _ => None,
        }
    }
}

/// Writes frames; a message that goes to many is turned into JSON once.
#[derive(Default)]
pub(crate) struct Writer {
    last: Option<(Arc<ServerMessage>, String)>,
}

impl Writer {
    pub(crate) fn text(&mut self, re: Option<RequestId>, s: Option<Seq>, message: &Arc<ServerMessage>) -> Utf8Bytes {
        let body = match &self.last {
            Some((last, body)) if Arc::ptr_eq(last, message) => body,
            _ => {
                let body = body(message);
                &self.last.insert((message.clone(), body)).1
            }
        };
        envelope(re, s, body)
    }
}

/// One frame.
pub(crate) fn text(re: Option<RequestId>, message: &ServerMessage) -> Utf8Bytes {
    envelope(re, None, &body(message))
}

fn body(message: &ServerMessage) -> String {
    serde_json::to_string(message).expect("a message has string keys and no failing serialisers")
}

/// Puts `re` and `s` into a message, which is an object with at least a `t`.
fn envelope(re: Option<RequestId>, s: Option<Seq>, body: &str) -> Utf8Bytes {
    use std::fmt::Write;
    let mut text = String::with_capacity(body.len() + 48);
    text.push('{');
    // Writing to a String cannot fail.
    if let Some(re) = re {
        let _ = write!(text, "\"re\":{re},");
    }
    if let Some(s) = s {
        let _ = write!(text, "\"s\":{s},");
    }
    text.push_str(body.strip_prefix('{').unwrap_or(body));
    text.into()
}

#[cfg(test)]
mod tests {
    use madang_protocol::{ConnectionQuality, Delivery, DeliveryReason, Pong, Quality, ServerFrame, Speakers};

    use super::*;

    fn quality(who: &str, quality: ConnectionQuality) -> ServerMessage {
        ServerMessage::Quality(Quality { participant: who.into(), quality })
    }

    fn delivery(track: &str, paused: bool) -> ServerMessage {
        ServerMessage::Delivery(Delivery {
            link: "l_1".into(),
            track: track.into(),
            paused,
            layer: None,
            height: None,
            temporal: None,
            available_bps: None,
            reason: if paused { DeliveryReason::Bandwidth } else { DeliveryReason::Best },
        })
    }

    fn push(outbox: &Outbox, message: &ServerMessage) {
        outbox.push(message, text(None, message));
    }

    #[test]
    fn a_frame_is_what_the_protocol_says_it_is() {
        let message = Arc::new(ServerMessage::Pong(Pong {}));
        for (re, s) in
            [(None, None), (Some(RequestId(7)), None), (None, Some(Seq(9))), (Some(RequestId(7)), Some(Seq(9)))]
        {
            let text = Writer::default().text(re, s, &message);
            let frame: ServerFrame = serde_json::from_str(&text).expect("is a frame");
            assert_eq!(frame, ServerFrame { re, s, message: (*message).clone() });
        }
    }

    #[test]
    fn newer_news_of_a_topic_replace_older_ones() {
        let outbox = Outbox::new(ConnectionId(1), 1000, 10);
        push(&outbox, &quality("p_a", ConnectionQuality::Good));
        push(&outbox, &quality("p_b", ConnectionQuality::Good));
        for _ in 0..100 {
            push(&outbox, &quality("p_a", ConnectionQuality::Poor));
            push(&outbox, &ServerMessage::Speakers(Speakers::default()));
        }
        let batch = outbox.take();
        assert_eq!(batch.end, None);
        let expected = [
            quality("p_b", ConnectionQuality::Good),
            quality("p_a", ConnectionQuality::Poor),
            ServerMessage::Speakers(Speakers::default()),
        ];
        assert_eq!(batch.texts, expected.map(|message| text(None, &message)));
    }

    #[test]
    fn deliveries_replace_older_ones_of_the_same_track_alone() {
        let outbox = Outbox::new(ConnectionId(1), 1000, 10);
        for message in [delivery("t_a", true), delivery("t_b", true), delivery("t_a", false)] {
            push(&outbox, &message);
        }
        let expected = [delivery("t_b", true), delivery("t_a", false)];
        assert_eq!(outbox.take().texts, expected.map(|message| text(None, &message)));
    }

    #[test]
    fn too_many_frames_or_bytes_end_it_and_free_what_waited() {
        for (bytes, frames) in [(100_000, 10), (100, 1000)] {
            let outbox = Outbox::new(ConnectionId(1), bytes, frames);
            for _ in 0..11 {
                push(&outbox, &ServerMessage::Pong(Pong {}));
            }
            let batch = outbox.take();
            assert_eq!((batch.end, batch.texts.len()), (Some(End::Slow), 0));
            push(&outbox, &ServerMessage::Pong(Pong {}));
            assert!(outbox.take().texts.is_empty());
        }
    }

    #[test]
    fn what_was_pushed_before_the_close_comes_out() {
        let outbox = Outbox::new(ConnectionId(1), 1000, 10);
        push(&outbox, &ServerMessage::Pong(Pong {}));
        outbox.close();
        push(&outbox, &ServerMessage::Pong(Pong {}));
        let batch = outbox.take();
        assert_eq!((batch.end, batch.texts.len()), (Some(End::Closed), 1));
    }
}
