//! People with cameras and microphones, and the forwarder that mixes them.

use std::time::{Duration, Instant};

use madang_media::{frames::h264, session::LayerId};
use madang_protocol::{
    LinkId, MediaCommand, MediaEvent, Mix, MixLayout, MixPlace, MixState, Rid, TrackId, TrackKind, TrackSource,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::yard::{
    Got, Newcomer, Sent, Yard,
    codecs::{Seen, camera_frame, camera_frame_h264, loudness, redundant_tone_packet, tone_packet},
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Between two pictures, and two packets of sound, by the sender's clock.
const FRAME: Duration = Duration::from_millis(33);
const SOUND: Duration = Duration::from_millis(20);

pub(crate) fn mix(layout: MixLayout, hide_self: bool) -> Mix {
    Mix { audio: TrackId("t_mix_sound".into()), video: TrackId("t_mix_picture".into()), layout, hide_self }
}

pub(crate) fn auto() -> Option<Mix> {
    Some(mix(MixLayout::Auto, false))
}

pub(crate) fn link(name: &str) -> LinkId {
    LinkId(format!("l_{name}"))
}

/// Somebody with a camera of one luma and a microphone of one tone.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) tone: usize,
    pub(crate) luma: u8,
    /// Its luma and its tone change at the same moment, each 1.98 s, between these.
    pub(crate) alternates: Option<[(u8, usize); 2]>,
    /// One picture in three is so much brighter, and another one half as much.
    pub(crate) flicker: u8,
    pub(crate) sound: Option<TrackId>,
    pub(crate) picture: Option<TrackId>,
    pub(crate) silent: bool,
    pub(crate) dark: bool,
    /// How fast its clock runs.
    pub(crate) clock: f64,
    /// How long after its capture each leaves.
    pub(crate) sound_late: Duration,
    pub(crate) picture_late: Duration,
    /// The sizes of its layers, from the smallest.
    pub(crate) layers: Vec<(u16, u16)>,
    pub(crate) codec: &'static str,
    /// Keyframes only when they are asked for; else every tenth picture is one.
    pub(crate) on_demand: bool,
    /// Sends no layers that nobody needs.
    pub(crate) obeys: bool,
    /// Its sound has in-band redundancy.
    pub(crate) redundant: bool,
    /// What it sends is cut and flipped.
    pub(crate) garble: Option<StdRng>,
    camera: Camera,
}

/// What a sender keeps in mind.
struct Camera {
    begin: Instant,
    /// Of pictures, and of packets of sound.
    number: u32,
    packet: u32,
    keyframe: [bool; 3],
    wishes: usize,
    demanded: Option<Vec<Rid>>,
    tone_before: usize,
    late: Vec<(Instant, TrackId, LayerId, Sent)>,
}

/// People, the forwarder, and what they send.
pub(crate) struct Room {
    pub(crate) yard: Yard,
    pub(crate) people: Vec<Person>,
    events: usize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::on(Yard::mixing())
    }

    pub(crate) fn on(yard: Yard) -> Self {
        Self { yard, people: Vec::new(), events: 0 }
    }

    /// Everybody gets the mix.
    pub(crate) fn mixed(names: &[&str]) -> Self {
        let mut room = Self::new();
        names.iter().for_each(|name| room.come(name, auto()));
        room
    }

    pub(crate) fn come(&mut self, name: &str, mix: Option<Mix>) {
        self.come_as(name, Newcomer { mix, ..Newcomer::default() });
    }

    pub(crate) fn come_as(&mut self, name: &str, newcomer: Newcomer) {
        let codec = newcomer.codec;
        self.yard.join_with(name, newcomer);
        self.add(name, TrackSource::Camera, TrackSource::Microphone, codec);
    }

    /// Somebody who is there shares a screen, with its sound.
    pub(crate) fn share(&mut self, name: &str) {
        self.add(name, TrackSource::Screen, TrackSource::Screen, "VP8");
    }

    fn add(&mut self, name: &str, picture: TrackSource, sound: TrackSource, codec: &'static str) {
        let sound = self.yard.publish_as(name, TrackKind::Audio, sound);
        let layers: &[_] = if picture == TrackSource::Screen {
            &[(640, 360), (1280, 720)]
        } else {
            &[(320, 180), (640, 360), (1280, 720)]
        };
        let picture = self.yard.publish_as(name, TrackKind::Video, picture);
        let place = self.people.len();
        let camera = Camera {
            begin: self.yard.now,
            number: 0,
            packet: 0,
            keyframe: [true; 3],
            wishes: 0,
            demanded: None,
            tone_before: 0,
            late: Vec::new(),
        };
        self.people.push(Person {
            name: name.to_owned(),
            tone: place % 8,
            luma: 60 + 25 * u8::try_from(place % 7).expect("few"),
            alternates: None,
            flicker: 0,
            sound: Some(sound),
            picture: Some(picture),
            silent: false,
            dark: false,
            clock: 1.0,
            sound_late: Duration::ZERO,
            picture_late: Duration::ZERO,
            layers: layers.to_vec(),
            codec,
            on_demand: false,
            obeys: false,
            redundant: false,
            garble: None,
            camera,
        });
    }

    /// Watches and says nothing.
    pub(crate) fn watcher(&mut self, name: &str, newcomer: Newcomer) {
        self.yard.join_with(name, newcomer);
    }

    pub(crate) fn part(&mut self, name: &str) {
        self.yard.part(name);
        self.people.retain(|person| person.name != name);
    }

    pub(crate) fn person(&mut self, name: &str) -> &mut Person {
        self.people.iter_mut().find(|person| person.name == name).expect("somebody")
    }

    pub(crate) fn command(&mut self, command: MediaCommand) {
        self.yard.command(command);
    }

    pub(crate) fn mix(&mut self, name: &str, mix: Option<Mix>) {
        self.command(MediaCommand::Mix { link: link(name), mix });
    }

    pub(crate) fn mute(&mut self, track: &TrackId, muted: bool) {
        self.command(MediaCommand::MuteTrack { track: track.clone(), muted });
    }

    /// Lets everybody talk and be seen.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.yard.now + time;
        while self.yard.now < end {
            for event in &self.yard.events[self.events.min(self.yard.events.len())..] {
                if let MediaEvent::Demand { track, layers, .. } = event
                    && let Some(person) = self.people.iter_mut().find(|person| person.picture.as_ref() == Some(track))
                {
                    person.camera.demanded.clone_from(layers);
                }
            }
            self.events = self.yard.events.len();
            for person in &mut self.people {
                person.produce(&mut self.yard);
            }
            self.yard.run(MS);
        }
    }

    pub(crate) fn got(&self, name: &str, track: &str) -> impl Iterator<Item = &Got> {
        let track = TrackId(track.into());
        self.yard.people[name].got.iter().filter(move |got| got.track == track)
    }

    /// Forgets what everybody got so far.
    pub(crate) fn forget(&mut self) {
        self.yard.people.values_mut().for_each(|person| person.got.clear());
    }

    pub(crate) fn pictures(&self, name: &str) -> Vec<(&Got, Seen)> {
        self.got(name, "t_mix_picture").filter_map(|got| Some((got, Seen::parse(&got.payload)?))).collect()
    }

    pub(crate) fn pictures_since(&self, name: &str, since: Instant) -> Vec<(&Got, Seen)> {
        let got = self.got(name, "t_mix_picture").filter(|got| got.at >= since);
        got.filter_map(|got| Some((got, Seen::parse(&got.payload)?))).collect()
    }

    /// How loud each tone was in the last half second.
    pub(crate) fn heard(&self, name: &str) -> Vec<u8> {
        let from = self.yard.now - SECOND / 2;
        let packets: Vec<_> = self.got(name, "t_mix_sound").filter(|got| got.at > from).collect();
        assert!(packets.len() >= 23, "{name} got {} packets in half a second", packets.len());
        let levels: Vec<_> = packets.iter().map(|got| loudness(&got.payload)).collect();
        (0..8).map(|tone| levels.iter().map(|levels| levels[tone]).max().unwrap_or(0)).collect()
    }

    pub(crate) fn state(&self, name: &str) -> MixState {
        let of = |event: &MediaEvent| match event {
            MediaEvent::MixState { link: of, state } if *of == link(name) => Some(state.clone()),
            _ => None,
        };
        self.yard.events.iter().rev().find_map(of).expect("a state was told")
    }

    pub(crate) fn luma(&self, name: &str) -> u8 {
        self.people.iter().find(|person| person.name == name).expect("somebody").luma
    }

    /// The newest picture shows everybody where the state says.
    pub(crate) fn assert_places(&self, viewer: &str, names: &[&str]) {
        let state = self.state(viewer);
        let mut shown: Vec<&str> = state.places.iter().map(|place| &place.participant.0[2..]).collect();
        shown.sort_unstable();
        assert_eq!(shown, names);
        let pictures = self.pictures(viewer);
        let (_, seen) = pictures.last().expect("a picture");
        for place in &state.places {
            let luma = middle(seen, place);
            assert!(luma.abs_diff(self.luma(&place.participant.0[2..])) <= 2, "{viewer} at {place:?}: {luma}");
        }
    }

    /// Somebody's place in a viewer's mix.
    pub(crate) fn place(&self, viewer: &str, of: &str, source: TrackSource) -> MixPlace {
        let state = self.state(viewer);
        let is_it = |place: &&MixPlace| place.participant.0[2..] == *of && place.source == source;
        state.places.iter().find(is_it).expect("a place in the viewer's mix").clone()
    }

    /// What somebody's tile showed in each picture that came since then.
    pub(crate) fn tile(&self, viewer: &str, of: &str, since: Instant) -> Vec<(Instant, u8)> {
        let place = self.place(viewer, of, TrackSource::Camera);
        let pictures = self.pictures_since(viewer, since);
        pictures.iter().map(|(got, seen)| (got.at, middle(seen, &place))).collect()
    }

    /// The longest time for which somebody's tile did not change.
    pub(crate) fn frozen(&self, viewer: &str, of: &str, since: Instant) -> Duration {
        let shown = self.tile(viewer, of, since);
        let (mut last, mut longest) = ((since, None), Duration::ZERO);
        for (at, luma) in shown {
            if last.1 != Some(luma) {
                longest = longest.max(at - last.0);
                last = (at, Some(luma));
            }
        }
        longest.max(self.yard.now - last.0)
    }

    /// The longest pause of the mixed picture since then.
    pub(crate) fn longest_pause(&self, name: &str, since: Instant) -> Duration {
        let times: Vec<_> = self.pictures_since(name, since).iter().map(|(got, _)| got.at).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(Duration::MAX)
    }

    /// The mix's sound came since then without a hole, each packet in its time or so much later.
    pub(crate) fn assert_sound(&self, name: &str, since: Instant, late: Duration) {
        let got: Vec<_> = self.got(name, "t_mix_sound").filter(|got| got.at >= since).collect();
        let expected = (self.yard.now - since).as_millis() / 20;
        let on_the_way = 1 + late.as_millis() / 20;
        assert!(got.len() as u128 + on_the_way >= expected, "{name} got {} of {expected} packets", got.len());
        for pair in got.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq + 1);
            assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), 960, "a hole in {name}'s sound");
            let apart = pair[1].at - pair[0].at;
            assert!(apart <= Duration::from_millis(21) + late, "{apart:?} between two packets");
        }
    }
}

