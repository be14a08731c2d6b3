//! The room's mixer: what comes in, what is due, what comes out.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_mixer::sound::SourceKind;
use madang_protocol::{MixLayout, MixState, MixWork, ParticipantId, Person};
use slab::Slab;

use super::{
    Job, JobKind, MixerConfig, MixerId,
    job::Work,
    load::{Level, Load},
    people::{People, Sends},
    picture::{Away, Look, MixedPicture, VideoFrame, most},
    sound::{Sound, SoundWork},
    source::{Video, VideoSource},
    studio,
    sync::Heard,
};
use crate::{
    session::{LayerId, MediaPacket, SenderReport, VideoCodec},
    sfu::{Mixing, layers::LayerSet},
};

/// How often viewers are told how their mix is made.
const TELL: Duration = Duration::from_secs(2);

/// The mix that somebody takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Take {
    pub(crate) layout: MixLayout,
    pub(crate) hide_self: bool,
    /// The codec of its picture; `None` for sound alone.
    pub(crate) codec: Option<VideoCodec>,
}

/// What comes out.
#[derive(Debug)]
pub(crate) enum MixerOutput {
    Job(Box<Job>),
    /// A packet of sound for these links.
    Sound {
        listeners: Vec<usize>,
        time: u64,
        at: Instant,
        begins: bool,
        payload: Arc<[u8]>,
    },
    /// A picture for all who get it in this codec.
    Video {
        picture: usize,
        frame: VideoFrame,
        timestamp: u64,
        at: Instant,
    },
    /// How a picture is made, for its viewers.
    State {
        picture: usize,
        state: MixState,
    },
    /// The largest layer of pictures is another than before: see [`Mixer::most`].
    Most,
    /// Whether new viewers are refused from now on, and why.
    Full(Option<String>),
}

/// A track that is mixed.
enum Source {
    Sound { link: usize, is_screen: bool, muted: bool, report: Option<SenderReport> },
    Picture(Box<VideoSource>),
}

/// What has been done, since the start or since viewers were last told.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    decode: Duration,
    picture: Duration,
    sound: Duration,
}

/// See the module.
pub(crate) struct Mixer {
    id: MixerId,
    seed: u64,
    config: MixerConfig,
    epoch: Instant,
    people: People,
    sources: BTreeMap<usize, Source>,
    /// Counts sources of pictures.
    newest_source: u64,
    sound: Sound,
    pictures: Slab<MixedPicture>,
    /// Who gets which picture, or sound alone.
    viewers: HashMap<usize, Option<(usize, VideoCodec)>>,
    /// What is heard of a link's microphone or screen, and when.
    heard: HashMap<(usize, bool), Heard>,
    /// Places may be others than they were.
    stale: bool,
    tick_at: Instant,
    tell_at: Instant,
    told_at: Instant,
    load: Load,
    spent: Spent,
    last_sound: Option<u64>,
    /// What is added to the mixer of sound's times.
    sound_base: u64,
    /// Listeners whose own tracks are others from the next job of sound on.
    renewals: Vec<usize>,
    full: bool,
    counters: Mixing,
    outputs: VecDeque<MixerOutput>,
}

