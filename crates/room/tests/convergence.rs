//! Whatever happens in whatever order, links are what the topology wants, everyone sees the same
//! room, and so does the media server.

mod yard;

use std::time::Duration;

use madang_protocol::*;
use madang_room::{Grant, Settings};
use proptest::prelude::*;
use yard::{Yard, camera, delivery, desc, hello, ice};

const CLIENTS: usize = 6;

#[derive(Clone, Debug)]
enum Act {
    /// Joins anew; with an identity, whoever has it already goes.
    Join {
        who: usize,
        identity: Option<u8>,
        tracks: usize,
        codecs: usize,
    },
    Leave {
        who: usize,
    },
    /// The connection dies; the server does not notice yet.
    Deafen {
        who: usize,
    },
    /// The server notices that the connection died.
    Lose {
        who: usize,
    },
    /// The page closes and the server hears of it.
    ClosePage {
        who: usize,
    },
    /// Comes back; `lost_again` if the answer to that is lost too.
    Resume {
        who: usize,
        keep_state: bool,
        lost_again: bool,
    },
    Kick {
        host: usize,
        who: usize,
    },
    Role {
        host: usize,
        who: usize,
        role: Role,
    },
    Lock {
        host: usize,
        locked: bool,
    },
    MuteOther {
        host: usize,
        who: usize,
    },
    Publish {
        who: usize,
        /// In this codec alone.
        codec: Option<usize>,
    },
    Unpublish {
        who: usize,
    },
    Mute {
        who: usize,
        muted: bool,
    },
    Watch {
        who: usize,
        whom: usize,
        on: bool,
    },
    WatchMix {
        who: usize,
        on: bool,
    },
    TakeMix {
        who: usize,
        on: bool,
        layout: Option<usize>,
        hide_self: Option<bool>,
    },
    Rename {
        who: usize,
        name: u8,
    },
    Ack {
        who: usize,
    },
    Chat {
        who: usize,
    },
    /// A description or candidate on any link there is, one's own or not.
    Describe {
        who: usize,
        whose: usize,
        link: usize,
        offer: bool,
        n: u32,
    },
    Candidate {
        who: usize,
        whose: usize,
        link: usize,
        n: u32,
    },
    Restart {
        who: usize,
        whose: usize,
        link: usize,
        replace: bool,
    },
    Report {
        who: usize,
        available: u64,
    },
    Topology {
        host: usize,
        policy: TopologyPolicy,
    },
    /// The media server says something of any link that it ever had.
    Media {
        link: usize,
        what: MediaWord,
    },
    Elapse {
        seconds: u64,
    },
    /// So little that only what waits for a moment happens.
    Pause {
        ms: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum MediaWord {
    Offer,
    AnswerRefused { n: u32 },
    Connected,
    Failed,
    Demand { watched: bool },
    Delivery { paused: bool },
    Speakers,
    MixState,
    MixFull { full: bool },
}

fn media_word() -> impl Strategy<Value = MediaWord> {
    prop_oneof![
        4 => Just(MediaWord::Offer),
        1 => (0..5u32).prop_map(|n| MediaWord::AnswerRefused { n }),
        1 => Just(MediaWord::Connected),
        2 => Just(MediaWord::Failed),
        1 => any::<bool>().prop_map(|watched| MediaWord::Demand { watched }),
        1 => any::<bool>().prop_map(|paused| MediaWord::Delivery { paused }),
        1 => Just(MediaWord::Speakers),
        1 => Just(MediaWord::MixState),
        1 => any::<bool>().prop_map(|full| MediaWord::MixFull { full }),
    ]
}

fn policy() -> impl Strategy<Value = TopologyPolicy> {
    prop_oneof![
        Just(TopologyPolicy::Auto),
        Just(TopologyPolicy::Mesh),
        Just(TopologyPolicy::Sfu),
        Just(TopologyPolicy::Mcu)
    ]
}

fn who() -> impl Strategy<Value = usize> {
    0..CLIENTS
}

fn act() -> impl Strategy<Value = Act> {
    let role = prop_oneof![Just(Role::Viewer), Just(Role::Participant), Just(Role::Host)];
    prop_oneof![
        6 => (who(), proptest::option::weighted(0.3, 0..3u8), 0..3usize, 0..5usize)
            .prop_map(|(who, identity, tracks, codecs)| Act::Join { who, identity, tracks, codecs }),
        1 => who().prop_map(|who| Act::Leave { who }),
        2 => who().prop_map(|who| Act::Deafen { who }),
        2 => who().prop_map(|who| Act::Lose { who }),
        2 => who().prop_map(|who| Act::ClosePage { who }),
        4 => (who(), any::<bool>(), proptest::bool::weighted(0.2))
            .prop_map(|(who, keep_state, lost_again)| Act::Resume { who, keep_state, lost_again }),
        1 => (who(), who()).prop_map(|(host, who)| Act::Kick { host, who }),
        1 => (who(), who(), role).prop_map(|(host, who, role)| Act::Role { host, who, role }),
        1 => (who(), proptest::bool::weighted(0.2)).prop_map(|(host, locked)| Act::Lock { host, locked }),
        1 => (who(), who()).prop_map(|(host, who)| Act::MuteOther { host, who }),
        2 => (who(), proptest::option::weighted(0.3, 0..3usize)).prop_map(|(who, codec)| Act::Publish { who, codec }),
        1 => who().prop_map(|who| Act::Unpublish { who }),
        1 => (who(), any::<bool>()).prop_map(|(who, muted)| Act::Mute { who, muted }),
        3 => (who(), who(), any::<bool>()).prop_map(|(who, whom, on)| Act::Watch { who, whom, on }),
        2 => (who(), any::<bool>()).prop_map(|(who, on)| Act::WatchMix { who, on }),
        5 => (who(), proptest::bool::weighted(0.7), proptest::option::of(0..3usize), proptest::option::weighted(0.3, any::<bool>()))
            .prop_map(|(who, on, layout, hide_self)| Act::TakeMix { who, on, layout, hide_self }),
        1 => (who(), 0..4u8).prop_map(|(who, name)| Act::Rename { who, name }),
        1 => who().prop_map(|who| Act::Ack { who }),
        1 => who().prop_map(|who| Act::Chat { who }),
        3 => (who(), who(), 0..CLIENTS, any::<bool>(), 0..5u32)
            .prop_map(|(who, whose, link, offer, n)| Act::Describe { who, whose, link, offer, n }),
        2 => (who(), who(), 0..CLIENTS, 0..5u32)
            .prop_map(|(who, whose, link, n)| Act::Candidate { who, whose, link, n }),
        2 => (who(), who(), 0..CLIENTS, any::<bool>())
            .prop_map(|(who, whose, link, replace)| Act::Restart { who, whose, link, replace }),
        1 => (who(), 10_000..5_000_000u64).prop_map(|(who, available)| Act::Report { who, available }),
        1 => (0..90u64).prop_map(|seconds| Act::Elapse { seconds }),
        4 => (0..700u64).prop_map(|ms| Act::Pause { ms }),
        1 => (who(), policy()).prop_map(|(host, policy)| Act::Topology { host, policy }),
        6 => (0..64usize, media_word()).prop_map(|(link, what)| Act::Media { link, what }),
    ]
}

/// A link that the client `whose` knew, if any: maybe closed by now.
fn link_of(yard: &Yard, whose: usize, link: usize) -> Option<OpenLink> {
    let links = &yard.clients[whose].picture.as_ref()?.links;
    links.values().nth(link % links.len().max(1)).cloned()
}

/// Codecs of which any two of the first three have one in common, but not all three.
fn codecs(choice: usize) -> Codecs {
    let video = ["VP8 H264", "H264 VP9", "VP9 VP8", "VP9", ""][choice];
    Codecs { audio: vec!["OPUS".into()], video: video.split_whitespace().map(str::to_owned).collect() }
}

fn layout(choice: usize) -> MixLayout {
    let region = |fill| MixRegion { left: 0.0, top: 0.0, width: 1.0, height: 1.0, z: 0, fill, fit: None };
    [MixLayout::Auto, MixLayout::Speaker, MixLayout::Custom { regions: vec![region(MixFill::Speaker)] }][choice].clone()
}

fn track_of(yard: &Yard, whose: usize) -> Option<TrackId> {
    let picture = yard.clients[whose].picture.as_ref()?;
    picture.people.get(&picture.me)?.tracks.first().map(|track| track.id.clone())
}

fn id_of(yard: &Yard, who: usize) -> Option<ParticipantId> {
    yard.clients[who].picture.as_ref().map(|picture| picture.me.clone())
}

/// What a client says is said by one that hears; a deaf one's connection is dead both ways.
fn say(yard: &mut Yard, who: usize, message: ClientMessage) {
    if yard.clients[who].hears {
        yard.say(who, message);
    }
}

fn moderate(yard: &mut Yard, host: usize, moderation: Option<Moderation>) {
    if let Some(moderation) = moderation {
        say(yard, host, ClientMessage::Mod(moderation));
    }
}

fn perform(yard: &mut Yard, act: Act) {
    match act {
        Act::Join { who, identity, tracks, codecs: choice } if yard.clients[who].connection.is_none() => {
            let tracks = (0..tracks).map(|n| camera(&format!("c{n}"))).collect();
            let identity = identity.map(|identity| format!("identity {identity}"));
            let mut hello = Hello { tracks, ..hello(&format!("client {who}")) };
            hello.capabilities.codecs = codecs(choice);
            yard.join(who, hello, Grant { identity, ..Grant::default() });
        }
        Act::Join { .. } => {}
        Act::Leave { who } => say(yard, who, ClientMessage::Leave(Leave {})),
        Act::Deafen { who } => yard.deafen(who),
        Act::Lose { who } => yard.lose(who),
        Act::ClosePage { who } => yard.close_page(who),
        Act::Resume { who, keep_state, lost_again } => resume(yard, who, keep_state, lost_again),
        Act::Elapse { seconds } => yard.elapse(Duration::from_secs(seconds)),
        Act::Pause { ms } => yard.elapse(Duration::from_millis(ms)),
        Act::Report { who, available } => report(yard, who, available),
        Act::Media { link, what } => media_says(yard, link, what),
        act => perform_request(yard, act),
    }
}

fn perform_request(yard: &mut Yard, act: Act) {
    match act {
        Act::Kick { host, who } => {
            let kick = id_of(yard, who).map(|participant| Moderation::Kick { participant });
            moderate(yard, host, kick);
        }
        Act::Role { host, who, role } => {
            let give = id_of(yard, who).map(|participant| Moderation::Role { participant, role });
            moderate(yard, host, give);
        }
        Act::Lock { host, locked } => moderate(yard, host, Some(Moderation::Lock { locked })),
        Act::Topology { host, policy } => moderate(yard, host, Some(Moderation::Topology { policy })),
        Act::MuteOther { host, who } => {
            let mute = track_of(yard, who).map(|track| Moderation::Mute { track });
            moderate(yard, host, mute);
        }
        Act::Publish { who, codec } => {
            let codecs = codec.map(|codec| ["VP8", "H264", "VP9"][codec].to_owned()).into_iter().collect();
            let track = PublishTrack { codecs, ..camera("c9") };
            say(yard, who, ClientMessage::Publish(Publish { track }));
        }
        Act::Rename { who, name } => {
            let state = State { hand: Some(name % 2 == 0), name: Some(format!("name {name}")) };
            say(yard, who, ClientMessage::State(state));
        }
        Act::Ack { who } => {
            let s = yard.clients[who].last_s;
            say(yard, who, ClientMessage::Ack(Ack { s }));
        }
        Act::Chat { who } => say(yard, who, ClientMessage::Chat(ChatLine { text: "hi".into(), to: vec![] })),
        Act::Watch { who, whom, on } => {
            if let Some(wish) = track_of(yard, whom).map(|track| subscribe_to(track, on))
                && yard.clients[who].hears
                && yard.clients[who].connection.is_some()
            {
                yard.watch(who, wish);
            }
        }
        Act::WatchMix { who, on } => {
            let watch = |mix: &Mix| subscribe_to(mix.video.clone(), on);
            if let Some(wish) = yard.clients[who].mix().map(watch)
                && yard.clients[who].hears
                && yard.clients[who].connection.is_some()
            {
                yard.watch(who, wish);
            }
        }
        Act::TakeMix { who, on, layout: choice, hide_self } => {
            say(yard, who, ClientMessage::TakeMix(TakeMix { on, layout: choice.map(layout), hide_self }));
        }
        act => perform_on_link_or_track(yard, act),
    }
}

fn subscribe_to(track: TrackId, on: bool) -> Subscribe {
    Subscribe { track, on, width: None, height: Some(180), fps: None, priority: 0 }
}

fn perform_on_link_or_track(yard: &mut Yard, act: Act) {
    let (who, message) = match act {
        Act::Unpublish { who } => (who, track_of(yard, who).map(|track| ClientMessage::Unpublish(Unpublish { track }))),
        Act::Mute { who, muted } => (who, track_of(yard, who).map(|track| ClientMessage::Mute(Mute { track, muted }))),
        Act::Describe { who, whose, link, offer, n } => {
            let kind = if offer { SdpType::Offer } else { SdpType::Answer };
            let desc = |link: OpenLink| Description { epoch: link.epoch, ..desc(&link.link, kind, n) };
            (who, link_of(yard, whose, link).map(desc).map(ClientMessage::Desc))
        }
        Act::Candidate { who, whose, link, n } => {
            let ice = |link: OpenLink| Ice { epoch: link.epoch, ..ice(&link.link, n) };
            (who, link_of(yard, whose, link).map(ice).map(ClientMessage::Ice))
        }
        Act::Restart { who, whose, link, replace } => {
            let restart = |link: OpenLink| Restart { link: link.link, epoch: link.epoch, replace };
            (who, link_of(yard, whose, link).map(restart).map(ClientMessage::Restart))
        }
        other => unreachable!("{other:?} is performed elsewhere"),
    };
    if let Some(message) = message {
        say(yard, who, message);
    }
}

fn resume(yard: &mut Yard, who: usize, keep_state: bool, lost_again: bool) {
    if yard.clients[who].session.is_none() {
        return;
    }
    let grant = match yard.clients[who].picture.as_ref().map(|picture| picture.people[&picture.me].identity.clone()) {
        Some(identity) if identity.starts_with("identity") => Grant { identity: Some(identity), ..Grant::default() },
        _ => Grant::default(),
    };
    let hello = yard.resume_hello(who, keep_state);
    if lost_again {
        let Some(former) = yard.clients[who].picture.clone() else { return };
        let (session, secret, last_s) =
            (yard.clients[who].session.clone(), yard.clients[who].secret.clone(), yard.clients[who].last_s);
        yard.join(who, hello, grant);
        let client = &mut yard.clients[who];
        (client.session, client.secret, client.last_s, client.picture) = (session, secret, last_s, Some(former));
        yard.deafen(who);
    } else {
        yard.join(who, hello, grant);
    }
}

fn report(yard: &mut Yard, who: usize, available: u64) {
    let Some(picture) = yard.clients[who].picture.as_ref() else { return };
    let one = |link: &LinkId| LinkStats {
        link: link.clone(),
        path: Some(LinkPath::Direct),
        rtt_ms: Some((available % 600) as f64),
        loss_down: None,
        loss_up: Some(0.0),
        up_bps: BitsPerSecond(available),
        down_bps: BitsPerSecond(0),
        available_up_bps: Some(BitsPerSecond(available)),
    };
    let stats = Stats { links: picture.links.keys().map(one).collect() };
    say(yard, who, ClientMessage::Stats(stats));
}

fn media_says(yard: &mut Yard, link: usize, what: MediaWord) {
    let Some(link) = yard.media.ever.iter().nth(link % yard.media.ever.len().max(1)).cloned() else { return };
    let track = yard.media.tracks.keys().next().cloned().unwrap_or(TrackId::from("t_gone"));
    let event = match what {
        MediaWord::Offer => yard.media.offer(&link),
        MediaWord::AnswerRefused { n } => MediaEvent::AnswerRefused { link, n: Negotiation(n), why: "odd".into() },
        MediaWord::Connected => MediaEvent::Connected { link },
        MediaWord::Failed => MediaEvent::Failed { link, why: "silence".into() },
        MediaWord::Demand { watched } => MediaEvent::Demand {
            track,
            layers: Some(watched.then_some(Rid::from("h")).into_iter().collect()),
            max_height: None,
        },
        MediaWord::Delivery { paused } => MediaEvent::Delivery(delivery(&link, &track, paused)),
        MediaWord::Speakers => {
            let speaker = yard.media.links.get(&link).map(|link| link.open.participant.clone());
            MediaEvent::Speakers { participants: speaker.into_iter().collect() }
        }
        MediaWord::MixState => {
            let place = |link: &yard::media::MediaLink| MixPlace {
                participant: link.open.participant.clone(),
                source: TrackSource::Camera,
                left: 0.0,
                top: 0.0,
                width: 1.0,
                height: 1.0,
            };
            let places = yard.media.links.values().map(place).collect();
            MediaEvent::MixState { link, state: MixState { places, ..MixState::default() } }
        }
        MediaWord::MixFull { full } => MediaEvent::MixFull { why: full.then(|| "busy".into()) },
    };
    yard.media_says(event);
}

fn small() -> Settings {
    let mut settings = Settings { ring_events: 12, ..Settings::default() };
    settings.mix.pictures = 2;
    settings.limits.participants = 5;
    settings
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn links_are_what_the_topology_wants_and_all_pictures_agree_whatever_happens(
        policy in policy(),
        acts in proptest::collection::vec(act(), 1..80),
        ring_events in prop_oneof![Just(3), Just(12), Just(512)],
    ) {
        let mut yard = Yard::with_policy(CLIENTS, Settings { ring_events, ..small() }, policy);
        for act in acts {
            perform(&mut yard, act);
            yard.check();
        }
        // Those who were cut off come back, and see what the others see.
        for who in 0..CLIENTS {
            if !yard.clients[who].hears || yard.clients[who].connection.is_none() {
                resume(&mut yard, who, true, false);
                yard.check();
            }
        }
        yard.elapse(Duration::from_secs(120));
        yard.check();
        yard.notice_dead();
        yard.check();
        for who in 0..CLIENTS {
            say(&mut yard, who, ClientMessage::Leave(Leave {}));
            yard.check();
        }
        yard.elapse(Duration::from_secs(120));
        prop_assert!(yard.room.is_over());
        prop_assert!(yard.media.is_idle);
        prop_assert_eq!(yard.timeout, None);
    }
}
