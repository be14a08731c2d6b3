//! Everyone in the load test's rooms.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::{
    clip::{Clip, Codec, Hertz, Layer, tone},
    histogram::Histogram,
    participant::{Certificate, Config, Content, Event, Ice, Publication},
    receive::Figures,
    signaling::{self, Settings},
};
use madang_protocol::{Capabilities, Codecs, RoomName, Subscribe, Topology, TopologyPolicy, TrackSource};
use rustls::ClientConfig;

use super::Options;
use crate::native::{Engine, Interfaces, ServerAddress};

/// All participants, and what went wrong with them.
pub(super) struct Crowd {
    engine: Engine,
    address: Arc<ServerAddress>,
    server: SocketAddr,
    certificate: Option<Certificate>,
    plan: Plan,
    happened: Vec<(usize, Event)>,
    inside: u64,
    streams: u64,
    pub(super) links_failed: u64,
    pub(super) reconnects: u64,
    pub(super) errors: u64,
    /// Why the first participant was not let in, or thrown out.
    ended: Option<String>,
}

/// Who does what.
struct Plan {
    rooms: String,
    room_size: u32,
    publishers: u32,
    token: Option<String>,
    layers: Vec<Layer>,
    tone: Option<Arc<Clip>>,
    has_video: bool,
    height: Option<u32>,
}

impl Crowd {
    pub(super) fn new(
        options: &Options,
        address: Arc<ServerAddress>,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Box<dyn Error>> {
        let plan = Plan {
            rooms: format!("load-{}", std::process::id()),
            room_size: options.publishers + options.subscribers,
            publishers: options.publishers,
            token: options.token.clone(),
            layers: if options.simulcast { Layer::ALL.to_vec() } else { vec![Layer::High] },
            tone: if options.media.has_sound() { Some(Arc::new(tone(Hertz(440))?)) } else { None },
            has_video: options.media.has_video(),
            height: options.height,
        };
        Ok(Self {
            engine: Engine::new(tls)?,
            server: address.resolve()?,
            address,
            certificate: Certificate::generate(),
            plan,
            happened: Vec::new(),
            inside: 0,
            streams: 0,
            links_failed: 0,
            reconnects: 0,
            errors: 0,
            ended: None,
        })
    }

    /// The next person begins to join. The first of each room publish.
    pub(super) fn join(&mut self, person: u32) -> Result<(), Box<dyn Error>> {
        let plan = &self.plan;
        let (room, place) = (person / plan.room_size, person % plan.room_size);
        let publications = if place < plan.publishers { plan.publications() } else { Vec::new() };
        let codecs = Codecs { audio: vec!["OPUS".into()], video: vec!["VP8".into()] };
        let signaling = Settings {
            room: Some(RoomName(format!("{}-{room}", plan.rooms))),
            name: format!("load {person}"),
            token: plan.token.clone(),
            capabilities: Capabilities { codecs, simulcast: plan.layers.len() > 1, topologies: vec![Topology::Sfu] },
            tracks: Vec::new(),
            topology: Some(TopologyPolicy::Sfu),
            seed: u64::from(person),
        };
        let config = Config {
            signaling,
            publications,
            hosts: Vec::new(),
            ice: Ice::default(),
            certificate: self.certificate.clone(),
            clock: self.engine.clock(),
            adapts: false,
            wants_frames: false,
            seed: u64::from(person) << 16 | u64::from(std::process::id()),
        };
        self.engine.add(config, &self.address, self.server, Interfaces::Route)?;
        Ok(())
    }

    /// Waits for something to do until `until` and does it, until then.
    pub(super) fn turn(&mut self, until: Instant) -> Result<(), Box<dyn Error>> {
        loop {
            self.engine.turn(until, &mut self.happened)?;
            for (place, event) in std::mem::take(&mut self.happened) {
                self.note(place, event);
            }
            if Instant::now() >= until {
                return Ok(());
            }
        }
    }

    fn note(&mut self, place: usize, event: Event) {
        match event {
            Event::TrackBegins(track, codec) => {
                self.streams += 1;
                if let (Some(height), true) = (self.plan.height, codec != Codec::Opus) {
                    let wish = Subscribe {
                        track,
                        on: true,
                        width: Some(height * 16 / 9),
                        height: Some(height),
                        fps: None,
                        priority: 0,
                    };
                    self.engine.with(place, |participant| participant.subscribe(wish));
                }
            }
            Event::LinkFailed(_, why) => {
                self.links_failed += 1;
                if self.links_failed == 1 {
                    eprintln!("the first link that failed: {why}");
                }
            }
            Event::Signaling(signaling::Event::Joined { .. }) => self.inside += 1,
            Event::Signaling(signaling::Event::Reconnecting) => self.reconnects += 1,
            Event::Signaling(signaling::Event::Refused(_, failure)) => {
                self.errors += 1;
                if self.errors == 1 {
                    eprintln!("the first error: {} ({})", failure.message, failure.code.as_str());
                }
            }
            Event::Signaling(signaling::Event::Ended(why)) => {
                self.ended.get_or_insert_with(|| why.to_string());
            }
            _ => {}
        }
    }

    /// An error when somebody could not get in or was thrown out.
    pub(super) fn check(&self) -> Result<(), Box<dyn Error>> {
        self.ended.as_ref().map_or(Ok(()), |why| Err(why.clone().into()))
    }

    /// People who are or were inside.
    pub(super) fn inside(&self) -> u64 {
        self.inside
    }

    /// Streams that began.
    pub(super) fn streams(&self) -> u64 {
        self.streams
    }

    pub(super) fn people(&self) -> usize {
        self.engine.len()
    }

    /// Everything that came so far.
    pub(super) fn tally(&self) -> Tally {
        let now = Instant::now();
        let mut tally = Tally::default();
        for place in 0..self.engine.len() {
            for (track, codec, figures) in self.engine.participant(place).figures(now) {
                let streams = if codec == Codec::Opus { &mut tally.sound } else { &mut tally.video };
                streams.insert((place, track.0), figures);
            }
        }
        tally
    }
}

impl Plan {
    fn publications(&self) -> Vec<Publication> {
        let camera = || Publication {
            cid: "camera".into(),
            source: TrackSource::Camera,
            content: Content::Pattern(self.layers.clone()),
        };
        let microphone = |clip: &Arc<Clip>| Publication {
            cid: "microphone".into(),
            source: TrackSource::Microphone,
            content: Content::Clip(clip.clone()),
        };
        self.has_video.then(camera).into_iter().chain(self.tone.as_ref().map(microphone)).collect()
    }
}

/// The figures of every stream, by who receives it and which track it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) video: BTreeMap<(usize, String), Figures>,
    pub(super) sound: BTreeMap<(usize, String), Figures>,
}

