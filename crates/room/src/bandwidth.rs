//! Shares of a participant's uplink: what each of its links may send, and why.

use std::{collections::HashMap, time::Instant};

use madang_protocol::{BitrateReason, BitsPerSecond, LinkId, LinkStats};

use crate::{link::Bound, settings::BandwidthSettings};

/// What is known of one participant's uplink.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    links: HashMap<LinkId, Measured>,
    congested: bool,
    /// Reports in a row that speak for the other state.
    against: u8,
    /// When the participant was last told of a bit rate.
    pub(crate) told_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    available: f64,
    used: f64,
    loss: f64,
}

/// Reports in a row that have to agree before an uplink counts as the bottleneck, or no longer.
const AGREEING_REPORTS: u8 = 2;
/// Growth from one report to the next by which an estimate is still on its way up, as every
/// estimate is at first. So a first report says nothing.
const CLIMB: f64 = 1.2;
/// Loss that shows congestion even where the estimate does not yet.
const CONGESTION_LOSS: f64 = 0.05;
/// A sender that uses less of its estimate is held back by something else.
const BUSY: f64 = 0.7;

impl Uplink {
    /// Takes in a report about the participant's own links; `links` holds no others.
    pub(crate) fn report(&mut self, links: &[&LinkStats], settings: &BandwidthSettings) {
        self.links.retain(|id, _| links.iter().any(|link| link.link == *id));
        let former = self.available();
        for link in links {
            self.measure(link);
        }
        if self.links.is_empty() {
            return;
        }
        let newest: f64 = links.iter().filter_map(|link| link.available_up_bps).map(|bps| bps.0 as f64).sum();
        let climbs = newest > former * CLIMB;
        let is_short = !climbs && self.is_short(settings);
        let speaks_against = if self.congested { !self.stays_congested(settings) } else { is_short };
        self.against = if speaks_against { self.against.saturating_add(1) } else { 0 };
        if self.against >= AGREEING_REPORTS {
            self.congested = !self.congested;
            self.against = 0;
        }
    }

    fn measure(&mut self, link: &LinkStats) {
        let Some(available) = link.available_up_bps else {
            self.links.remove(&link.link);
            return;
        };
        let now = Measured {
            available: available.0 as f64,
            used: link.up_bps.0 as f64,
            loss: link.loss_up.unwrap_or(0.0).clamp(0.0, 1.0),
        };
        // Half old, half new: estimates jump when a sender probes.
        let blend = |former: &mut Measured| {
            former.available = (former.available + now.available) / 2.0;
            former.used = (former.used + now.used) / 2.0;
            former.loss = now.loss;
        };
        self.links.entry(link.link.clone()).and_modify(blend).or_insert(now);
    }

    /// The links could use more than the uplink has, and they fill it.
    fn is_short(&self, settings: &BandwidthSettings) -> bool {
        let lossy = self.links.values().any(|link| link.loss >= CONGESTION_LOSS);
        self.available() < self.wanted(settings) && (lossy || self.used() >= BUSY * self.available())
    }

    /// Room to spare ends it; so does a sender that no longer fills its share.
    fn stays_congested(&self, settings: &BandwidthSettings) -> bool {
        let idle = self.used() < BUSY / 2.0 * self.available();
        self.available() < 1.2 * self.wanted(settings) && !idle
    }

    fn available(&self) -> f64 {
        self.links.values().map(|link| link.available).sum()
    }

    fn used(&self) -> f64 {
        self.links.values().map(|link| link.used).sum()
    }

    fn wanted(&self, settings: &BandwidthSettings) -> f64 {
        self.links.len() as f64 * settings.link_target.0 as f64
    }

    /// What the uplink has to give in all, where it is the bottleneck.
    fn congestion_limit(&self, settings: &BandwidthSettings) -> Option<BitsPerSecond> {
        let floor = settings.link_floor.0 as f64 * self.links.len() as f64;
        let limit = (self.available() * settings.uplink_share).max(floor);
        self.congested.then_some(BitsPerSecond(limit as u64))
    }
}

/// What each of `links` links may send. Without `uplink` congestion is no reason.
pub(crate) fn share(
    uplink: Option<&Uplink>,
    room: Option<BitsPerSecond>,
    participant: Option<BitsPerSecond>,
    links: usize,
    settings: &BandwidthSettings,
) -> Bound {
    let limits = [
        (room, BitrateReason::RoomLimit),
        (participant, BitrateReason::ParticipantLimit),
        (uplink.and_then(|uplink| uplink.congestion_limit(settings)), BitrateReason::Congestion),
    ];
    let tightest = limits.into_iter().filter_map(|(most, reason)| Some((most?, reason))).min_by_key(|(most, _)| *most);
    match tightest {
        Some((most, reason)) => Bound { most: Some(BitsPerSecond(most.0 / links.max(1) as u64)), reason },
        None => Bound { most: None, reason: BitrateReason::Unlimited },
    }
}

/// Whether a bound differs enough from what was told to tell it.
pub(crate) fn is_news(told: Option<Bound>, bound: Bound, least_change: f64) -> bool {
    let told = told.unwrap_or(Bound { most: None, reason: BitrateReason::Unlimited });
    if told.reason != bound.reason {
        return true;
    }
    match (told.most, bound.most) {
        (Some(told), Some(bound)) => (bound.0 as f64 - told.0 as f64).abs() > told.0 as f64 * least_change,
        (told, bound) => told != bound,
    }
}

