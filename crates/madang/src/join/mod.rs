//! `madang join`: a participant without a browser.

mod record;
mod summary;
mod tell;

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use madang_client::{
    clip::{Clip, Codec, Hertz, Layer, tone},
    participant::{Config, Content, Event, Ice, Kinds, Participant, Publication, kind_name},
    relay::Transport,
    signaling::{self, End, Settings},
};
use madang_protocol::{
    Capabilities, Codecs, LinkId, MixLayout, TakeMix, Topology, TopologyPolicy, TrackId, TrackSource,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::native::{Engine, Interfaces, ServerAddress, Trust, client_config};
use record::Recorder;
use summary::{LinkSummary, Summary, TrackSummary};

/// How often is looked whether this machine has other addresses.
const NETWORKS: Duration = Duration::from_secs(2);

/// How long the server has to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct Options {
    /// The room's page: http(s)://host/r/room.
    url: String,
    /// The name to show.
    #[arg(long, default_value = "madang")]
    name: String,
    /// A join token, where the server has keys.
    #[arg(long, value_name = "JWT")]
    token: Option<String>,
    /// What to publish: a WebM file (VP8 or VP9, Opus), played in a loop, or `pattern`, the test
    /// picture.
    #[arg(long, value_name = "FILE|pattern")]
    publish: Option<PathBuf>,
    /// Publish the test picture in its largest size alone, not in three.
    #[arg(long)]
    no_simulcast: bool,
    /// Publish a tone of so many hertz.
    #[arg(long, value_name = "HZ")]
    tone: Option<u32>,
    /// Write what is received to WebM files in this folder: each track to one of its own, and a mix to
    /// one with picture and sound.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Take the server's mix of everybody in place of their tracks. (In a room whose topology is mcu
    /// everybody does.)
    #[arg(long)]
    mix: bool,
    /// How people are arranged in the mix: auto, grid, speaker, presentation or picture-in-picture.
    #[arg(long, value_name = "LAYOUT", value_parser = parse_layout, requires = "mix")]
    layout: Option<MixLayout>,
    /// Leave after so long; without it, on Ctrl-C or when the server ends it.
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// How media travels: through a relay (TURN) that is reached over UDP, TCP or TLS, or `none`:
    /// directly (to other participants through a relay too, where nothing else works).
    #[arg(long, value_enum, default_value_t = Relay::None)]
    relay: Relay,
    /// What links to other participants may use: all there is (the default), STUN alone and no
    /// relay, or the relay alone (the default with --relay).
    #[arg(long, value_enum)]
    ice: Option<IceKinds>,
    /// The topology wished for, should this participant create the room.
    #[arg(long, default_value = "sfu", value_parser = parse_topology)]
    topology: TopologyPolicy,
    /// Believe any certificate: for servers with one of their own making.
    #[arg(long)]
    insecure: bool,
    /// One JSON object for each event, and for the summary.
    #[arg(long)]
    json: bool,
    /// What is logged to standard error: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL", env = "MADANG_LOG", default_value = "warn")]
    log_level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Relay {
    None,
    Udp,
    Tcp,
    Tls,
}

impl Relay {
    fn transport(self) -> Option<Transport> {
        match self {
            Self::None => None,
            Self::Udp => Some(Transport::Udp),
            Self::Tcp => Some(Transport::Tcp),
            Self::Tls => Some(Transport::Tls),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IceKinds {
    All,
    StunOnly,
    RelayOnly,
}

impl Options {
    fn kinds(&self) -> Result<Kinds, String> {
        match (self.ice, self.relay) {
            (Some(IceKinds::StunOnly), Relay::None) => Ok(Kinds::NoRelay),
            (Some(IceKinds::StunOnly), _) => Err("--ice stun-only uses no relay, so --relay says nothing".into()),
            (Some(IceKinds::All), _) | (None, Relay::None) => Ok(Kinds::All),
            (Some(IceKinds::RelayOnly), _) | (None, _) => Ok(Kinds::Relay),
        }
    }
}

fn parse_topology(text: &str) -> Result<TopologyPolicy, String> {
    serde_json::from_value(text.into()).map_err(|_| "auto, mesh, sfu and mcu are allowed".into())
}

fn parse_layout(text: &str) -> Result<MixLayout, String> {
    let kind = serde_json::json!({ "kind": text.replace('-', "_") });
    let known = serde_json::from_value(kind).ok().filter(|layout| !matches!(layout, MixLayout::Custom { .. }));
    known.ok_or_else(|| "auto, grid, speaker, presentation and picture-in-picture are allowed".into())
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    crate::log::start(&options.log_level, madang_server::config::LogFormat::Text)?;
    let (address, room) = ServerAddress::of_room(&options.url)?;
    let trust = if options.insecure { Trust::Anyone } else { Trust::System };
    let kinds = options.kinds()?;
    // A relay may be reached by TLS, whatever the server is reached by.
    let mut engine = Engine::new(Some(client_config(trust)?))?;
    let publications = publications(options)?;
    let signaling = Settings {
        room: Some(room),
        name: options.name.clone(),
        token: options.token.clone(),
        capabilities: capabilities(&publications),
        tracks: Vec::new(),
        topology: Some(options.topology),
        seed: seed(),
    };
    let config = Config {
        signaling,
        publications,
        hosts: Vec::new(),
        ice: Ice { kinds, relay: options.relay.transport(), secret: rand::random() },
        certificate: None,
        clock: engine.clock(),
        adapts: true,
        wants_frames: options.record.is_some(),
        seed: seed(),
    };
    let server = address.resolve()?;
    let place = engine.add(config, &Arc::new(address), server, Interfaces::All)?;
    let recorder = options.record.as_deref().map(Recorder::new).transpose()?;
    let (began, end, owners) = (Instant::now(), None, HashMap::new());
    let (relay, links) = (None, BTreeMap::new());
    let mixed = Vec::new();
    Call { options, kinds, engine, place, recorder, began, end, owners, mixed, relay, links }.run()
}

/// Chance, for numbers on which nothing secret hangs.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

/// Becomes true with the first SIGINT or SIGTERM.
fn interrupt() -> std::io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        raised.store(true, Relaxed);
    });
    Ok(flag)
}

fn publications(options: &Options) -> Result<Vec<Publication>, Box<dyn Error>> {
    let mut publications = Vec::new();
    let mut add = |cid: &str, source, content| publications.push(Publication { cid: cid.into(), source, content });
    match options.publish.as_deref() {
        None => {}
        Some(what) if what == Path::new("pattern") => {
            let layers = if options.no_simulcast { vec![Layer::High] } else { Layer::ALL.to_vec() };
            add("camera", TrackSource::Camera, Content::Pattern(layers));
        }
        Some(file) => {
            let bytes = std::fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
            for clip in Clip::from_webm(&bytes)? {
                let is_sound = clip.codec == Codec::Opus;
                let (cid, source) =
                    if is_sound { ("microphone", TrackSource::Microphone) } else { ("camera", TrackSource::Camera) };
                add(cid, source, Content::Clip(Arc::new(clip)));
            }
        }
    }
    if let Some(hertz) = options.tone {
        add("tone", TrackSource::Microphone, Content::Clip(Arc::new(tone(Hertz(hertz))?)));
    }
    Ok(publications)
}

/// What is both sent and received: of pictures the codec that is published, or all.
fn capabilities(publications: &[Publication]) -> Capabilities {
    let published =
        publications.iter().map(|publication| publication.content.codec()).find(|codec| *codec != Codec::Opus);
    let video =
        published.map_or_else(|| vec!["VP8".to_owned(), "VP9".to_owned()], |codec| vec![codec.name().to_owned()]);
    Capabilities {
        codecs: Codecs { audio: vec!["OPUS".to_owned()], video },
        simulcast: true,
        topologies: vec![Topology::Mesh, Topology::Sfu, Topology::Mcu],
    }
}

struct Call<'a> {
    options: &'a Options,
    kinds: Kinds,
    engine: Engine,
    place: usize,
    recorder: Option<Recorder>,
    began: Instant,
    end: Option<End>,
    /// Who published each track, by name: people leave before the summary is made.
    owners: HashMap<TrackId, String>,
    /// The tracks of mixes that came.
    mixed: Vec<TrackId>,
    /// How the relay was reached, once there was one.
    relay: Option<Transport>,
    /// Links to other participants and the way that they went last.
    links: BTreeMap<LinkId, LinkSummary>,
}

