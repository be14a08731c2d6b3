//! What clients measured, and what follows from it: quality and bit rates.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    Bitrate, ConnectionQuality, LinkId, LinkStats, Presence, Quality, ServerMessage, Stats, Topology,
};

use crate::{
    bandwidth,
    link::Bound,
    quality::Gauge,
    room::{Answer, Room, Timer},
    roster::{Order, Participant},
};

impl Room {
    pub(crate) fn take_report(&mut self, order: Order, stats: &Stats) -> Answer {
        let own: Vec<&LinkStats> =
            self.links.of(order).filter_map(|link| stats.links.iter().find(|report| report.link == link.id)).collect();
        let Some(participant) = self.roster.get_mut(order) else { return Answer::Nothing };
        participant.uplink.report(&own, &self.settings.bandwidth);
        self.bitrates_stale = true;
        if let Some(quality) = participant.quality.report(&own, &self.settings.quality) {
            let participant = participant.info.id.clone();
            self.tell_everyone(ServerMessage::Quality(Quality { participant, quality }));
        }
        Answer::from(())
    }

    /// Sets the timers that tell participants of their bit rates, after links, limits or
    /// measurements changed.
    pub(crate) fn settle_bitrates(&mut self, now: Instant) {
        if std::mem::take(&mut self.bitrates_stale) {
            for order in self.roster.orders() {
                self.bitrates_due(now, order);
            }
        }
    }

    fn bitrates_due(&mut self, now: Instant, order: Order) {
        if self.news(order).is_empty() {
            return;
        }
        let Some(participant) = self.roster.get(order).filter(|participant| participant.is_present()) else { return };
        let at = participant.uplink.told_at.map_or(now, |told| now.max(told + self.settings.bandwidth.interval));
        self.timers.entry(Timer::Bitrate(order)).or_insert(at);
    }

    pub(crate) fn tell_bitrates(&mut self, now: Instant, order: Order) {
        let news = self.news(order);
        if let (false, Some(participant)) = (news.is_empty(), self.roster.get_mut(order)) {
            participant.uplink.told_at = Some(now);
        }
        for (link, bound) in news {
            if let Some(link) = self.links.get_mut(&link) {
                link.end_mut(order).told = Some(bound);
            }
            self.tell_bound(order, &link, bound);
        }
    }

    /// The links whose bound differs from what the participant was told.
    fn news(&self, order: Order) -> Vec<(LinkId, Bound)> {
        let Some(participant) = self.roster.get(order) else { return Vec::new() };
        let settings = &self.settings.bandwidth;
        let links = self.links.of(order).count();
        // Within one PeerConnection the sender's own congestion control shares the uplink.
        let uplink = (self.topology == Topology::Mesh).then_some(&participant.uplink);
        let bound = bandwidth::share(uplink, self.send_limit(), participant.limit(), links, settings);
        let news = self.links.of(order);
        let news = news.filter(|link| bandwidth::is_news(link.end(order).told, bound, settings.least_change));
        news.map(|link| (link.id.clone(), bound)).collect()
    }

    pub(crate) fn tell_bound(&mut self, order: Order, link: &LinkId, bound: Bound) {
        let bitrate = Bitrate {
            link: Some(link.clone()),
            track: None,
            max_send_bps: bound.most,
            max_height: None,
            layers: None,
            reason: bound.reason,
        };
        self.tell(order, Arc::new(ServerMessage::Bitrate(bitrate)));
    }
}

impl Participant {
    /// Its quality as everyone was told, where anything was.
    pub(crate) fn told_quality(&self) -> Option<Quality> {
        let quality = match self.info.presence {
            Presence::Away => ConnectionQuality::Lost,
            Presence::Present => self.quality.current?,
        };
        Some(Quality { participant: self.info.id.clone(), quality })
    }
}

impl Gauge {
    /// What is told of somebody who was away: as before, or good until measured.
    pub(crate) fn on_return(&self) -> ConnectionQuality {
        self.current.unwrap_or(ConnectionQuality::Good)
    }
}