impl Mixer {
    /// `seed` is for what receivers must not guess: take it from the system's.
    pub(crate) fn new(id: MixerId, config: MixerConfig, seed: u64, now: Instant) -> Self {
        Self {
            id,
            seed,
            sound: Sound::new(Arc::clone(&config.codecs), now),
            config,
            epoch: now,
            people: People::default(),
            sources: BTreeMap::new(),
            newest_source: 0,
            pictures: Slab::new(),
            viewers: HashMap::new(),
            heard: HashMap::new(),
            stale: true,
            tick_at: now,
            tell_at: now,
            told_at: now,
            load: Load::new(now),
            spent: Spent::default(),
            last_sound: None,
            sound_base: 0,
            renewals: Vec::new(),
            full: false,
            counters: Mixing::default(),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn id(&self) -> MixerId {
        self.id
    }

    /// Somebody is there, or is called otherwise.
    pub(crate) fn person(&mut self, link: usize, id: &ParticipantId, person: &Person) {
        self.people.set(link, id, person);
        self.stale = true;
    }

    /// A link is gone; its tracks are removed one by one.
    pub(crate) fn forget(&mut self, link: usize) {
        self.leave(link);
        self.people.remove(link);
        self.heard.retain(|(of, _), _| *of != link);
        self.stale = true;
    }

    pub(crate) fn add_sound(&mut self, track: usize, link: usize, is_screen: bool, muted: bool) {
        self.sound.add_source(track, kind(is_screen), muted);
        self.sources.insert(track, Source::Sound { link, is_screen, muted, report: None });
        self.let_go(link, is_screen);
        self.changed(link);
        self.renew_listener(link);
    }

    pub(crate) fn add_picture(&mut self, track: usize, link: usize, is_screen: bool, muted: bool) {
        self.newest_source += 1;
        let source = VideoSource::new(self.newest_source, link, is_screen, muted);
        self.sources.insert(track, Source::Picture(Box::new(source)));
        self.changed(link);
    }

    pub(crate) fn remove_track(&mut self, track: usize) {
        match self.sources.remove(&track) {
            Some(Source::Sound { link, .. }) => {
                self.sound.remove_source(track);
                self.changed(link);
                // It fades out first, which its owner is not to hear.
                self.renewals.push(link);
            }
            Some(Source::Picture(source)) => {
                self.let_go(source.link, source.is_screen);
                self.changed(source.link);
            }
            None => {}
        }
    }

    pub(crate) fn mute(&mut self, track: usize, now_muted: bool) {
        let link = match self.sources.get_mut(&track) {
            Some(Source::Sound { link, muted, .. }) => {
                *muted = now_muted;
                self.sound.mute(track, now_muted);
                *link
            }
            Some(Source::Picture(source)) => {
                source.muted = now_muted;
                let (link, is_screen) = (source.link, source.is_screen);
                self.let_go(link, is_screen);
                link
            }
            None => return,
        };
        self.changed(link);
    }

    /// Somebody's tracks have changed.
    fn changed(&mut self, link: usize) {
        let microphone = |source: &Source| matches!(source, Source::Sound { link: of, is_screen: false, muted: false, .. } if *of == link);
        let seen = self.seen();
        let picture = |is_screen| match self.sources.get(seen.get(&(link, is_screen))?) {
            Some(Source::Picture(source)) => Some(source),
            _ => None,
        };
        let sends = Sends {
            camera: picture(false).is_some(),
            camera_aspect: picture(false).and_then(|source| source.aspect()),
            screen_aspect: picture(true).map(|source| source.aspect().unwrap_or(16.0 / 9.0)),
            silent: !self.sources.values().any(microphone),
        };
        // Another camera of somebody's may take the place of one that is muted.
        self.stale = true;
        self.people.sends(link, sends);
    }

    /// Whose camera or screen is seen in which track: of several the newest that is not muted.
    fn seen(&self) -> HashMap<(usize, bool), usize> {
        let mut seen: HashMap<(usize, bool), (u64, usize)> = HashMap::new();
        for (track, source) in &self.sources {
            if let Source::Picture(source) = source
                && !source.muted
            {
                let newest = seen.entry((source.link, source.is_screen)).or_default();
                *newest = (*newest).max((source.number(), *track));
            }
        }
        seen.into_iter().map(|(whose, (_, track))| (whose, track)).collect()
    }

    /// Who gets a mix, or another one. Returns which picture.
    pub(crate) fn take(&mut self, now: Instant, link: usize, take: Take) -> Option<usize> {
        // The former picture goes after the new one has come, which has another key thereby.
        let picture = take.codec.map(|codec| {
            let look = Look { layout: take.layout, hidden: take.hide_self.then_some(link) };
            let known = self.pictures.iter().find(|(_, picture)| picture.look == look).map(|(key, _)| key);
            let key = known.unwrap_or_else(|| {
                let key = self.pictures.vacant_key();
                self.pictures.insert(MixedPicture::new(key, look, self.config.clone(), now))
            });
            self.seed = self.seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            self.pictures[key].watch(codec, self.seed);
            (key, codec)
        });
        self.leave_picture(link);
        let is_new = self.viewers.insert(link, picture).is_none();
        self.listen(link, is_new);
        self.stale = true;
        self.tell_at = now;
        picture.map(|(key, _)| key)
    }

    /// Somebody gets no mix any more.
    pub(crate) fn leave(&mut self, link: usize) {
        self.leave_picture(link);
        if self.viewers.remove(&link).is_some() {
            self.sound.leave(link);
        }
    }

    fn leave_picture(&mut self, link: usize) {
        let Some(Some((key, codec))) = self.viewers.get(&link).copied() else { return };
        let Some(picture) = self.pictures.get_mut(key) else { return };
        picture.leave(codec);
        if !picture.is_watched() {
            self.pictures.remove(key);
        }
        self.stale = true;
    }

    fn listen(&mut self, link: usize, is_new: bool) {
        let own = self.sources.iter().filter_map(|(track, source)| match source {
            Source::Sound { link: of, .. } if *of == link => Some(*track),
            _ => None,
        });
        self.sound.listen(link, own, is_new);
    }

    /// Somebody who listens has another microphone.
    fn renew_listener(&mut self, link: usize) {
        if self.viewers.contains_key(&link) {
            self.listen(link, false);
        }
    }

    /// New viewers are refused.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The largest layer that is made, whatever is asked for.
    pub(crate) fn most(&self) -> LayerId {
        most(self.load.level())
    }

    /// Nobody gets anything of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.viewers.is_empty()
    }

    /// Whose microphones speak.
    pub(crate) fn speaking(&mut self, now: Instant, links: &[usize]) {
        self.stale |= self.people.listen(now, links);
    }

    pub(crate) fn sound(&mut self, now: Instant, track: usize, packet: &MediaPacket) {
        if let Some(Source::Sound { report, .. }) = self.sources.get_mut(&track) {
            *report = packet.report.or(*report);
            self.sound.packet(now, track, packet);
        }
    }

    pub(crate) fn picture(&mut self, now: Instant, track: usize, packet: &MediaPacket, video: &Video<'_>) {
        let Some(Source::Picture(source)) = self.sources.get_mut(&track) else { return };
        let heard = self.heard.get(&(source.link, source.is_screen)).copied();
        source.packet(now, packet, video, heard);
        if let Some(work) = source.work(now, track, &self.config.codecs) {
            self.outputs.push_back(MixerOutput::Job(Job::new(self.id, Work::Decode(work))));
        }
        let (link, is_screen, hold) = (source.link, source.is_screen, source.hold(now));
        if let Some(hold) = hold {
            self.hold(link, is_screen, hold);
        }
    }

    /// Sound is to wait so long for the pictures that belong to it.
    fn hold(&mut self, link: usize, of_screen: bool, hold: Duration) {
        for (track, source) in &self.sources {
            if matches!(source, Source::Sound { link: of, is_screen, .. } if (*of, *is_screen) == (link, of_screen)) {
                self.sound.hold(*track, hold);
            }
        }
    }

    /// Pictures that are not shown hold no sound up, and those of a new track of sound are told anew.
    fn let_go(&mut self, link: usize, is_screen: bool) {
        for source in self.sources.values_mut() {
            if let Source::Picture(source) = source
                && (source.link, source.is_screen) == (link, is_screen)
            {
                source.forget_hold();
            }
        }
        self.hold(link, is_screen, Duration::ZERO);
    }

    /// Chooses a source's layer; see [`VideoSource::choose`]. What it gets, is to get, and in which
    /// height.
    pub(crate) fn choose(
        &mut self,
        track: usize,
        heights: &[Option<u32>],
        live: LayerSet,
    ) -> Option<(Option<LayerId>, Option<LayerId>, u32)> {
        let Some(Source::Picture(source)) = self.sources.get_mut(&track) else { return None };
        source.choose(heights, live);
        let (current, target) = source.layers();
        target.is_some().then(|| (current, target, u32::try_from(source.needed()).unwrap_or(u32::MAX)))
    }

    /// The layer of a source that a keyframe is needed of.
    pub(crate) fn wants_keyframe(&self, track: usize, live: LayerSet) -> Option<LayerId> {
        let Some(Source::Picture(source)) = self.sources.get(&track) else { return None };
        source.wants_keyframe(live)
    }

    /// Which layers of a picture its viewers need.
    pub(crate) fn demand(&mut self, picture: usize, codec: VideoCodec, layers: LayerSet) {
        if let Some(picture) = self.pictures.get_mut(picture) {
            picture.demand(codec, layers);
            self.stale = true;
        }
    }

    /// A viewer can't go on without a keyframe.
    pub(crate) fn keyframe(&mut self, picture: usize, codec: VideoCodec, layer: LayerId) {
        if let Some(picture) = self.pictures.get_mut(picture) {
            picture.want_keyframe(codec, layer.min(most(self.load.level())));
        }
    }

    /// A job is back.
    pub(crate) fn done(&mut self, now: Instant, job: Job) {
        let took = job.took();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match job.kind() {
            JobKind::Sound => (self.spent.sound += took, self.counters.sound_us += micros),
            JobKind::Decode => (self.spent.decode += took, self.counters.decode_us += micros),
            JobKind::Picture => (self.spent.picture += took, self.counters.picture_us += micros),
        };
        let failed = job.failed;
        match job.work {
            Work::Sound(_) if failed => self.replace_sound(now),
            Work::Sound(work) => self.mixed(work),
            Work::Decode(work) => {
                self.counters.decoded += u64::from(work.decoded);
                self.counters.decoder_faults += u64::from(work.fault.is_some());
                if let Some(Source::Picture(source)) = self.sources.get_mut(&work.source) {
                    let (link, before) = (source.link, source.aspect());
                    if source.back(now, work, (took, failed)) && source.aspect() != before {
                        self.changed(link);
                    }
                }
                self.decode(now);
            }
            Work::Picture(work) => self.drawn(now, work, failed),
        }
    }

    fn mixed(&mut self, work: Box<SoundWork>) {
        self.counters.played_us += work.heard.played_us;
        self.counters.concealed_us += work.heard.concealed_us;
        for packet in work.out.packets() {
            self.counters.sound_packets += 1;
            self.outputs.push_back(MixerOutput::Sound {
                listeners: packet.listeners.iter().filter_map(|id| usize::try_from(id.0).ok()).collect(),
                time: self.sound_base + packet.time,
                at: packet.due,
                begins: self.last_sound.is_none_or(|last| self.sound_base + packet.time > last + 960),
                payload: Arc::from(packet.payload),
            });
        }
        let newest = work.out.packets().map(|packet| self.sound_base + packet.time).last();
        self.last_sound = newest.or(self.last_sound);
        for playing in work.out.playing() {
            let source = usize::try_from(playing.source.0).ok().and_then(|track| self.sources.get(&track));
            if let Some(Source::Sound { link, is_screen, report: Some(report), .. }) = source {
                let waited = work.waited(playing.source);
                self.heard.insert((*link, *is_screen), Heard::new(playing.timestamp, playing.due, waited, *report));
            }
        }
        self.sound.back(work);
        for link in std::mem::take(&mut self.renewals) {
            self.renew_listener(link);
        }
    }

    /// The mixer of sound has panicked: another one takes over, and goes on in time.
    fn replace_sound(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.epoch).as_micros() * 48 / 1000;
        self.sound_base = u64::try_from(passed).unwrap_or(u64::MAX).max(self.last_sound.map_or(0, |last| last + 960));
        self.sound = Sound::new(Arc::clone(&self.config.codecs), now);
        for (track, source) in &self.sources {
            if let Source::Sound { is_screen, muted, .. } = source {
                self.sound.add_source(*track, kind(*is_screen), *muted);
            }
        }
        let listeners: Vec<usize> = self.viewers.keys().copied().collect();
        listeners.into_iter().for_each(|link| self.listen(link, true));
    }

