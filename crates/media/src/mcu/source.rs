//! A source's pictures on their way to its decoder: the smallest layer that will do, whole frames in
//! order, each when its sound is heard.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_mixer::{canvas::AVATAR_AFTER, picture::Picture};

use super::{
    Codecs,
    decode::{DecodeWork, Generation},
    sync::{self, Heard, Hold},
};
use crate::{
    frames::{Arrival, Assembler, Continuity, Frame, Packet},
    payload::PayloadInfo,
    session::{LayerId, MediaPacket, Orientation, SenderReport, VideoCodec},
    sfu::{
        layers::LayerSet,
        select::{LayerSelector, Target, Verdict},
    },
};

/// A frame goes to the decoder this much before it is to be shown.
const DECODE_AHEAD: Duration = Duration::from_millis(8);
/// Frames that wait at most: a decoder that is so far behind begins again with a keyframe.
const MOST_WAITING: usize = 45;
/// Frames that one job decodes at most: others' jobs wait behind it.
const MOST_AT_ONCE: usize = 8;
/// A source whose decoding takes more than this share of a core, in percent of the time that has
/// passed over a while, is shown by its keyframes alone for some time.
const DEAR_PERCENT: u32 = 50;
const DEAR_WINDOW: Duration = Duration::from_secs(2);
const DEAR_FOR: Duration = Duration::from_secs(10);
/// A layer that is this much too small for its tile is still taken, in percent: nobody sees that.
const ENOUGH_PERCENT: usize = 95;

/// What a packet is about, beside itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Video<'a> {
    pub(crate) info: &'a PayloadInfo,
    pub(crate) codec: VideoCodec,
    /// The layers that are sent at present.
    pub(crate) live: LayerSet,
}

/// A picture's source.
pub(super) struct VideoSource {
    pub(super) link: usize,
    pub(super) is_screen: bool,
    pub(super) muted: bool,
    /// The height that it is shown in at most, in samples of the largest picture; 0 for nowhere.
    needed: usize,
    selector: LayerSelector,
    codec: Option<VideoCodec>,
    stream: Option<Assembler>,
    continuity: Continuity,
    waiting: VecDeque<(Instant, Frame)>,
    report: Option<SenderReport>,
    orientation: Option<Orientation>,
    hold: Hold,
    generation: Generation,
    decoder: Decoder,
    dear: Dear,
    latest: Option<(Instant, Arc<Picture>)>,
    /// Grows with each picture.
    pub(super) version: u64,
    /// The picture before the latest, for the decoder to write into once nobody looks at it.
    former: Option<Arc<Picture>>,
}

/// Follows what a source's decoding takes.
#[derive(Clone, Copy, Debug, Default)]
struct Dear {
    since: Option<Instant>,
    spent: Duration,
    until: Option<Instant>,
}

impl Dear {
    fn spent(&mut self, now: Instant, took: Duration) {
        let since = *self.since.get_or_insert(now);
        self.spent += took;
        let passed = now.saturating_duration_since(since);
        if passed < DEAR_WINDOW {
            return;
        }
        if self.spent * 100 > passed * DEAR_PERCENT {
            self.until = Some(now + DEAR_FOR);
        }
        (self.since, self.spent) = (Some(now), Duration::ZERO);
    }

