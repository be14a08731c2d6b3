//! Which packets of a track's layers a subscription gets.
//!
//! A receiver can go over to another layer at a keyframe only. Until one of the layer wanted
//! comes it keeps the layer that it has; where that has stopped, any keyframe will do.

use crate::{
    payload::{PayloadInfo, SwitchUp},
    session::LayerId,
};

use super::layers::LayerSet;

/// All temporal layers: three bits at most hold their number.
const ALL_TEMPORAL: u8 = 7;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It begins the layer: `Rewriter::begin`.
    Begin,
    /// It goes out.
    Forward,
    /// It belongs to the present layer, and is left out.
    LeaveOut,
    /// It belongs to no layer that this subscription has.
    Ignore,
}

/// What the subscription is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The layer.
    pub layer: LayerId,
    /// The highest temporal layer; `None` for all.
    pub temporal: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    layer: LayerId,
    /// The highest temporal layer that goes out.
    temporal: u8,
    /// The newest frame and whether it goes out: a frame is not cut in two.
    frame: Option<(u32, bool)>,
}

/// Chooses for one subscription. See the module.
#[derive(Clone, Debug, Default)]
pub struct LayerSelector {
    target: Option<Target>,
    current: Option<Current>,
}

impl LayerSelector {
    /// What to go over to; `None` pauses at once.
    pub fn set_target(&mut self, target: Option<Target>) {
        self.target = target;
        match (target, &mut self.current) {
            (None, current) => *current = None,
            (Some(target), Some(current)) => current.temporal = current.temporal.min(limit(target)),
            (Some(_), None) => {}
        }
    }

    /// Another source's packets follow, which go on at a keyframe.
    pub fn begin_anew(&mut self) {
        self.current = None;
    }

    /// What it goes over to.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.target
    }

    /// The layer that goes out; `None` while paused or waiting for the first keyframe.
    #[must_use]
    pub fn current(&self) -> Option<LayerId> {
        self.current.map(|current| current.layer)
    }

    /// The highest temporal layer that goes out.
    #[must_use]
    pub fn temporal(&self) -> Option<u8> {
        self.current.map(|current| current.temporal)
    }

    /// The layer of which a keyframe is needed to get on. `live` are those that the publisher
    /// sends; of others it is useless to ask for one.
    #[must_use]
    pub fn want_keyframe(&self, live: LayerSet) -> Option<LayerId> {
        let wanted = live.closest(self.target?.layer)?;
        (self.current() != Some(wanted)).then_some(wanted)
    }

    /// Decides about a packet.
    pub fn packet(&mut self, layer: LayerId, timestamp: u32, info: &PayloadInfo, live: LayerSet) -> Verdict {
        let Some(target) = self.target else { return Verdict::Ignore };
        if self.current() != Some(layer) {
            if !(info.keyframe && self.may_begin(layer, target.layer, live)) {
                return Verdict::Ignore;
            }
            self.current = Some(Current { layer, temporal: limit(target), frame: Some((timestamp, true)) });
            return Verdict::Begin;
        }
        let Some(current) = &mut self.current else { return Verdict::Ignore };
        if current.takes(timestamp, info, limit(target)) { Verdict::Forward } else { Verdict::LeaveOut }
    }

    /// The target's keyframe is always right. Another layer's is where nothing better is sent
    /// now: there is no current layer, or it has stopped.
    fn may_begin(&self, layer: LayerId, target: LayerId, live: LayerSet) -> bool {
        if layer == target {
            return true;
        }
        let stopped = self.current.is_none_or(|current| !live.contains(current.layer));
        let best = live.closest(target);
        // A smaller one begins at once, and the best one follows; a larger one may not fit.
        best == Some(layer) || stopped && layer <= target
    }
}

impl Current {
    fn takes(&mut self, timestamp: u32, info: &PayloadInfo, limit: u8) -> bool {
        if let Some((frame, taken)) = self.frame
            && frame == timestamp
        {
            return taken;
        }
        if info.keyframe {
            self.temporal = limit;
        }
        let temporal = info.temporal.unwrap_or(0);
        // The layer just above: one higher may need the one between.
        if info.switch_up == SwitchUp::Into && info.frame_start && temporal == self.temporal.saturating_add(1) {
            self.temporal = temporal.min(limit);
        }
        let taken = temporal <= self.temporal;
        if taken && info.switch_up == SwitchUp::Above {
            self.temporal = limit;
        }
        self.frame = Some((timestamp, taken));
        taken
    }
}

