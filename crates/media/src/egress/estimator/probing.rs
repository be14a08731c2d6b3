//! Bursts that find out whether a path carries more.
//!
//! While less is estimated than is wanted, a burst of some 30 ms is sent at twice the estimate.
//! How fast it arrives is what the path carries. One that arrives as fast as it was sent is
//! followed by the next at once; after one in vain the wait doubles. A probe never lowers the
//! estimate: queues and loss do that.

use super::{Micros, history::Sent};

/// Names a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbeId(u32);

/// A burst to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What its packets are to be sent under.
    pub id: ProbeId,
    /// How fast, in bits per second.
    pub rate: u64,
    /// How much at least.
    pub bytes: usize,
    /// In how many packets at least.
    pub packets: usize,
}

/// Twice what a receiver's batches take, and two of them.
const DURATION_MS: u64 = 30;
const PACKETS: u32 = 5;
/// Five packets of padding.
const LEAST_BYTES: u64 = 1200;
/// From here on the burst says enough, in percent.
const ENOUGH: u64 = 80;
/// A burst is over some time after its last packet, at the latest.
const PATIENCE: Micros = 1_000_000;
const FIRST_WAIT: Micros = 1_000_000;
const LONGEST_WAIT: Micros = 4_000_000;
/// What a probe puts into a queue is gone by then.
const SETTLES: Micros = 200_000;

#[derive(Debug, Default)]
pub(super) struct Probing {
    last: u32,
    /// To be sent.
    offered: Option<Probe>,
    running: Option<Running>,
    /// Not before.
    next: Micros,
    wait: Micros,
    /// When packets of probes were sent last: from, until.
    disturbed: Option<(Micros, Micros)>,
}

#[derive(Debug)]
struct Running {
    probe: Probe,
    since: Micros,
    sent: Burst,
    arrived: Burst,
}

/// The packets of a probe at one end of the path.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    packets: u32,
    bytes: u64,
    first: Micros,
    last: Micros,
    first_bytes: u64,
    last_bytes: u64,
}

