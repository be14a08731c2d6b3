//! What a run found, as a table or as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use madang_client::{histogram::Histogram, receive::Figures};
use serde::Serialize;

use super::{Media, Options, crowd::Crowd, crowd::Tally};
use crate::loadtest::{process::Usage, report::Percentiles};

/// Times in milliseconds unless named, rates per second, memory in bytes. Absent: not measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    rooms: u32,
    publishers: u32,
    subscribers: u32,
    simulcast: bool,
    media: Media,
    /// How long was measured.
    seconds: f64,
    inside: u64,
    /// From the first connection until every stream flowed.
    begin_seconds: f64,
    streams_expected: u64,
    streams: u64,
    packet_rate: f64,
    receive_mbps: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<Video>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<Sound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerCost>,
    /// Processor time of this load generator per second: near 1, it measures itself.
    generator_cores: f64,
    links_failed: u64,
    reconnects: u64,
    errors: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Video {
    streams: usize,
    /// Frames shown per second of a stream: the mean, and the worst stream.
    frame_rate: f64,
    frame_rate_lowest: f64,
    lost_packets: u64,
    /// Frames that came whole but refer to one that did not.
    unusable_frames: u64,
    freezes: u64,
    streams_frozen: usize,
    /// Of all the time of all streams.
    frozen_share: f64,
    first_frame_ms: Percentiles,
    delay_ms: Percentiles,
    /// Streams by the size that they had at the end.
    sizes: BTreeMap<String, usize>,
    size_changes: u64,
    keyframe_requests: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Sound {
    streams: usize,
    /// Packets per second of a stream: the mean, and the worst stream.
    packet_rate: f64,
    packet_rate_lowest: f64,
    lost_packets: u64,
}

#[derive(Clone, Debug, Serialize)]
struct ServerCost {
    /// Processor time per second; 1 is one core.
    cores: f64,
    /// Processor time per packet that reached a receiver, in microseconds.
    cpu_us_per_packet: f64,
    memory: u64,
    /// What was added since it was empty, by participant.
    memory_per_participant: u64,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        crowd: &Crowd,
        tally: &Tally,
        began_in: Duration,
        measured: Duration,
        generator_cores: f64,
        server: Option<(Usage, Usage, Usage)>,
    ) -> Self {
        let seconds = measured.as_secs_f64().max(0.001);
        let packets: u64 = tally.all().map(|figures| figures.packets).sum();
        let bytes: u64 = tally.all().map(|figures| figures.bytes).sum();
        Self {
            rooms: options.rooms,
            publishers: options.publishers,
            subscribers: options.subscribers,
            simulcast: options.simulcast,
            media: options.media,
            seconds,
            inside: crowd.inside(),
            begin_seconds: began_in.as_secs_f64(),
            streams_expected: options.streams(),
            streams: crowd.streams(),
            packet_rate: packets as f64 / seconds,
            receive_mbps: bytes as f64 * 8.0 / seconds / 1e6,
            video: options.media.has_video().then(|| Video::new(tally, seconds)),
            sound: options.media.has_sound().then(|| Sound::new(tally, seconds)),
            server: server.map(|server| ServerCost::new(server, crowd.people(), packets, seconds)),
            generator_cores,
            links_failed: crowd.links_failed,
            reconnects: crowd.reconnects,
            errors: crowd.errors,
        }
    }
}

fn sum(streams: &[&Figures], of: impl Fn(&Figures) -> u64) -> u64 {
    streams.iter().map(|figures| of(figures)).sum()
}

/// The mean and the least of a count, per second.
fn rates(streams: &[&Figures], seconds: f64, of: impl Fn(&Figures) -> u64) -> (f64, f64) {
    let mean = sum(streams, &of) as f64 / streams.len().max(1) as f64 / seconds;
    let least = streams.iter().map(|figures| of(figures)).min().unwrap_or(0);
    (mean, least as f64 / seconds)
}