fn limit(target: Target) -> u8 {
    target.temporal.unwrap_or(ALL_TEMPORAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: LayerId = LayerId(0);
    const MID: LayerId = LayerId(1);
    const HIGH: LayerId = LayerId(2);

    fn set(layers: &[LayerId]) -> LayerSet {
        layers.iter().copied().collect()
    }

    fn selector(layer: LayerId, temporal: Option<u8>) -> LayerSelector {
        let mut selector = LayerSelector::default();
        selector.set_target(Some(Target { layer, temporal }));
        selector
    }

    fn key() -> PayloadInfo {
        PayloadInfo { keyframe: true, frame_start: true, temporal: Some(0), ..PayloadInfo::default() }
    }

    fn delta(temporal: u8, switch_up: SwitchUp) -> PayloadInfo {
        PayloadInfo { frame_start: true, temporal: Some(temporal), switch_up, ..PayloadInfo::default() }
    }

    const PLAIN: PayloadInfo = PayloadInfo {
        keyframe: false,
        frame_start: false,
        frame_end: false,
        temporal: None,
        spatial: None,
        switch_up: SwitchUp::No,
        discardable: false,
        picture_id: None,
        tl0: None,
        key_idx: None,
        size: None,
    };

    #[test]
    fn nothing_goes_out_before_a_keyframe() {
        let (mut selector, live) = (selector(HIGH, None), set(&[LOW, HIGH]));
        assert_eq!(selector.packet(HIGH, 0, &PLAIN, live), Verdict::Ignore);
        assert_eq!(selector.want_keyframe(live), Some(HIGH));
        assert_eq!(selector.packet(HIGH, 1, &key(), live), Verdict::Begin);
        assert_eq!(selector.packet(HIGH, 1, &PLAIN, live), Verdict::Forward);
        assert_eq!(selector.packet(HIGH, 2, &PLAIN, live), Verdict::Forward);
        assert_eq!(selector.want_keyframe(live), None);
    }

    #[test]
    fn a_smaller_layer_begins_at_once_and_the_one_wanted_follows_at_its_keyframe() {
        let (mut selector, live) = (selector(HIGH, None), set(&[LOW, MID, HIGH]));
        assert_eq!(selector.packet(LOW, 0, &key(), live), Verdict::Begin);
        assert_eq!(selector.packet(MID, 0, &key(), live), Verdict::Ignore, "one switch is enough");
        assert_eq!(selector.want_keyframe(live), Some(HIGH));
        assert_eq!(selector.packet(HIGH, 0, &key(), live), Verdict::Begin);
        assert_eq!(selector.packet(LOW, 1, &PLAIN, live), Verdict::Ignore);
    }

    #[test]
    fn on_the_way_down_the_old_layer_stays_until_the_keyframe_of_the_new_one() {
        let (mut selector, live) = (selector(HIGH, None), set(&[LOW, HIGH]));
        selector.packet(HIGH, 0, &key(), live);
        selector.set_target(Some(Target { layer: LOW, temporal: None }));
        assert_eq!(selector.want_keyframe(live), Some(LOW));
        assert_eq!(selector.packet(LOW, 1, &PLAIN, live), Verdict::Ignore);
        assert_eq!(selector.packet(HIGH, 1, &PLAIN, live), Verdict::Forward);
        assert_eq!(selector.packet(LOW, 2, &key(), live), Verdict::Begin);
        assert_eq!(selector.packet(HIGH, 2, &key(), live), Verdict::Ignore);
    }

    #[test]
    fn a_layer_that_has_stopped_is_left_for_the_best_live_one_and_taken_up_again() {
        let (mut selector, all) = (selector(HIGH, None), set(&[LOW, MID, HIGH]));
        selector.packet(HIGH, 0, &key(), all);
        let live = set(&[LOW, MID]);
        assert_eq!(selector.want_keyframe(live), Some(MID));
        assert_eq!(selector.packet(LOW, 1, &key(), live), Verdict::Begin, "better than a frozen picture");
        assert_eq!(selector.packet(MID, 2, &key(), live), Verdict::Begin);
        assert_eq!(selector.want_keyframe(live), None);
        assert_eq!(selector.want_keyframe(all), Some(HIGH));
        assert_eq!(selector.packet(HIGH, 3, &key(), all), Verdict::Begin);
    }

    #[test]
    fn a_larger_layer_than_wanted_is_taken_only_where_there_is_no_smaller() {
        let mut selector = selector(LOW, None);
        assert_eq!(selector.packet(HIGH, 0, &key(), set(&[LOW, HIGH])), Verdict::Ignore);
        assert_eq!(selector.want_keyframe(set(&[HIGH])), Some(HIGH));
        assert_eq!(selector.packet(HIGH, 1, &key(), set(&[HIGH])), Verdict::Begin);
    }

    #[test]
    fn no_keyframe_is_asked_of_a_publisher_that_sends_nothing() {
        assert_eq!(selector(HIGH, None).want_keyframe(LayerSet::NONE), None);
        assert_eq!(LayerSelector::default().want_keyframe(set(&[LOW])), None);
    }

    #[test]
    fn a_pause_is_immediate_and_ends_at_a_keyframe() {
        let (mut selector, live) = (selector(LOW, None), set(&[LOW]));
        selector.packet(LOW, 0, &key(), live);
        selector.set_target(None);
        assert_eq!(selector.packet(LOW, 0, &PLAIN, live), Verdict::Ignore);
        selector.set_target(Some(Target { layer: LOW, temporal: None }));
        assert_eq!(selector.packet(LOW, 1, &PLAIN, live), Verdict::Ignore);
        assert_eq!(selector.packet(LOW, 2, &key(), live), Verdict::Begin);
    }

    #[test]
    fn temporal_layers_go_at_once_but_not_in_the_middle_of_a_frame() {
        let (mut selector, live) = (selector(LOW, None), set(&[LOW]));
        selector.packet(LOW, 0, &key(), live);
        let top = delta(2, SwitchUp::No);
        assert_eq!(selector.packet(LOW, 1, &top, live), Verdict::Forward);
        selector.set_target(Some(Target { layer: LOW, temporal: Some(0) }));
        assert_eq!(selector.packet(LOW, 1, &top, live), Verdict::Forward, "the rest of its frame");
        assert_eq!(selector.packet(LOW, 2, &top, live), Verdict::LeaveOut);
        assert_eq!(selector.packet(LOW, 2, &delta(0, SwitchUp::No), live), Verdict::LeaveOut, "the same frame");
        assert_eq!(selector.packet(LOW, 3, &delta(0, SwitchUp::No), live), Verdict::Forward);
    }

    #[test]
    fn in_vp8_temporal_layers_come_back_one_by_one_at_their_sync_frames() {
        let (mut selector, live) = (selector(LOW, Some(0)), set(&[LOW]));
        selector.packet(LOW, 0, &key(), live);
        selector.set_target(Some(Target { layer: LOW, temporal: None }));
        let frames = [
            (2, SwitchUp::Into, Verdict::LeaveOut),
            (1, SwitchUp::No, Verdict::LeaveOut),
            (1, SwitchUp::Into, Verdict::Forward),
            (2, SwitchUp::No, Verdict::LeaveOut),
            (1, SwitchUp::No, Verdict::Forward),
            (2, SwitchUp::Into, Verdict::Forward),
            (2, SwitchUp::No, Verdict::Forward),
        ];
        for (timestamp, (temporal, switch_up, expected)) in (1..).zip(frames) {
            assert_eq!(selector.packet(LOW, timestamp, &delta(temporal, switch_up), live), expected, "{timestamp}");
        }
    }

    #[test]
    fn in_vp9_all_temporal_layers_come_back_after_a_switching_up_point() {
        let (mut selector, live) = (selector(LOW, Some(0)), set(&[LOW]));
        selector.packet(LOW, 0, &key(), live);
        selector.set_target(Some(Target { layer: LOW, temporal: Some(1) }));
        let frames = [
            (1, SwitchUp::Above, Verdict::LeaveOut),
            (0, SwitchUp::No, Verdict::Forward),
            (1, SwitchUp::No, Verdict::LeaveOut),
            (0, SwitchUp::Above, Verdict::Forward),
            (2, SwitchUp::No, Verdict::LeaveOut),
            (1, SwitchUp::No, Verdict::Forward),
        ];
        for (timestamp, (temporal, switch_up, expected)) in (1..).zip(frames) {
            assert_eq!(selector.packet(LOW, timestamp, &delta(temporal, switch_up), live), expected, "{timestamp}");
        }
    }

    #[test]
    fn a_keyframe_brings_all_temporal_layers_back() {
        let (mut selector, live) = (selector(LOW, Some(0)), set(&[LOW]));
        selector.packet(LOW, 0, &key(), live);
        selector.set_target(Some(Target { layer: LOW, temporal: Some(2) }));
        assert_eq!(selector.packet(LOW, 1, &key(), live), Verdict::Forward);
        assert_eq!(selector.packet(LOW, 2, &delta(2, SwitchUp::No), live), Verdict::Forward);
        assert_eq!(selector.temporal(), Some(2));
    }
}
