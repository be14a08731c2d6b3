//! What `madang join` says while it runs: one line for each event, in words or as JSON.

use std::io::Write;

use madang_client::{
    participant::{DataChannel, Event, kind_name},
    signaling::{self, Roster},
};
use madang_protocol::{LinkEvent, MixEvent, ServerMessage, Topology, TrackInfo, TrackKind};
use serde_json::{Value, json};

/// An event, as both.
pub(crate) struct Line {
    pub(crate) words: String,
    pub(crate) json: Value,
}

impl Line {
    fn new(words: impl Into<String>, json: Value) -> Self {
        Self { words: words.into(), json }
    }

    /// Writes it to standard output. Whoever reads may have gone away; the call goes on.
    pub(crate) fn print(&self, as_json: bool) {
        let mut out = std::io::stdout().lock();
        let _ = if as_json { writeln!(out, "{}", self.json) } else { writeln!(out, "{}", self.words) };
    }
}

/// What an event is to be told as; nothing for those that come too often.
pub(crate) fn line(event: &Event, roster: &Roster) -> Option<Line> {
    Some(match event {
        Event::Signaling(said) => return signaling_line(said, roster),
        Event::Connected(link) => {
            Line::new(format!("connected: link {link}"), json!({"event": "connected", "link": link}))
        }
        Event::Path(link, path) => {
            let (local, remote) = (kind_name(path.local), kind_name(path.remote));
            let peer = roster.link(link).and_then(|open| open.peer.as_ref());
            Line::new(
                format!("link {link} to {} goes by {} ({local} to {remote})", name(roster, peer), path.name()),
                json!({"event": "path", "link": link, "peer": peer, "path": path.name(), "local": local, "remote": remote}),
            )
        }
        Event::PathLost(link) => Line::new(
            format!("link {link}: the path is lost; looking for another"),
            json!({"event": "path_lost", "link": link}),
        ),
        Event::RelayOpened(at, transport) => Line::new(
            format!("relay: {at}, over {}", transport.name()),
            json!({"event": "relay", "address": at, "transport": transport.name()}),
        ),
        Event::RelayFailed(why) => Line::new(format!("no relay: {why}"), json!({"event": "no_relay", "why": why})),
        Event::LinkFailed(link, why) => Line::new(
            format!("link {link} failed: {why}; asking for another"),
            json!({"event": "link_failed", "link": link, "why": why}),
        ),
        Event::TrackBegins(track, codec) => Line::new(
            format!("receiving {track} of {}: {}", owner(roster, track), codec.name()),
            json!({"event": "receiving", "track": track, "participant": owner_id(roster, track), "codec": codec.name()}),
        ),
        Event::Data { from, channel, topic, bytes } => {
            let channel = if *channel == DataChannel::Reliable { "reliable" } else { "lossy" };
            let words = format!("data: {} bytes from {}, {channel}", bytes.len(), name(roster, from.as_ref()));
            let text = String::from_utf8_lossy(bytes);
            let json = json!({"event": "data", "from": from, "channel": channel, "topic": topic, "bytes": bytes.len(), "text": text});
            Line::new(words, json)
        }
        Event::Frame(..) => return None,
    })
}

/// Events that the protocol has are told in JSON as the protocol writes them, with `event`
/// before `t`.
fn protocol(name: &str, message: ServerMessage) -> Value {
    let mut value = serde_json::to_value(message).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("t");
        fields.insert("event".into(), name.into());
    }
    value
}