impl Tally {
    /// What came since an earlier one.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let since = |now: &BTreeMap<_, Figures>, then: &BTreeMap<_, Figures>| {
            now.iter()
                .map(|(stream, figures): (&(usize, String), &Figures)| {
                    let figures = then.get(stream).map_or_else(|| figures.clone(), |then| figures.since(then));
                    (stream.clone(), figures)
                })
                .collect()
        };
        Self { video: since(&self.video, &earlier.video), sound: since(&self.sound, &earlier.sound) }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Figures> {
        self.video.values().chain(self.sound.values())
    }

    pub(super) fn delays(&self) -> Histogram {
        let mut all = Histogram::default();
        self.video.values().for_each(|figures| all.add(&figures.delays));
        all
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: u64 = self.video.values().map(|figures| figures.shown).sum();
        let freezes: u64 = self.video.values().map(|figures| figures.freezes).sum();
        let lost: u64 = self.all().map(|figures| figures.lost).sum();
        let packets: u64 = self.all().map(|figures| figures.packets).sum();
        let delays = self.delays();
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let (p50, p99) = (millis(delays.percentile(0.5)), millis(delays.percentile(0.99)));
        write!(
            f,
            "{packets} packets, {shown} frames, {lost} lost, {freezes} freezes, delay p50 {p50:.1} p99 {p99:.1} ms"
        )
    }
}