    fn drawn(&mut self, now: Instant, work: Box<studio::StudioWork>, failed: bool) {
        if let Some(why) = &work.fault {
            tracing::warn!(%why, "a mixed picture was not encoded");
        }
        let (at, timestamp, key) = (work.now, work.timestamp, work.picture);
        let Some(picture) = self.pictures.get_mut(key).filter(|picture| picture.away_since == Some(at)) else { return };
        if failed {
            return picture.replace(key, self.config.clone(), now);
        }
        self.load.took(now.saturating_duration_since(at));
        self.counters.encoded += work.out.len() as u64;
        self.counters.keyframes += work.out.iter().filter(|frame| frame.encoded.keyframe).count() as u64;
        for frame in picture.back(work) {
            self.outputs.push_back(MixerOutput::Video { picture: key, frame, timestamp, at });
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(work) = self.sound.work(now) {
            self.outputs.push_back(MixerOutput::Job(Job::new(self.id, Work::Sound(work))));
        }
        for source in self.sources.values_mut() {
            if let Source::Picture(source) = source {
                let heard = self.heard.get(&(source.link, source.is_screen)).copied();
                source.handle_timeout(now, heard);
            }
        }
        self.decode(now);
        if !self.ticks() || now < self.tick_at {
            return;
        }
        if std::mem::take(&mut self.stale) {
            self.arrange(now);
        }
        self.tick(now);
        let interval = self.load.level().interval();
        let late = now.saturating_duration_since(self.tick_at).as_nanos() / interval.as_nanos();
        self.tick_at += interval * u32::try_from(late + 1).unwrap_or(1);
        let before = self.most();
        if self.load.update(now) {
            self.stale = true;
            if self.most() != before {
                self.outputs.push_back(MixerOutput::Most);
            }
            self.tell_at = now;
            self.tell_full();
        }
        if now >= self.tell_at {
            self.tell(now);
        }
    }

    /// Whether there are pictures, or what was given up for some that are gone is to be taken back.
    fn ticks(&self) -> bool {
        !self.pictures.is_empty() || self.load.level() > Level::Full
    }

    fn decode(&mut self, now: Instant) {
        for (key, source) in &mut self.sources {
            if let Source::Picture(source) = source
                && let Some(work) = source.work(now, *key, &self.config.codecs)
            {
                self.outputs.push_back(MixerOutput::Job(Job::new(self.id, Work::Decode(work))));
            }
        }
    }

    /// Every picture anew.
    fn tick(&mut self, now: Instant) {
        let Self { pictures, sources, people, load, counters, outputs, .. } = self;
        let ticks = now.saturating_duration_since(self.epoch).as_micros() * 9 / 100;
        let time = (now, u64::try_from(ticks).unwrap_or(u64::MAX));
        for (_, picture) in pictures.iter_mut() {
            let shown = sources.values().filter_map(|source| {
                let Source::Picture(source) = source else { return None };
                let latest = source.latest(now).filter(|_| source.needed() > 0)?;
                Some((people.source(source.link, source.is_screen)?, (source.number(), source.version), latest))
            });
            match picture.work(time, load.level(), shown) {
                Ok(Some(work)) => {
                    load.tick(false);
                    outputs.push_back(MixerOutput::Job(Job::new(self.id, Work::Picture(work))));
                }
                Ok(None) => {}
                Err(Away) => {
                    load.tick(true);
                    counters.late += 1;
                }
            }
        }
    }

    /// Finds everybody's place anew, and what is needed of each source for it.
    fn arrange(&mut self, now: Instant) {
        let (size, level) = (self.config.size, self.load.level());
        let mut needs: HashMap<(usize, bool), usize> = HashMap::new();
        for (_, picture) in &mut self.pictures {
            let regions = self.people.arrange(size, &picture.look.layout, picture.look.hidden);
            if picture.arrange(regions) {
                self.tell_at = now;
            }
            let Some(largest) = picture.largest(level) else { continue };
            let height = studio::size(size, largest).1;
            for region in &picture.regions {
                let is_screen = matches!(region.source, madang_mixer::layout::Source::Screen(_));
                let Some(link) = self.people.link_of(region.source) else { continue };
                let need = needs.entry((link, is_screen)).or_default();
                *need = (*need).max((region.needs.1 * height).div_ceil(size.1.max(1)));
            }
        }
        let (mut unseen, seen) = (Vec::new(), self.seen());
        for (track, source) in &mut self.sources {
            if let Source::Picture(source) = source {
                let whose = (source.link, source.is_screen);
                let is_seen = seen.get(&whose) == Some(track);
                let (before, need) = (source.needed(), needs.get(&whose).copied().filter(|_| is_seen));
                source.need(need.unwrap_or(0));
                if before > 0 && need.is_none() {
                    unseen.push((source.link, source.is_screen));
                }
            }
        }
        for (link, is_screen) in unseen {
            self.let_go(link, is_screen);
        }
    }

    fn tell_full(&mut self) {
        let full = self.load.level() == Level::Closed;
        if std::mem::replace(&mut self.full, full) != full {
            let why = "the server mixes as much as it can; try again later, or without the mix".to_owned();
            self.outputs.push_back(MixerOutput::Full(full.then_some(why)));
        }
    }

    fn tell(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.told_at).as_secs_f32().max(0.001);
        let each = |spent: Duration| spent.as_secs_f32() * 1000.0 / passed;
        let level = self.load.level();
        let work = MixWork {
            decoding: count(self.decoding()),
            encoding: count(self.encoding()),
            listeners: count(self.sound.listeners()),
            decode_ms: each(self.spent.decode),
            encode_ms: each(self.spent.picture),
            sound_ms: each(self.spent.sound),
        };
        for (key, picture) in &self.pictures {
            let state = MixState {
                places: self.people.places(self.config.size, &picture.regions),
                fps: level.rate(),
                max_height: count(studio::size(self.config.size, most(level)).1),
                limited: level.reason().map(str::to_owned),
                work,
            };
            self.outputs.push_back(MixerOutput::State { picture: key, state });
        }
        (self.spent, self.told_at, self.tell_at) = (Spent::default(), now, now + TELL);
    }

