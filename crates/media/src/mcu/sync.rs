//! Lip sync: a picture is shown when the sound that was captured with it is heard.
//!
//! Sound waits in its jitter buffer, so pictures have to wait for it. Which moment of the sender's
//! clock is heard when is told by the mixer of sound ([`Heard`]) and by the sender reports of both
//! streams (RFC 3550 §6.4.1).

use std::time::{Duration, Instant};

use crate::session::SenderReport;

/// Pictures are shown this much before the sound that belongs to them: that is not noticed (ITU-R
/// BT.1359 has the limit of notice at 45 ms), and so much less delay.
const AHEAD: Duration = Duration::from_millis(20);
/// No picture waits for longer: the reports would be at fault.
const LONGEST: Duration = Duration::from_millis(500);
/// Sound waits for pictures as long as this at most, all in all: who talks wants to be answered.
const LONGEST_HOLD: Duration = Duration::from_millis(250);
/// A picture may be so much later than it should without that sound waits for it.
const GOOD_ENOUGH: Duration = Duration::from_millis(10);
/// By so much the estimate follows each picture, in microseconds.
const STEP: i64 = 1500;
/// The mixer of sound is told when that much has changed, and not more often than this.
const ENOUGH: Duration = Duration::from_millis(8);
const TELL: Duration = Duration::from_secs(1);
/// What was heard longer ago says nothing of now.
const STALE: Duration = Duration::from_secs(2);

/// What is heard of somebody, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// A moment of the sender's clock, in microseconds since 1970...
    sent_us: i64,
    /// ...and when it is heard...
    at: Instant,
    /// ...after it has waited for so long.
    waited: Duration,
}

impl Heard {
    /// From what plays of a stream of sound, and the stream's newest report.
    pub(super) fn new(timestamp: u32, at: Instant, waited: Duration, report: SenderReport) -> Self {
        Self { sent_us: report.moment_us(timestamp, 48_000), at, waited }
    }
}

/// When a picture that came at `arrived` should be shown, be it over already; `None` where that is not
/// known.
fn due(arrived: Instant, timestamp: u32, report: Option<SenderReport>, heard: Option<Heard>) -> Option<Instant> {
    let fresh = heard.filter(|heard| {
        let apart = arrived.saturating_duration_since(heard.at).max(heard.at.saturating_duration_since(arrived));
        apart < STALE
    });
    let heard = fresh?;
    let after = report?.moment_us(timestamp, 90_000).saturating_sub(heard.sent_us);
    let shift = Duration::from_micros(after.unsigned_abs());
    let at = if after >= 0 { heard.at.checked_add(shift) } else { heard.at.checked_sub(shift) };
    // Reports that make no sense are not followed half-way.
    at?.checked_sub(AHEAD).filter(|at| *at <= arrived + LONGEST)
}

/// When a picture that came at `arrived` is to be shown.
pub(super) fn show_at(arrived: Instant, timestamp: u32, report: Option<SenderReport>, heard: Option<Heard>) -> Instant {
    due(arrived, timestamp, report, heard).map_or(arrived, |at| at.max(arrived))
}

/// How long sound has to wait for pictures that come later than it.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The median of late, in microseconds: single pictures that were sent again hold nothing up.
    needed: Option<i64>,
    told: Option<(Instant, Duration)>,
}

impl Hold {
    /// A picture has come, and takes `work` until it can be shown.
    pub(super) fn picture(
        &mut self,
        (arrived, work): (Instant, Duration),
        timestamp: u32,
        report: Option<SenderReport>,
        heard: Option<Heard>,
    ) {
        let Some((due, heard)) = due(arrived, timestamp, report, heard).zip(heard) else { return };
        let ready = arrived + work;
        let late = micros(ready.saturating_duration_since(due)) - micros(due.saturating_duration_since(ready));
        let needed = micros(heard.waited) + late - micros(GOOD_ENOUGH);
        let before = *self.needed.get_or_insert(needed);
        self.needed = Some(before + (needed - before).clamp(-STEP, STEP));
    }