/// The luma in the middle of a place.
pub(crate) fn middle(seen: &Seen, place: &MixPlace) -> u8 {
    seen.at(place.left + place.width / 2.0, place.top + place.height / 2.0)
}

impl Person {
    /// From now on what it sends is garbage, most of it.
    pub(crate) fn garble(&mut self, seed: u64) {
        self.garble = Some(StdRng::seed_from_u64(seed));
    }

    /// Its next pictures are keyframes.
    pub(crate) fn want_keyframes(&mut self) {
        self.camera.keyframe = [true; 3];
    }

    /// When its clock shows so many times an interval.
    fn moment(&self, count: u32, interval: Duration) -> Instant {
        self.camera.begin + (interval * count).div_f64(self.clock)
    }

    fn produce(&mut self, yard: &mut Yard) {
        let now = yard.now;
        while self.moment(self.camera.packet, SOUND) <= now {
            let at = self.moment(self.camera.packet, SOUND);
            self.speak(at);
            self.camera.packet += 1;
        }
        while self.moment(self.camera.number, FRAME) <= now {
            let at = self.moment(self.camera.number, FRAME);
            self.note_wishes(yard);
            self.show(at);
            self.camera.number += 1;
        }
        if yard.people.contains_key(&self.name) {
            for (_, track, layer, sent) in self.camera.late.extract_if(.., |(at, ..)| *at <= now) {
                yard.send_packet(&self.name, &track, layer, sent);
            }
        }
    }