impl Burst {
    fn add(&mut self, at: Micros, bytes: u64) {
        if self.packets == 0 || at < self.first {
            (self.first, self.first_bytes) = (at, bytes);
        }
        if self.packets == 0 || at >= self.last {
            (self.last, self.last_bytes) = (at, bytes);
        }
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn rate(bytes: u64, time: Micros) -> u64 {
    bytes.saturating_mul(8_000_000).checked_div(time).unwrap_or(u64::MAX)
}

impl Probing {
    /// Considers a probe.
    pub(super) fn consider(&mut self, now: Micros, estimate: u64, desired: u64) {
        if let Some(running) = &self.running
            && now.saturating_sub(running.since.max(running.sent.last)) >= PATIENCE
        {
            self.failed(now);
        }
        // A little more than is wanted has to be found, since what is found is a little less.
        if self.running.is_some() || self.next > now || estimate >= desired {
            return;
        }
        let rate = (estimate.saturating_mul(2)).min(desired.saturating_add(desired / 5));
        self.last = self.last.wrapping_add(1);
        let bytes = (rate.saturating_mul(DURATION_MS) / 8000).max(LEAST_BYTES);
        let probe = Probe { id: ProbeId(self.last), rate, bytes: bytes as usize, packets: PACKETS as usize };
        self.offered = Some(probe);
        self.running = Some(Running { probe, since: now, sent: Burst::default(), arrived: Burst::default() });
    }

    /// A wait over which nothing is tried, for the path is full.
    pub(super) fn hold(&mut self, now: Micros) {
        if self.offered.take().is_some() {
            self.running = None;
        }
        self.next = self.next.max(now + FIRST_WAIT);
    }

    pub(super) fn poll(&mut self) -> Option<Probe> {
        self.offered.take()
    }

    /// Whether a packet that goes out belongs to the probe that runs.
    pub(super) fn sent(&mut self, now: Micros, id: ProbeId, bytes: u16) -> bool {
        let Some(running) = self.running.as_mut().filter(|running| running.probe.id == id) else { return false };
        running.sent.add(now, u64::from(bytes));
        let from = running.sent.first;
        self.disturbed = Some((from, now));
        true
    }

    /// Whether what was sent then met a probe.
    pub(super) fn disturbs(&self, sent: Micros) -> bool {
        self.disturbed.is_some_and(|(from, until)| sent >= from && sent <= until + SETTLES)
    }

    /// A packet of a probe arrived.
    pub(super) fn arrived(&mut self, sent: &Sent, arrival: Micros) {
        if let Some(running) =
            self.running.as_mut().filter(|running| running.sent.packets > 0 && sent.at >= running.sent.first)
        {
            running.arrived.add(arrival, u64::from(sent.bytes));
        }
    }

    /// At the end of a feedback: the rate found, where it is more than the estimate.
    pub(super) fn result(&mut self, now: Micros, estimate: u64) -> Option<u64> {
        let Running { probe, sent, arrived, .. } = self.running.as_ref()?;
        let enough = |have: u64, least: u64| have.saturating_mul(100) >= least.saturating_mul(ENOUGH);
        if !enough(arrived.bytes, probe.bytes as u64) || !enough(u64::from(arrived.packets), probe.packets as u64) {
            return None;
        }
        // The time that the last packet took to be sent is not known, nor that the first took to come.
        let out = rate(sent.bytes - sent.last_bytes, sent.last - sent.first).min(probe.rate);
        let time = (arrived.last - arrived.first).max((sent.last - sent.first) / 2);
        let came = rate(arrived.bytes - arrived.first_bytes, time);
        // What arrives slower than it was sent has met its limit; what is found is used to nine tenths.
        let limited = came < out / 10 * 9;
        let found = if limited { came / 20 * 19 } else { out };
        if limited || found <= estimate {
            self.failed(now);
        } else {
            (self.running, self.next, self.wait) = (None, now, 0);
        }
        (found > estimate).then_some(found)
    }

    pub(super) fn restart(&mut self, now: Micros) {
        *self = Self { last: self.last, next: now, ..Self::default() };
    }

    fn failed(&mut self, now: Micros) {
        (self.running, self.offered) = (None, None);
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        self.next = now + self.wait;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::history::Fate, *};

    /// Sends a probe of 2 Mbit/s evenly and lets `count` of its packets arrive, one each `every`.
    fn probe(probing: &mut Probing, count: u64, every: Micros) -> Option<u64> {
        probing.consider(0, 1_000_000, 3_000_000);
        let probe = probing.poll().expect("more is wanted");
        assert_eq!((probe.rate, probe.bytes, probing.poll()), (2_000_000, 7500, None));
        for at in (0..count).map(|number| number * 4000) {
            assert!(probing.sent(at, probe.id, 1000));
        }
        for number in 0..count {
            let sent = Sent { at: number * 4000, bytes: 1000, fate: Fate::Arrived, probe: true };
            probing.arrived(&sent, 77 + number * every);
        }
        probing.result(100_000, 1_000_000)
    }

    #[test]
    fn a_burst_that_arrives_as_it_was_sent_is_followed_by_the_next() {
        let mut probing = Probing::default();
        assert_eq!(probe(&mut probing, 8, 4000), Some(2_000_000));
        probing.consider(100_000, 2_000_000, 3_000_000);
        assert_eq!(probing.poll().map(|probe| probe.rate), Some(3_600_000));
    }

    #[test]
    fn one_that_arrives_slower_tells_how_much_there_is_and_the_next_waits() {
        let mut probing = Probing::default();
        assert_eq!(probe(&mut probing, 8, 6000), Some(1_266_654));
        probing.consider(1_000_000, 1_200_000, 3_000_000);
        assert_eq!(probing.poll(), None);
        probing.consider(1_100_000, 1_200_000, 3_000_000);
        assert!(probing.poll().is_some());
    }

    #[test]
    fn too_few_packets_or_too_slow_ones_say_nothing() {
        assert_eq!(probe(&mut Probing::default(), 5, 4000), None);
        assert_eq!(probe(&mut Probing::default(), 1, 4000), None);
        assert_eq!(probe(&mut Probing::default(), 8, 9000), None);
    }
}
