//! What the mixers tell, and the pool that runs their jobs.

use std::time::Duration;

use madang_media::{mcu::JobKind, sfu::Mixing};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPart {
    /// [`JobKind::name`].
    part: &'static str,
}

/// In seconds: from what nobody notices to what is a stall.
const WAITS: [f64; 9] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25];

/// Of the pool; clones share their values.
#[derive(Clone, Debug)]
pub(crate) struct PoolMetrics {
    waiting: Gauge,
    waits: Family<ByPart, Histogram, fn() -> Histogram>,
}

impl Default for PoolMetrics {
    fn default() -> Self {
        let waits: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| Histogram::new(WAITS));
        // So that each is told from the start.
        for part in JobKind::ALL {
            drop(waits.get_or_create(&ByPart { part: part.name() }));
        }
        Self { waiting: Gauge::default(), waits }
    }
}

impl PoolMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("mix_jobs_waiting", "Jobs that wait for a thread", self.waiting.clone());
        registry.register("mix_job_wait_seconds", "How long jobs wait for a thread", self.waits.clone());
    }

    /// So many more wait.
    pub(super) fn sent(&self, count: usize) {
        self.waiting.inc_by(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// One has waited for so long.
    pub(super) fn begun(&self, part: &'static str, waited: Duration) {
        self.waiting.dec();
        self.waits.get_or_create(&ByPart { part }).observe(waited.as_secs_f64());
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> i64 {
        self.waiting.get()
    }
}

/// Of the mixers of all shards; clones share their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct MixMetrics {
    rooms: Gauge,
    viewers: Gauge,
    decoding: Gauge,
    encoding: Gauge,
    limited: Gauge,
    full: Gauge,
    decoded: Counter,
    decoder_faults: Counter,
    encoded: Counter,
    keyframes: Counter,
    sound_packets: Counter,
    late: Counter,
    played: Counter<f64>,
    concealed: Counter<f64>,
    seconds: Family<ByPart, Counter<f64>>,
    pool: PoolMetrics,
}

impl MixMetrics {
    /// Adds them to a registry whose prefix is `madang`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            ("mix_rooms", "Rooms that are mixed for somebody", &self.rooms),
            ("mix_viewers", "Viewers and listeners of mixes", &self.viewers),
            ("mix_decoding", "Sources whose pictures are decoded", &self.decoding),
            ("mix_encoding", "Renditions that are encoded", &self.encoding),
            ("mix_limited", "Rooms whose mix has fewer or smaller pictures than it should", &self.limited),
            ("mix_full", "Rooms whose mix takes no further viewers", &self.full),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            ("mix_decoded", "Pictures decoded", &self.decoded),
            ("mix_decoder_faults", "Frames that could not be decoded", &self.decoder_faults),
            ("mix_encoded", "Pictures encoded", &self.encoded),
            ("mix_keyframes", "Keyframes among the encoded pictures", &self.keyframes),
            ("mix_sound_packets", "Packets of mixed sound", &self.sound_packets),
            ("mix_late", "Pictures left out because the one before was not done", &self.late),
        ] {
            registry.register(name, help, counter.clone());
        }
        for (name, help, counter) in [
            ("mix_played_seconds", "Sound of sources that was played", &self.played),
            ("mix_concealed_seconds", "Of that what was made up for want of packets", &self.concealed),
        ] {
            registry.register(name, help, counter.clone());
        }
        for part in JobKind::ALL {
            drop(self.seconds.get_or_create(&ByPart { part: part.name() }));
        }
        registry.register("mix_seconds", "Processor time of mixing", self.seconds.clone());
        self.pool.register(registry);
    }

    /// What the pool counts with.
    pub(crate) fn pool(&self) -> PoolMetrics {
        self.pool.clone()
    }

    /// Takes over what one shard's mixers have counted since `before`.
    pub(crate) fn publish(&self, before: &Mixing, now: &Mixing) {
        for (gauge, before, now) in [
            (&self.rooms, before.rooms, now.rooms),
            (&self.viewers, before.viewers, now.viewers),
            (&self.decoding, before.decoding, now.decoding),
            (&self.encoding, before.encoding, now.encoding),
            (&self.limited, before.limited, now.limited),
            (&self.full, before.full, now.full),
        ] {
            gauge.inc_by(now.cast_signed().wrapping_sub(before.cast_signed()));
        }
        for (counter, before, now) in [
            (&self.decoded, before.decoded, now.decoded),
            (&self.decoder_faults, before.decoder_faults, now.decoder_faults),
            (&self.encoded, before.encoded, now.encoded),
            (&self.keyframes, before.keyframes, now.keyframes),
            (&self.sound_packets, before.sound_packets, now.sound_packets),
            (&self.late, before.late, now.late),
        ] {
            counter.inc_by(now.saturating_sub(before));
        }
        for (counter, before, now) in
            [(&self.played, before.played_us, now.played_us), (&self.concealed, before.concealed_us, now.concealed_us)]
        {
            counter.inc_by(Duration::from_micros(now.saturating_sub(before)).as_secs_f64());
        }
        for (kind, before, now) in [
            (JobKind::Decode, before.decode_us, now.decode_us),
            (JobKind::Picture, before.picture_us, now.picture_us),
            (JobKind::Sound, before.sound_us, now.sound_us),
        ] {
            let grown = Duration::from_micros(now.saturating_sub(before));
            self.seconds.get_or_create(&ByPart { part: kind.name() }).inc_by(grown.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(metrics: &MixMetrics) -> String {
        let mut registry = Registry::with_prefix("madang");
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a String takes it");
        text
    }

    #[test]
    fn two_shards_add_up_and_what_is_over_is_taken_off() {
        let metrics = MixMetrics::default();
        let none = Mixing::default();
        let some = Mixing { rooms: 2, viewers: 5, encoded: 30, late: 1, picture_us: 1_500_000, ..none };
        metrics.publish(&none, &some);
        metrics.publish(&none, &some);
        metrics.publish(&some, &Mixing { rooms: 0, viewers: 1, encoded: 40, picture_us: 1_750_000, ..some });
        let text = text(&metrics);
        for line in [
            "madang_mix_rooms 2",
            "madang_mix_viewers 6",
            "madang_mix_encoded_total 70",
            "madang_mix_late_total 2",
            "madang_mix_seconds_total{part=\"picture\"} 3.25",
            "madang_mix_seconds_total{part=\"sound\"} 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn waits_are_told_by_what_has_waited() {
        let metrics = MixMetrics::default();
        metrics.pool().sent(2);
        metrics.pool().begun("sound", Duration::from_millis(3));
        let text = text(&metrics);
        for line in [
            "madang_mix_jobs_waiting 1",
            "madang_mix_job_wait_seconds_bucket{le=\"0.002\",part=\"sound\"} 0",
            "madang_mix_job_wait_seconds_bucket{le=\"0.005\",part=\"sound\"} 1",
            "madang_mix_job_wait_seconds_count{part=\"decode\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }
}