impl Video {
    fn new(tally: &Tally, seconds: f64) -> Self {
        let streams: Vec<&Figures> = tally.video.values().collect();
        let (frame_rate, frame_rate_lowest) = rates(&streams, seconds, |figures| figures.shown);
        let frozen: Duration = streams.iter().map(|figures| figures.frozen).sum();
        let mut sizes = BTreeMap::new();
        let mut first = Histogram::default();
        for figures in &streams {
            if let Some(size) = figures.size {
                *sizes.entry(size.to_string()).or_insert(0) += 1;
            }
            if let Some(shown) = figures.first_shown {
                first.record(shown);
            }
        }
        Self {
            streams: streams.len(),
            frame_rate,
            frame_rate_lowest,
            lost_packets: sum(&streams, |figures| figures.lost),
            unusable_frames: sum(&streams, |figures| figures.frames - figures.shown),
            freezes: sum(&streams, |figures| figures.freezes),
            streams_frozen: streams.iter().filter(|figures| figures.freezes > 0).count(),
            frozen_share: frozen.as_secs_f64() / seconds / streams.len().max(1) as f64,
            first_frame_ms: percentiles(&first),
            delay_ms: percentiles(&tally.delays()),
            sizes,
            size_changes: sum(&streams, |figures| figures.size_changes),
            keyframe_requests: sum(&streams, |figures| figures.keyframe_requests),
        }
    }
}

impl Sound {
    fn new(tally: &Tally, seconds: f64) -> Self {
        let streams: Vec<&Figures> = tally.sound.values().collect();
        let (packet_rate, packet_rate_lowest) = rates(&streams, seconds, |figures| figures.packets);
        let lost_packets = sum(&streams, |figures| figures.lost);
        Self { streams: streams.len(), packet_rate, packet_rate_lowest, lost_packets }
    }
}

impl ServerCost {
    fn new((empty, before, after): (Usage, Usage, Usage), people: usize, packets: u64, seconds: f64) -> Self {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Self {
            cores: cpu / seconds,
            cpu_us_per_packet: cpu * 1e6 / packets.max(1) as f64,
            memory: after.memory,
            memory_per_participant: after.memory.saturating_sub(empty.memory) / people.max(1) as u64,
        }
    }
}

fn percentiles(histogram: &Histogram) -> Percentiles {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    Percentiles {
        p50: millis(histogram.percentile(0.5)),
        p99: millis(histogram.percentile(0.99)),
        max: millis(histogram.longest()),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24}{value}");
        let Self { rooms, publishers, subscribers, .. } = self;
        let simulcast = if self.simulcast { ", simulcast" } else { "" };
        row("rooms", format!("{rooms} of {publishers} who publish and {subscribers} who watch{simulcast}"))?;
        row("begun in", format!("{:.1} s; {} inside", self.begin_seconds, self.inside))?;
        row("streams", format!("{} of {}", self.streams, self.streams_expected))?;
        row("measured", format!("{:.1} s", self.seconds))?;
        row("received", format!("{:.0} packets/s, {:.1} Mbit/s", self.packet_rate, self.receive_mbps))?;
        if let Some(video) = &self.video {
            row("frames", format!("{:.1} /s; worst stream {:.1} /s", video.frame_rate, video.frame_rate_lowest))?;
            row("first frame", video.first_frame_ms.to_string())?;
            row("delay", video.delay_ms.to_string())?;
            let frozen = video.frozen_share * 100.0;
            row("freezes", format!("{} in {} streams, {frozen:.2} % of time", video.freezes, video.streams_frozen))?;
            row("lost packets", format!("{}; {} frames of no use", video.lost_packets, video.unusable_frames))?;
            let sizes: Vec<String> = video.sizes.iter().map(|(size, streams)| format!("{streams} at {size}")).collect();
            row("sizes", format!("{}; {} changes", sizes.join(", "), video.size_changes))?;
            row("keyframes asked for", video.keyframe_requests.to_string())?;
        }
        if let Some(sound) = &self.sound {
            let Sound { packet_rate, packet_rate_lowest, lost_packets, .. } = sound;
            let rate = format!("{packet_rate:.1} packets/s; worst stream {packet_rate_lowest:.1} /s");
            row("sound", format!("{rate}; {lost_packets} lost"))?;
        }
        if let Some(server) = &self.server {
            row("server's CPU", format!("{:.2} cores; {:.1} µs a packet", server.cores, server.cpu_us_per_packet))?;
            let each = server.memory_per_participant / 1024;
            row("server's memory", format!("{:.1} MB; {each} KiB a participant", server.memory as f64 / 1e6))?;
        }
        row("generator's CPU", format!("{:.2} cores", self.generator_cores))?;
        row("links failed", self.links_failed.to_string())?;
        row("errors", format!("{}; {} connections lost", self.errors, self.reconnects))
    }
}