    fn note_wishes(&mut self, yard: &Yard) {
        let Some(participant) = yard.people.get(&self.name) else { return };
        for (_, layer) in &participant.keyframe_wishes[self.camera.wishes..] {
            match layer.and_then(|layer| self.camera.keyframe.get_mut(usize::from(layer.0))) {
                Some(wanted) => *wanted = true,
                None => self.camera.keyframe = [true; 3],
            }
        }
        self.camera.wishes = participant.keyframe_wishes.len();
    }

    fn speak(&mut self, at: Instant) {
        if let Some(states) = self.alternates {
            self.tone = states[(self.camera.packet / 99) as usize % 2].1;
        }
        let payload = if self.redundant {
            redundant_tone_packet(self.tone, self.camera.tone_before)
        } else {
            tone_packet(self.tone)
        };
        let payload = match &mut self.garble {
            Some(random) => garbled(payload, random),
            None => payload,
        };
        self.camera.tone_before = self.tone;
        let Some(track) = self.sound.clone().filter(|_| !self.silent) else { return };
        let timestamp = self.camera.packet.wrapping_mul(960).wrapping_add(77_000);
        let sent = Sent { timestamp, payload, at, marker: false, codec: "opus" };
        self.camera.late.push((at + self.sound_late, track, LayerId(0), sent));
    }

