//! The room: inputs come in here and go to the part that knows them; messages go out here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use madang_protocol::{
    BitsPerSecond, Bye, ByeAction, ClientFrame, ClientMessage, Codecs, Done, Epoch, ErrorCode, MediaCommand,
    ParticipantId, Pong, RequestId, RoomInfo, RoomName, Seq, ServerMessage, Topology, TopologyPolicy,
};

use crate::{
    codecs,
    departed::Departed,
    entry::Arrival,
    ids::Ids,
    io::{Census, ConnectionId, Input, OutFrame, Output},
    kicked::Kicked,
    link::LinkPlan,
    mix::MixTracks,
    refusal::Refusal,
    roster::{Order, Roster},
    settings::Settings,
};

/// A room and everyone in it.
pub struct Room {
    pub(crate) name: RoomName,
    pub(crate) settings: Arc<Settings>,
    pub(crate) policy: TopologyPolicy,
    /// How media travels now.
    pub(crate) topology: Topology,
    pub(crate) epoch: Epoch,
    /// When a host moved it last.
    pub(crate) moved: Option<Instant>,
    pub(crate) locked: bool,
    /// The limit that a host set for everyone.
    pub(crate) host_limit: Option<BitsPerSecond>,
    pub(crate) codecs: Codecs,
    /// The video codec of the links to the server in a room that it forwards for: one for all,
    /// since nothing is transcoded.
    pub(crate) forwarded_codec: Option<String>,
    pub(crate) mix_tracks: MixTracks,
    /// Why the mixer takes no more viewers, while it takes none.
    pub(crate) mixer_full: Option<String>,
    /// Who speaks, as the media server said last.
    pub(crate) speakers: Vec<ParticipantId>,
    pub(crate) ids: Ids,
    /// The time of the input at hand; `None` before the first.
    pub(crate) now: Option<Instant>,
    pub(crate) roster: Roster,
    pub(crate) links: LinkPlan,
    pub(crate) kicked: Kicked,
    /// Those who may come back as who they were.
    pub(crate) departed: Departed,
    pub(crate) timers: BTreeMap<Timer, Instant>,
    /// `retry_after_ms`, once the server goes down.
    draining: Option<u32>,
    /// Links, limits or measurements changed since bit rates were last looked at.
    pub(crate) bitrates_stale: bool,
    /// The media server holds something of this room.
    media_is_used: bool,
    outputs: VecDeque<Output>,
}

/// Why a time-out fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A lost participant's grace is over.
    Grace(Order),
    /// A participant may be told of its bit rates (again).
    Bitrate(Order),
    /// The grace of somebody whose page closed is over.
    Departed,
    /// A participant's link to the server that is broken or has the wrong codec is old enough to be
    /// replaced.
    Mend(Order),
    /// A participant's mix may change again.
    Mix(Order),
}

/// How a request that was not refused is answered.
pub(crate) enum Answer {
    /// With `ok`, where it has an id.
    Ok(Done),
    /// It has been answered, or needs no answer.
    Nothing,
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Ok(Done::default())
    }
}

