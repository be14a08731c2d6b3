//! How well a participant is connected: its worst link decides, and two reports have to agree.

use madang_protocol::{ConnectionQuality, LinkStats};

use crate::settings::QualitySettings;

#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// What was last told, once anything was measured.
    pub(crate) current: Option<ConnectionQuality>,
    /// Another value, and how many reports in a row gave it.
    rising: Option<(ConnectionQuality, u8)>,
}

impl Gauge {
    /// Takes in a report about all of a participant's links. Returns the quality if it changed.
    pub(crate) fn report(&mut self, links: &[&LinkStats], settings: &QualitySettings) -> Option<ConnectionQuality> {
        let measured = worst(links, settings).or_else(|| self.lost(links))?;
        if self.current == Some(measured) {
            self.rising = None;
            return None;
        }
        let reports = match self.rising {
            Some((quality, reports)) if quality == measured => reports.saturating_add(1),
            _ => 1,
        };
        self.rising = Some((measured, reports));
        if self.current.is_some() && reports < settings.reports {
            return None;
        }
        self.current = Some(measured);
        self.rising = None;
        Some(measured)
    }

    /// Every link is gone: none has a path, though some had.
    fn lost(&self, links: &[&LinkStats]) -> Option<ConnectionQuality> {
        let none_has_a_path = !links.is_empty() && links.iter().all(|link| link.path.is_none());
        (none_has_a_path && self.current.is_some()).then_some(ConnectionQuality::Lost)
    }
}

fn worst(links: &[&LinkStats], settings: &QualitySettings) -> Option<ConnectionQuality> {
    links.iter().filter_map(|link| of_link(link, settings)).max_by_key(|quality| badness(*quality))
}

fn of_link(link: &LinkStats, settings: &QualitySettings) -> Option<ConnectionQuality> {
    if link.rtt_ms.is_none() && link.loss_up.is_none() && link.loss_down.is_none() {
        return None;
    }
    let rtt = link.rtt_ms.unwrap_or(0.0);
    let loss = link.loss_up.unwrap_or(0.0).max(link.loss_down.unwrap_or(0.0));
    Some(if rtt < settings.excellent_rtt_ms && loss < settings.excellent_loss {
        ConnectionQuality::Excellent
    } else if rtt < settings.good_rtt_ms && loss < settings.good_loss {
        ConnectionQuality::Good
    } else {
        ConnectionQuality::Poor
    })
}

fn badness(quality: ConnectionQuality) -> u8 {
    match quality {
        ConnectionQuality::Excellent => 0,
        ConnectionQuality::Good => 1,
        ConnectionQuality::Poor => 2,
        ConnectionQuality::Lost => 3,
    }
}

#[cfg(test)]
mod tests {
    use ConnectionQuality::{Excellent, Good, Lost, Poor};
    use madang_protocol::{BitsPerSecond, LinkId, LinkPath};

    use super::*;

    fn link(rtt_ms: f64, loss: f64) -> LinkStats {
        LinkStats { rtt_ms: Some(rtt_ms), loss_down: Some(loss), path: Some(LinkPath::Direct), ..silent() }
    }

    fn silent() -> LinkStats {
        LinkStats {
            link: LinkId::from("l_1"),
            path: None,
            rtt_ms: None,
            loss_down: None,
            loss_up: None,
            up_bps: BitsPerSecond(0),
            down_bps: BitsPerSecond(0),
            available_up_bps: None,
        }
    }

    fn report(gauge: &mut Gauge, links: &[LinkStats]) -> Option<ConnectionQuality> {
        gauge.report(&links.iter().collect::<Vec<_>>(), &QualitySettings::default())
    }

    #[test]
    fn the_first_measurement_counts_at_once() {
        assert_eq!(report(&mut Gauge::default(), &[link(20.0, 0.0)]), Some(Excellent));
        assert_eq!(report(&mut Gauge::default(), &[link(200.0, 0.0)]), Some(Good));
        assert_eq!(report(&mut Gauge::default(), &[link(20.0, 0.05)]), Some(Good));
        assert_eq!(report(&mut Gauge::default(), &[link(20.0, 0.08)]), Some(Poor));
        assert_eq!(report(&mut Gauge::default(), &[link(400.0, 0.0)]), Some(Poor));
    }

    #[test]
    fn the_worst_link_decides() {
        assert_eq!(report(&mut Gauge::default(), &[link(20.0, 0.0), link(500.0, 0.0), link(200.0, 0.0)]), Some(Poor));
    }

    #[test]
    fn two_reports_in_a_row_change_it_and_one_does_not() {
        let mut gauge = Gauge::default();
        report(&mut gauge, &[link(20.0, 0.0)]);
        assert_eq!(report(&mut gauge, &[link(500.0, 0.0)]), None);
        assert_eq!(report(&mut gauge, &[link(20.0, 0.0)]), None);
        assert_eq!(report(&mut gauge, &[link(500.0, 0.0)]), None);
        assert_eq!(report(&mut gauge, &[link(500.0, 0.0)]), Some(Poor));
        assert_eq!(report(&mut gauge, &[link(500.0, 0.0)]), None);
    }

    #[test]
    fn nothing_measured_says_nothing() {
        let mut gauge = Gauge::default();
        assert_eq!(report(&mut gauge, &[]), None);
        assert_eq!(report(&mut gauge, &[silent()]), None);
        assert_eq!(gauge.current, None);
    }

    #[test]
    fn links_that_all_lost_their_path_are_lost() {
        let mut gauge = Gauge::default();
        report(&mut gauge, &[link(20.0, 0.0)]);
        assert_eq!(report(&mut gauge, &[silent(), silent()]), None);
        assert_eq!(report(&mut gauge, &[silent(), silent()]), Some(Lost));
    }
}