    /// A picture in all layers, whose time stamps begin anywhere.
    fn show(&mut self, at: Instant) {
        let number = self.camera.number;
        if let Some(states) = self.alternates {
            self.luma = states[(number / 60) as usize % 2].0;
        }
        let Some(track) = self.picture.clone().filter(|_| !self.dark) else { return };
        let luma = self.luma + [0, self.flicker / 2, self.flicker][number as usize % 3];
        let rids: &[&str] = if self.layers.len() == 2 { &["l", "h"] } else { &["l", "m", "h"] };
        for (place, size) in self.layers.clone().into_iter().enumerate() {
            let is_needed =
                self.camera.demanded.as_ref().is_none_or(|rids_| rids_.iter().any(|rid| rid.0 == rids[place]));
            if self.obeys && !is_needed {
                self.camera.keyframe[place] = true;
                continue;
            }
            let asked = self.camera.keyframe[place];
            let keyframe = if self.on_demand { asked } else { asked || number % 10 == 1 };
            self.camera.keyframe[place] = false;
            let timestamp = number.wrapping_mul(2970).wrapping_add(1_234_567 * (place as u32 + 1));
            let layer = LayerId(u8::try_from(place).expect("few"));
            let payloads = self.payloads(keyframe, size, luma);
            let count = payloads.len();
            for (index, payload) in payloads.into_iter().enumerate() {
                let sent = Sent { timestamp, payload, at, marker: index + 1 == count, codec: self.codec };
                self.camera.late.push((at + self.picture_late, track.clone(), layer, sent));
            }
        }
    }

    fn payloads(&mut self, keyframe: bool, size: (u16, u16), luma: u8) -> Vec<Vec<u8>> {
        let payloads = if self.codec == "H264" {
            h264::packetize(&camera_frame_h264(keyframe, size, luma), 1000)
        } else {
            let [.., high, low] = self.camera.number.to_be_bytes();
            let mut payload = vec![0x90, 0xE0, 0x80 | high, low, low, 0x20];
            payload.extend(camera_frame(keyframe, size, luma));
            vec![payload]
        };
        match &mut self.garble {
            Some(random) => payloads.into_iter().map(|payload| garbled(payload, random)).collect(),
            None => payloads,
        }
    }
}

/// A payload that is cut, has something added, has bits flipped, or is as it was.
fn garbled(mut payload: Vec<u8>, random: &mut StdRng) -> Vec<u8> {
    match random.random_range(0..4) {
        0 => payload.truncate(random.random_range(0..payload.len())),
        1 => payload.extend((0..random.random_range(1..40)).map(|_| random.random::<u8>())),
        2 => {}
        _ => {
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..payload.len());
                payload[at] ^= 1 << random.random_range(0..8);
            }
        }
    }
    payload
}