#[cfg(test)]
mod tests {
    use BitrateReason::{Congestion, ParticipantLimit, RoomLimit, Unlimited};

    use super::*;

    fn link(name: &str, available: u64, used: u64) -> LinkStats {
        LinkStats {
            link: LinkId::from(name),
            path: None,
            rtt_ms: None,
            loss_down: None,
            loss_up: None,
            up_bps: BitsPerSecond(used),
            down_bps: BitsPerSecond(0),
            available_up_bps: Some(BitsPerSecond(available)),
        }
    }

    fn reported(times: usize, links: &[LinkStats]) -> Uplink {
        let mut uplink = Uplink::default();
        for _ in 0..times {
            uplink.report(&links.iter().collect::<Vec<_>>(), &BandwidthSettings::default());
        }
        uplink
    }

    fn share_of(
        uplink: &Uplink,
        room: Option<u64>,
        participant: Option<u64>,
        links: usize,
    ) -> (Option<u64>, BitrateReason) {
        let limit = |most: Option<u64>| most.map(BitsPerSecond);
        let bound = share(Some(uplink), limit(room), limit(participant), links, &BandwidthSettings::default());
        (bound.most.map(|most| most.0), bound.reason)
    }

    #[test]
    fn without_limits_and_with_room_to_spare_nothing_is_limited() {
        let uplink = reported(5, &[link("a", 3_000_000, 1_500_000), link("b", 3_000_000, 1_500_000)]);
        assert_eq!(share_of(&uplink, None, None, 2), (None, Unlimited));
    }

    #[test]
    fn the_tightest_limit_is_shared_evenly_and_named() {
        let uplink = Uplink::default();
        assert_eq!(share_of(&uplink, Some(900_000), None, 3), (Some(300_000), RoomLimit));
        assert_eq!(share_of(&uplink, Some(900_000), Some(600_000), 3), (Some(200_000), ParticipantLimit));
        assert_eq!(share_of(&uplink, Some(300_000), Some(600_000), 0), (Some(300_000), RoomLimit));
    }

    #[test]
    fn a_full_uplink_is_shared_evenly_after_three_reports() {
        let links = [link("a", 800_000, 750_000), link("b", 200_000, 190_000)];
        assert_eq!(share_of(&reported(2, &links), None, None, 2), (None, Unlimited));
        assert_eq!(share_of(&reported(3, &links), None, None, 2), (Some(475_000), Congestion));
        assert_eq!(share_of(&reported(3, &links), Some(600_000), None, 2), (Some(300_000), RoomLimit));
    }

    #[test]
    fn a_low_estimate_of_a_sender_with_little_to_send_is_no_bottleneck() {
        let sound_only = [link("a", 300_000, 40_000)];
        assert_eq!(share_of(&reported(5, &sound_only), None, None, 1), (None, Unlimited));
    }

    #[test]
    fn an_estimate_that_climbs_is_no_bottleneck() {
        let mut uplink = Uplink::default();
        for available in [300_000, 900_000, 1_800_000, 2_500_000, 2_500_000] {
            uplink.report(&[&link("a", available, available)], &BandwidthSettings::default());
            assert_eq!(share_of(&uplink, None, None, 1), (None, Unlimited), "{available}");
        }
    }

    #[test]
    fn congestion_ends_when_the_estimate_has_room_again() {
        let mut uplink = reported(3, &[link("a", 500_000, 480_000)]);
        assert_eq!(share_of(&uplink, None, None, 1).1, Congestion);
        for _ in 0..6 {
            uplink.report(&[&link("a", 4_000_000, 480_000)], &BandwidthSettings::default());
        }
        assert_eq!(share_of(&uplink, None, None, 1), (None, Unlimited));
    }

    #[test]
    fn a_full_uplink_is_no_reason_where_it_is_not_looked_at() {
        let settings = BandwidthSettings::default();
        let bound = share(None, Some(BitsPerSecond(900_000)), None, 1, &settings);
        assert_eq!(bound, Bound { most: Some(BitsPerSecond(900_000)), reason: RoomLimit });
        assert_eq!(share(None, None, None, 1, &settings), Bound { most: None, reason: Unlimited });
    }

    #[test]
    fn sound_keeps_its_floor_under_congestion() {
        let uplink = reported(3, &[link("a", 20_000, 20_000), link("b", 20_000, 20_000)]);
        assert_eq!(share_of(&uplink, None, None, 2), (Some(64_000), Congestion));
    }

    #[test]
    fn a_small_change_is_no_news_and_another_reason_is() {
        let bound = |most, reason| Bound { most: Some(BitsPerSecond(most)), reason };
        assert!(!is_news(None, Bound { most: None, reason: Unlimited }, 0.1));
        assert!(is_news(None, bound(100, RoomLimit), 0.1));
        assert!(!is_news(Some(bound(100, RoomLimit)), bound(110, RoomLimit), 0.1));
        assert!(is_news(Some(bound(100, RoomLimit)), bound(111, RoomLimit), 0.1));
        assert!(is_news(Some(bound(100, RoomLimit)), bound(100, Congestion), 0.1));
        assert!(is_news(Some(bound(100, RoomLimit)), Bound { most: None, reason: Unlimited }, 0.1));
    }
}