    fn decoding(&self) -> usize {
        let decodes = |source: &&Source| matches!(source, Source::Picture(source) if source.needed() > 0);
        self.sources.values().filter(decodes).count()
    }

    fn encoding(&self) -> usize {
        self.pictures.iter().map(|(_, picture)| picture.encoding(self.load.level())).sum()
    }

    pub(crate) fn timeout(&self, now: Instant) -> Option<Instant> {
        let sources = self.sources.values().filter_map(|source| match source {
            Source::Picture(source) => source.timeout(),
            Source::Sound { .. } => None,
        });
        let tick = self.ticks().then_some(self.tick_at);
        sources.chain(tick).chain(self.sound.timeout(now)).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<MixerOutput> {
        self.outputs.pop_front()
    }

    /// What it has counted, and what it does now.
    pub(crate) fn counters(&self) -> Mixing {
        Mixing {
            rooms: u64::from(!self.viewers.is_empty()),
            viewers: self.viewers.len() as u64,
            decoding: self.decoding() as u64,
            encoding: self.encoding() as u64,
            limited: u64::from(self.load.level() > Level::Full),
            full: u64::from(self.full),
            people: self.people.count() as u64,
            sources: self.sources.len() as u64,
            pictures: self.pictures.len() as u64,
            listeners: self.sound.listeners() as u64,
            ..self.counters
        }
    }
}

fn kind(is_screen: bool) -> SourceKind {
    if is_screen { SourceKind::Screen } else { SourceKind::Voice }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