    fn is_now(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

enum Decoder {
    None,
    Home(Box<DecodeWork>),
    Away,
}

impl VideoSource {
    /// `number` is nobody else's.
    pub(super) fn new(number: u64, link: usize, is_screen: bool, muted: bool) -> Self {
        Self {
            link,
            is_screen,
            muted,
            needed: 0,
            selector: LayerSelector::default(),
            codec: None,
            stream: None,
            continuity: Continuity::default(),
            waiting: VecDeque::new(),
            report: None,
            orientation: None,
            hold: Hold::default(),
            generation: (number, 0),
            decoder: Decoder::None,
            dear: Dear::default(),
            latest: None,
            version: 0,
            former: None,
        }
    }

    /// Its shape, once a picture has come.
    pub(super) fn aspect(&self) -> Option<f64> {
        self.latest.as_ref().map(|(_, picture)| picture.width() as f64 / picture.height() as f64)
    }

    /// How long its sound is to wait for it from now on, if that has changed.
    pub(super) fn hold(&mut self, now: Instant) -> Option<Duration> {
        self.hold.news(now)
    }

    /// No sound waits for it.
    pub(super) fn forget_hold(&mut self) {
        self.hold = Hold::default();
    }

    /// Its newest picture. Of a camera that was not looked at for long it tells nothing of now.
    pub(super) fn latest(&self, now: Instant) -> Option<&Arc<Picture>> {
        let (at, picture) = self.latest.as_ref()?;
        (self.is_screen || now.saturating_duration_since(*at) < AVATAR_AFTER).then_some(picture)
    }

    /// How high it is shown at most from now on; 0 for nowhere.
    pub(super) fn need(&mut self, height: usize) {
        self.needed = height;
        if height == 0 {
            self.selector.set_target(None);
            self.rest();
        }
    }

    pub(super) fn needed(&self) -> usize {
        if self.muted { 0 } else { self.needed }
    }

    /// Grows from source to source of a mixer.
    pub(super) fn number(&self) -> u64 {
        self.generation.0
    }

    /// Nothing is decoded any more until a keyframe comes.
    fn rest(&mut self) {
        self.stream = None;
        self.waiting.clear();
        self.continuity = Continuity::default();
        self.forget_decoder();
    }

    /// What the decoder has so far is of no use. One that is away is given up when it is back: a
    /// source has one job at a time, whatever it sends.
    fn forget_decoder(&mut self) {
        self.generation.1 += 1;
        if matches!(self.decoder, Decoder::Home(_)) {
            self.decoder = Decoder::None;
        }
    }

    /// Chooses the layer. `heights` are those of all layers, as far as they are known.
    pub(super) fn choose(&mut self, heights: &[Option<u32>], live: LayerSet) {
        if self.needed() == 0 {
            return self.selector.set_target(None);
        }
        let fills = |layer: &LayerId| {
            let height = heights.get(usize::from(layer.0)).copied().flatten();
            height.is_some_and(|height| height as usize * 100 >= self.needed * ENOUGH_PERCENT)
        };
        let all = LayerSet::lowest(heights.len());
        // What is not sent yet can be asked for; where nothing fills it, the largest comes nearest.
        let wanted = all.iter().find(fills).or_else(|| all.iter().next_back());
        let is_known = heights.iter().all(Option::is_some);
        let wanted = if is_known { wanted } else { live.iter().next_back().or(wanted) };
        self.selector.set_target(wanted.map(|layer| Target { layer, temporal: None }));
    }

    /// What it gets, and what it is to get.
    pub(super) fn layers(&self) -> (Option<LayerId>, Option<LayerId>) {
        (self.selector.current(), self.selector.target().map(|target| target.layer))
    }

    /// The layer that a keyframe is needed of.
    pub(super) fn wants_keyframe(&self, live: LayerSet) -> Option<LayerId> {
        let to_begin = self.selector.want_keyframe(live);
        let to_go_on = || self.selector.current().filter(|_| self.continuity.needs_keyframe());
        to_begin.or_else(to_go_on)
    }

    pub(super) fn packet(&mut self, now: Instant, packet: &MediaPacket, video: &Video<'_>, heard: Option<Heard>) {
        let verdict = self.selector.packet(packet.layer, packet.timestamp, video.info, video.live);
        match verdict {
            Verdict::Begin => self.begin(video.codec),
            Verdict::Forward if self.codec != Some(video.codec) => self.begin(video.codec),
            Verdict::Forward => {}
            Verdict::LeaveOut | Verdict::Ignore => return,
        }
        // Each layer has time stamps of its own.
        self.report = packet.report.or(self.report.filter(|_| verdict != Verdict::Begin));
        // The last packet of a turned picture says so; one that stands upright need not.
        if packet.orientation.is_some() || (packet.marker && video.info.keyframe) {
            self.orientation = packet.orientation;
        }
        if let Some(stream) = &mut self.stream {
            stream.push(Packet {
                sequence: packet.seq,
                timestamp: packet.timestamp,
                is_marked: packet.marker,
                payload: Arc::clone(&packet.payload),
                at: now,
            });
        }
        self.take_frames(heard);
    }

    fn begin(&mut self, codec: VideoCodec) {
        if self.codec != Some(codec) {
            self.forget_decoder();
            self.waiting.clear();
        }
        self.codec = Some(codec);
        self.stream = Some(Assembler::new(codec.into()));
        self.continuity = Continuity::default();
    }

    fn take_frames(&mut self, heard: Option<Heard>) {
        let (Some(stream), Some(codec)) = (&mut self.stream, self.codec) else { return };
        let codec = crate::frames::Codec::from(codec);
        while let Some(arrival) = stream.poll() {
            let Arrival::Frame(frame) = arrival else {
                self.continuity.lose();
                continue;
            };
            let is_keyframe = codec.is_keyframe(&frame.data);
            if !self.continuity.accept(frame.info, is_keyframe) {
                continue;
            }
            if !is_keyframe && self.dear.is_now(frame.at) {
                self.continuity = Continuity::default();
                continue;
            }
            if self.waiting.len() >= MOST_WAITING {
                self.waiting.clear();
                self.continuity = Continuity::default();
                continue;
            }
            self.hold.picture((frame.at, DECODE_AHEAD), frame.timestamp, self.report, heard);
            let at = sync::show_at(frame.at, frame.timestamp, self.report, heard);
            // In order, whatever the reports say.
            let at = self.waiting.back().map_or(at, |(before, _)| at.max(*before));
            self.waiting.push_back((at, frame));
        }
    }

    /// Gives up what has not come.
    pub(super) fn handle_timeout(&mut self, now: Instant, heard: Option<Heard>) {
        if let Some(stream) = &mut self.stream {
            stream.handle_timeout(now);
            self.take_frames(heard);
        }
    }

    /// What is to be decoded now.
    pub(super) fn work(&mut self, now: Instant, key: usize, codecs: &Arc<dyn Codecs>) -> Option<Box<DecodeWork>> {
        let due = |(at, _): &(Instant, Frame)| *at <= now + DECODE_AHEAD;
        if matches!(self.decoder, Decoder::Away) || !self.waiting.front().is_some_and(due) {
            return None;
        }
        let mut work = match std::mem::replace(&mut self.decoder, Decoder::Away) {
            Decoder::Home(work) => work,
            _ => Box::new(DecodeWork::new(key, self.generation, Arc::clone(codecs), self.codec?)),
        };
        while work.frames.len() < MOST_AT_ONCE
            && let Some((_, frame)) = self.waiting.pop_front_if(|waiting| due(waiting))
        {
            work.frames.push(frame.data);
        }
        work.orientation = self.orientation;
        work.spare = self.former.take().and_then(|former| Arc::try_unwrap(former).ok());
        Some(work)
    }

    /// The decoder is back. Says whether it brings a picture.
    pub(super) fn back(&mut self, now: Instant, mut work: Box<DecodeWork>, (took, failed): (Duration, bool)) -> bool {
        if work.generation.0 != self.generation.0 {
            return false;
        }
        if failed || work.generation != self.generation {
            self.decoder = Decoder::None;
            self.skip_to_keyframe();
            return false;
        }
        self.dear.spent(now, took);
        if let Some(why) = &work.fault {
            tracing::debug!(%why, "a picture was not decoded");
            self.skip_to_keyframe();
        }
        let picture = work.picture.take();
        self.decoder = Decoder::Home(work);
        let is_new = picture.is_some();
        if let Some(picture) = picture {
            self.version += 1;
            self.former = self.latest.replace((now, Arc::new(picture))).map(|(_, former)| former);
        }
        is_new
    }

    fn skip_to_keyframe(&mut self) {
        let Some(codec) = self.codec.map(crate::frames::Codec::from) else { return };
        match self.waiting.iter().position(|(_, frame)| codec.is_keyframe(&frame.data)) {
            Some(place) => drop(self.waiting.drain(..place)),
            None => {
                self.waiting.clear();
                self.continuity = Continuity::default();
            }
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let gives_up = self.stream.as_ref().and_then(Assembler::timeout);
        let is_home = !matches!(self.decoder, Decoder::Away);
        let due = self.waiting.front().filter(|_| is_home).and_then(|(at, _)| at.checked_sub(DECODE_AHEAD));
        [gives_up, due].into_iter().flatten().min()
    }
}