impl Room {
    /// An empty room. `seed` feeds the generator of identifiers and resume secrets: take it
    /// from the system's. `policy` holds where the first to join wishes for no other.
    #[must_use]
    pub fn new(name: RoomName, settings: Arc<Settings>, seed: [u8; 32], policy: TopologyPolicy) -> Self {
        let mut ids = Ids::new(seed);
        Self {
            name,
            settings,
            policy,
            topology: Topology::Mesh,
            epoch: Epoch(0),
            moved: None,
            locked: false,
            host_limit: None,
            codecs: Codecs::default(),
            forwarded_codec: None,
            mix_tracks: MixTracks::new(&mut ids),
            mixer_full: None,
            speakers: Vec::new(),
            ids,
            now: None,
            roster: Roster::default(),
            links: LinkPlan::default(),
            kicked: Kicked::default(),
            departed: Departed::default(),
            timers: BTreeMap::new(),
            draining: None,
            bitrates_stale: false,
            media_is_used: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes something in. Drain [`Self::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = Some(now);
        match input {
            Input::Join { connection, request, hello, grant, ice_servers } => {
                self.join(Arrival { connection, request, hello, grant, ice_servers });
            }
            Input::Message { connection, frame, unix_ms } => self.message(connection, frame, unix_ms),
            Input::Disconnected { connection, page_closed: false } => self.disconnected(now, connection),
            Input::Disconnected { connection, page_closed: true } => self.page_closed(now, connection),
            Input::Media(event) => self.media_event(event),
            Input::Timeout => {}
            Input::Drain { retry_after_ms } => self.drain(retry_after_ms),
        }
        self.fire_timers(now);
        if self.is_deserted() && std::mem::take(&mut self.media_is_used) {
            self.mixer_full = None;
            self.outputs.push_back(Output::Media(MediaCommand::End));
        }
    }

    /// The next thing to do. [`Output::Timeout`] is the last of a drain.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.values().min().copied()))
    }

    /// Nobody is inside and nobody can come back: the room can be dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_deserted() && self.outputs.is_empty()
    }

    fn is_deserted(&self) -> bool {
        self.roster.is_empty() && self.departed.is_empty()
    }

    /// Counts for metrics.
    #[must_use]
    pub fn census(&self) -> Census {
        Census {
            topology: self.topology,
            participants: self.roster.len(),
            present: self.roster.iter().filter(|participant| participant.is_present()).count(),
            links: self.links.len(),
        }
    }

    /// The names of those present, in the order in which they came.
    #[must_use]
    pub fn roster(&self) -> Vec<String> {
        let present = self.roster.iter().filter(|participant| participant.is_present());
        present.map(|participant| participant.info.name.clone()).collect()
    }

    fn message(&mut self, connection: ConnectionId, frame: ClientFrame, unix_ms: u64) {
        let Some(order) = self.roster.by_connection(connection) else {
            return; // It was closed; what it sent before it knew has no effect.
        };
        if let Some(participant) = self.roster.get_mut(order) {
            participant.session.spoke(frame.id);
        }
        match self.dispatch(order, frame, unix_ms) {
            Ok((re, Answer::Ok(done))) if re.is_some() => self.reply(connection, re, ServerMessage::Ok(done)),
            Ok(_) => {}
            Err((re, refusal)) => self.reply(connection, re, ServerMessage::Error(refusal.into_failure(false))),
        }
    }

    fn dispatch(
        &mut self,
        order: Order,
        frame: ClientFrame,
        unix_ms: u64,
    ) -> Result<(Option<RequestId>, Answer), (Option<RequestId>, Refusal)> {
        let re = frame.id;
        let answer = match frame.message {
            ClientMessage::Hello(_) => Err(Refusal::AlreadyJoined),
            ClientMessage::Desc(desc) => self.relay_description(order, desc).map(Answer::from),
            ClientMessage::Ice(ice) => self.relay_candidate(order, ice).map(Answer::from),
            ClientMessage::Restart(restart) => self.restart(order, &restart).map(Answer::from),
            ClientMessage::Publish(publish) => self.publish(order, &publish.track).map(Answer::Ok),
            ClientMessage::Unpublish(unpublish) => self.unpublish(order, &unpublish.track).map(Answer::from),
            ClientMessage::Mute(mute) => self.mute(order, &mute).map(Answer::from),
            ClientMessage::Subscribe(subscribe) => self.subscribe(order, &subscribe).map(Answer::from),
            ClientMessage::TakeMix(take) => self.take_mix(order, take).map(Answer::from),
            ClientMessage::Chat(line) => self.chat(order, line, unix_ms).map(Answer::from),
            ClientMessage::Data(data) => self.data(order, data).map(Answer::from),
            ClientMessage::State(state) => self.change_state(order, state).map(Answer::from),
            ClientMessage::Mod(moderation) => self.moderate(order, moderation).map(Answer::from),
            ClientMessage::Stats(stats) => Ok(self.take_report(order, &stats)),
            ClientMessage::Ack(ack) => Ok(self.acknowledge(order, ack.s)),
            ClientMessage::Ping(_) => Ok(self.pong(order, re)),
            ClientMessage::Leave(_) => Ok(self.leave(order, re)),
        };
        answer.map(|answer| (re, answer)).map_err(|refusal| (re, refusal))
    }

    fn fire_timers(&mut self, now: Instant) {
        self.settle_bitrates(now);
        while let Some(timer) = self.timers.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer) {
            self.timers.remove(&timer);
            match timer {
                Timer::Grace(order) => self.grace_over(order),
                Timer::Bitrate(order) => self.tell_bitrates(now, order),
                Timer::Departed => self.departed_over(now),
                Timer::Mend(order) => self.mend_server_link(order),
                Timer::Mix(order) => self.take_next_mix(order),
            }
            self.settle_bitrates(now);
        }
    }

    fn drain(&mut self, retry_after_ms: u32) {
        self.draining = Some(retry_after_ms);
        let bye = Arc::new(ServerMessage::Bye(Bye {
            action: ByeAction::Rejoin,
            code: Some(ErrorCode::ServerDraining),
            message: "The server is shutting down; join again shortly.".to_owned(),
            retry_after_ms: Some(retry_after_ms),
        }));
        for order in self.roster.orders() {
            if let Some(connection) = self.roster.remove(order).and_then(|gone| gone.session.connection()) {
                self.send(connection, None, Arc::clone(&bye));
                self.close(connection);
            }
        }
        self.links = LinkPlan::default();
        self.departed.clear();
        self.timers.clear();
    }

    pub(crate) fn refuse_while_draining(&self) -> Result<(), Refusal> {
        self.draining.map_or(Ok(()), |retry_after_ms| Err(Refusal::Draining { retry_after_ms }))
    }

    fn acknowledge(&mut self, order: Order, s: Seq) -> Answer {
        if let Some(participant) = self.roster.get_mut(order) {
            participant.session.ring.acknowledge(s);
        }
        Answer::from(())
    }

    fn pong(&mut self, order: Order, re: Option<RequestId>) -> Answer {
        if let Some(connection) = self.roster.get(order).and_then(|participant| participant.session.connection()) {
            self.reply(connection, re, ServerMessage::Pong(Pong {}));
        }
        Answer::Nothing
    }

    /// The room as everyone sees it.
    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            name: self.name.clone(),
            locked: self.locked,
            codecs: self.codecs.clone(),
            max_send_bps: self.send_limit(),
        }
    }

    /// The most that each participant may send, from config and hosts.
    pub(crate) fn send_limit(&self) -> Option<BitsPerSecond> {
        self.settings.max_send_bps.into_iter().chain(self.host_limit).min()
    }

    pub(crate) fn tell_room(&mut self) {
        let message = ServerMessage::Room(self.info());
        self.broadcast(message);
    }

    /// Finds the common codecs anew, after someone came or left.
    pub(crate) fn settle_codecs(&mut self) {
        let everyone = self.roster.iter().map(|participant| &participant.capabilities.codecs);
        let mut codecs = codecs::common(everyone, &self.settings.codecs);
        if self.topology == Topology::Sfu {
            codecs::keep_first(&mut codecs.video, self.forwarded_codec.as_deref());
        }
        if codecs != self.codecs {
            self.codecs = codecs;
            self.tell_room();
        }
        self.settle_forwarded_codec();
    }

    /// An event for everyone: numbered, kept for a replay, sent to those connected.
    pub(crate) fn broadcast(&mut self, message: ServerMessage) {
        let message = Arc::new(message);
        for order in self.roster.orders() {
            self.emit(order, Arc::clone(&message));
        }
    }

    /// An event for one participant. While its `welcome` is being made it gets none: what
    /// happens then is in the `welcome`.
    pub(crate) fn emit(&mut self, to: Order, message: Arc<ServerMessage>) {
        let Some(participant) = self.roster.get_mut(to) else { return };
        if participant.session.attachment == crate::session::Attachment::Joining {
            return;
        }
        let s = participant.session.ring.push(Arc::clone(&message));
        if let Some(connection) = participant.session.connection() {
            self.outputs.push_back(Output::Send { connection, frame: OutFrame { re: None, s: Some(s), message } });
        }
    }

    /// A message that is not an event: only for those connected, never replayed.
    pub(crate) fn tell(&mut self, to: Order, message: Arc<ServerMessage>) {
        if let Some(connection) = self.roster.get(to).and_then(|participant| participant.session.connection()) {
            self.send(connection, None, message);
        }
    }

    pub(crate) fn reply(&mut self, connection: ConnectionId, re: Option<RequestId>, message: ServerMessage) {
        self.send(connection, re, Arc::new(message));
    }

    fn send(&mut self, connection: ConnectionId, re: Option<RequestId>, message: Arc<ServerMessage>) {
        self.outputs.push_back(Output::Send { connection, frame: OutFrame { re, s: None, message } });
    }

    /// Sends an event again, under its own number.
    pub(crate) fn replay(&mut self, connection: ConnectionId, s: Seq, message: Arc<ServerMessage>) {
        self.outputs.push_back(Output::Send { connection, frame: OutFrame { re: None, s: Some(s), message } });
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        self.media_is_used = true;
        self.outputs.push_back(Output::Media(command));
    }

    pub(crate) fn close(&mut self, connection: ConnectionId) {
        self.outputs.push_back(Output::Close { connection });
    }
}