fn signaling_line(event: &signaling::Event, roster: &Roster) -> Option<Line> {
    use signaling::Event as Said;
    Some(match event {
        Said::Joined { me, room, .. } => Line::new(
            format!("joined {} as {} ({})", room.name, me.name, me.id),
            json!({"event": "joined", "room": room.name, "participant": me.id, "role": me.role, "codecs": room.codecs}),
        ),
        Said::Reconnecting => Line::new("signaling lost; reconnecting", json!({"event": "reconnecting"})),
        Said::Resumed => Line::new("signaling resumed", json!({"event": "resumed"})),
        Said::ParticipantJoined(who) => Line::new(
            format!("{} came ({})", who.name, who.id),
            json!({"event": "participant_joined", "participant": who.id, "name": who.name, "role": who.role}),
        ),
        Said::ParticipantLeft(who, reason) => Line::new(
            format!("{} left", who.name),
            json!({"event": "participant_left", "participant": who.id, "reason": reason}),
        ),
        Said::TrackAdded(who, track) => track_line("published", "track_added", who, track, roster),
        Said::TrackChanged(who, track) => {
            let words = if track.muted { "muted" } else { "unmuted" };
            track_line(words, "track_changed", who, track, roster)
        }
        Said::TrackRemoved(who, track) => track_line("withdrew", "track_removed", who, track, roster),
        Said::LinkOpened(open) => Line::new(
            format!("link {} opens ({})", open.link, topology_name(open.kind)),
            protocol("link", ServerMessage::Link(LinkEvent::Open(open.clone()))),
        ),
        Said::LinkClosed(link) => {
            Line::new(format!("link {link} closes"), json!({"event": "link", "op": "close", "link": link}))
        }
        Said::Delivery(delivery) => {
            let layer = match (&delivery.layer, delivery.paused) {
                (_, true) => "paused".to_owned(),
                (Some(layer), false) => format!("layer {layer}"),
                (None, false) => "the only layer".to_owned(),
            };
            let reason = serde_json::to_value(delivery.reason).unwrap_or_default();
            Line::new(
                format!("{} comes as {layer}: {}", delivery.track, reason.as_str().unwrap_or("?")),
                protocol("delivery", ServerMessage::Delivery(delivery.clone())),
            )
        }
        Said::Mix(mix) => Line::new(
            if mix.is_some() { "the server sends one mix of everybody" } else { "everybody's tracks are forwarded" },
            protocol("mix", ServerMessage::Mix(MixEvent { mix: mix.clone() })),
        ),
        Said::MixState(_) => return None,
        Said::Bitrate(bitrate) => {
            Line::new("a limit of what to send", protocol("bitrate", ServerMessage::Bitrate(bitrate.clone())))
        }
        Said::Chat(chat) => Line::new(
            format!("{}: {}", name(roster, Some(&chat.from)), chat.text),
            protocol("chat", ServerMessage::Chat(chat.clone())),
        ),
        Said::Data(data) => Line::new(
            format!("data by signaling from {}", name(roster, Some(&data.from))),
            protocol("data", ServerMessage::Data(data.clone())),
        ),
        Said::Topology(topology) => Line::new(
            format!("the room moves to {}: {}", topology_name(topology.kind), topology.reason),
            protocol("topology", ServerMessage::Topology(topology.clone())),
        ),
        Said::Refused(_, failure) => Line::new(
            format!("refused: {} ({})", failure.message, failure.code.as_str()),
            json!({"event": "refused", "code": failure.code, "message": failure.message}),
        ),
        Said::Ended(end) => Line::new(end.to_string(), json!({"event": "ended", "message": end.to_string()})),
        Said::ParticipantChanged(_)
        | Said::Negotiate(_)
        | Said::Description(_)
        | Said::Candidate(_)
        | Said::Speakers(_)
        | Said::Quality(_)
        | Said::Room(_)
        | Said::IceServers(_) => return None,
    })
}

fn topology_name(topology: Topology) -> &'static str {
    match topology {
        Topology::Mesh => "mesh",
        Topology::Sfu => "sfu",
        Topology::Mcu => "mcu",
    }
}

fn track_line(
    words: &str,
    event: &str,
    who: &madang_protocol::ParticipantId,
    track: &TrackInfo,
    roster: &Roster,
) -> Line {
    let kind = if track.kind == TrackKind::Audio { "sound" } else { "a picture" };
    Line::new(
        format!("{} {words} {kind} ({})", name(roster, Some(who)), track.id),
        json!({"event": event, "participant": who, "track": track}),
    )
}

/// A participant's name, as far as it is known.
pub(crate) fn name(roster: &Roster, id: Option<&madang_protocol::ParticipantId>) -> String {
    let Some(id) = id else { return "?".into() };
    let known = roster.participants().find(|participant| participant.id == *id);
    known.map_or_else(|| id.to_string(), |participant| participant.name.clone())
}

/// The name of a track's publisher.
fn owner(roster: &Roster, track: &madang_protocol::TrackId) -> String {
    roster.track(track).map_or_else(|| "?".into(), |(owner, _)| owner.name.clone())
}

fn owner_id(roster: &Roster, track: &madang_protocol::TrackId) -> Option<String> {
    roster.track(track).map(|(owner, _)| owner.id.to_string())
}