impl Call<'_> {
    fn run(mut self) -> Result<(), Box<dyn Error>> {
        let interrupted = interrupt()?;
        let end = self.options.seconds.map(|seconds| self.began + Duration::from_secs_f64(seconds.max(0.0)));
        let mut leaves_by = None;
        let mut looks_at = self.began + NETWORKS;
        let mut happened = Vec::new();
        while self.end.is_none() {
            let now = Instant::now();
            let wants_to_leave = end.is_some_and(|end| end <= now) || interrupted.load(Relaxed);
            if wants_to_leave && leaves_by.is_none() {
                leaves_by = Some(now + GOODBYE);
                self.engine.with(self.place, Participant::leave);
            }
            if leaves_by.is_some_and(|by| by <= now) {
                break;
            }
            let until = [end.filter(|_| leaves_by.is_none()), leaves_by].into_iter().flatten().min();
            let tick = now + Duration::from_millis(200);
            self.engine.turn(until.map_or(tick, |until| until.min(tick)), &mut happened)?;
            if looks_at <= now {
                looks_at = now + NETWORKS;
                self.engine.look_for_networks(self.place);
            }
            for (_, event) in happened.drain(..) {
                if let Event::RelayFailed(why) = &event
                    && self.kinds == Kinds::Relay
                    && leaves_by.is_none()
                {
                    return Err(format!("no relay: {why}").into());
                }
                self.tell(&event)?;
            }
        }
        let failed = match &self.end {
            Some(End::Refused(_) | End::Unreachable | End::Protocol(_)) => self.end.clone(),
            _ => None,
        };
        self.summarize()?;
        failed.map_or(Ok(()), |why| Err(why.into()))
    }

    fn tell(&mut self, event: &Event) -> Result<(), Box<dyn Error>> {
        let roster = self.engine.participant(self.place).roster();
        if let Some(line) = tell::line(event, roster) {
            line.print(self.options.json);
        }
        match event {
            Event::Frame(track, codec, received) if self.mixed.contains(track) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.mixed(*codec, received)?;
                }
            }
            Event::Frame(track, codec, received) => {
                if let (Some(recorder), Some(owner)) = (&mut self.recorder, self.owners.get(track)) {
                    recorder.frame(owner, track, *codec, received)?;
                }
            }
            Event::RelayOpened(_, transport) => self.relay = Some(*transport),
            Event::Path(link, path) => {
                let peer = roster.link(link).and_then(|open| open.peer.as_ref());
                let summary = LinkSummary {
                    link: link.clone(),
                    peer: tell::name(roster, peer),
                    path: path.name(),
                    local: kind_name(path.local),
                    remote: kind_name(path.remote),
                };
                self.links.insert(link.clone(), summary);
            }
            Event::Signaling(signaling::Event::TrackAdded(owner, track)) => {
                self.owners.insert(track.id.clone(), tell::name(roster, Some(owner)));
            }
            Event::Signaling(signaling::Event::Joined { .. }) if self.options.mix => {
                let wish = TakeMix { on: true, layout: self.options.layout.clone(), hide_self: None };
                self.engine.with(self.place, |participant| participant.take_mix(wish));
                // Who shows nothing has no place in a recording of theirs. Asked for by itself: where
                // the room has too many pictures already, the usual one is good enough.
                if self.options.publish.is_none() && self.options.tone.is_none() {
                    let wish = TakeMix { on: true, layout: None, hide_self: Some(true) };
                    self.engine.with(self.place, |participant| participant.take_mix(wish));
                }
            }
            Event::Signaling(signaling::Event::Mix(Some(mix))) => {
                for track in [&mix.audio, &mix.video] {
                    if self.owners.insert(track.clone(), "mix".to_owned()).is_none() {
                        self.mixed.push(track.clone());
                    }
                }
            }
            Event::Signaling(signaling::Event::Ended(end)) => self.end = Some(end.clone()),
            _ => {}
        }
        Ok(())
    }

    /// How the media travelled: to the server, or else to the others.
    fn path(&self) -> &'static str {
        match (self.links.values().next(), self.relay.filter(|_| self.kinds == Kinds::Relay)) {
            (Some(link), _) => link.path,
            (None, Some(Transport::Udp | Transport::Dtls)) => "relay_udp",
            (None, Some(Transport::Tcp)) => "relay_tcp",
            (None, Some(Transport::Tls)) => "relay_tls",
            (None, None) => "direct",
        }
    }

    fn summarize(self) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let participant = self.engine.participant(self.place);
        let tracks = participant.figures(now).into_iter().map(|(track, codec, figures)| {
            let from = self.owners.get(&track).cloned().unwrap_or_else(|| "?".into());
            TrackSummary::new(track, from, codec, &figures)
        });
        let tracks = tracks.collect();
        let path = self.path();
        let files = self.recorder.map(Recorder::finish).transpose()?.unwrap_or_default();
        let summary = Summary {
            event: "summary",
            seconds: now.duration_since(self.began).as_secs_f64(),
            path,
            links: self.links.into_values().collect(),
            tracks,
            files: files.iter().map(|path| path.display().to_string()).collect(),
        };
        if self.options.json {
            println!("{}", serde_json::to_string(&summary)?);
        } else {
            print!("{summary}");
        }
        Ok(())
    }
}