    /// What the mixer of sound is to be told now, if anything.
    pub(super) fn news(&mut self, now: Instant) -> Option<Duration> {
        let needed = Duration::from_micros(u64::try_from(self.needed?).unwrap_or(0)).min(LONGEST_HOLD);
        let is_news = self
            .told
            .is_none_or(|(at, told)| now.saturating_duration_since(at) >= TELL && told.abs_diff(needed) > ENOUGH);
        is_news.then(|| {
            self.told = Some((now, needed));
            needed
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const WAITED: Duration = Duration::from_millis(60);

    fn report(at_ms: u64, timestamp: u32) -> SenderReport {
        SenderReport { at_us: at_ms * 1000, timestamp }
    }

    #[test]
    fn a_picture_waits_for_its_sound_less_a_little() {
        let now = Instant::now();
        // Sound captured at 1000 ms of the sender's clock is heard now.
        let heard = Some(Heard::new(48_000, now, WAITED, report(500, 24_000)));
        // A picture of 1000 ms comes 60 ms before; its clock began somewhere else.
        let shown = |timestamp, arrived| show_at(arrived, timestamp, Some(report(900, 5)), heard);
        assert_eq!(shown(5 + 9000, now - 60 * MS), now - AHEAD);
        assert_eq!(shown(5 + 9000 + 3600, now - 60 * MS), now + 40 * MS - AHEAD, "40 ms after that");
        assert_eq!(shown(5 + 9000 - 3600, now), now, "what is late is shown at once");
    }

    #[test]
    fn without_reports_or_sound_a_picture_is_shown_as_it_comes() {
        let now = Instant::now();
        let heard = Some(Heard::new(0, now, WAITED, report(1000, 0)));
        assert_eq!(show_at(now, 0, None, heard), now);
        assert_eq!(show_at(now, 0, Some(report(1000, 0)), None), now);
        assert_eq!(show_at(now + STALE, 900_000, Some(report(1000, 0)), heard), now + STALE, "long silent");
    }

    #[test]
    fn reports_that_make_no_sense_hold_nothing_up() {
        let now = Instant::now();
        let heard = Some(Heard::new(0, now, WAITED, report(1000, 0)));
        assert_eq!(show_at(now, 0, Some(report(90_000_000, 0)), heard), now);
        assert_eq!(show_at(now, 0, Some(SenderReport { at_us: u64::MAX, timestamp: 7 }), heard), now);
        assert_eq!(show_at(now, u32::MAX / 2, Some(SenderReport { at_us: 0, timestamp: 0 }), heard), now);
    }

    #[test]
    fn timestamps_wrap() {
        let now = Instant::now();
        let heard = Some(Heard::new(100, now, WAITED, report(1000, 100)));
        let before_wrap = report(990, u32::MAX - 899);
        assert_eq!(show_at(now - 100 * MS, 0, Some(before_wrap), heard), now - AHEAD);
    }

    #[test]
    fn sound_is_held_for_pictures_that_are_late_and_not_for_a_single_one() {
        let now = Instant::now();
        let heard = Some(Heard::new(48_000, now, WAITED, report(1000, 48_000)));
        let mut hold = Hold::default();
        let mut picture = |late: Duration| hold.picture((now + late, 8 * MS), 0, Some(report(1000, 0)), heard);
        (0..200).for_each(|number| picture(if number % 20 == 9 { 450 * MS } else { 100 * MS }));
        let needed = hold.news(now).expect("news");
        assert!(needed.abs_diff(WAITED + (100 + 8 + 20 - 10) * MS) < 10 * MS, "{needed:?}");
        assert_eq!(hold.news(now + TELL), None, "nothing new");
        (0..200).for_each(|_| hold.picture((now - 100 * MS, 8 * MS), 0, Some(report(1000, 0)), heard));
        assert_eq!(hold.news(now + TELL / 2), None, "not so soon");
        assert_eq!(hold.news(now + TELL), Some(Duration::ZERO));
    }
}
