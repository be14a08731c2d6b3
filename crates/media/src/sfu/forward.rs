//! stub
use super::*;
use crate::session::*;
impl Sfu {
    pub(super) fn forward(&mut self, _: Instant, _: usize, _: MediaPacket) {}
    pub(super) fn keyframe_wanted(&mut self, _: Instant, _: usize, _: Line) {}
    pub(super) fn wake_subscriptions(&mut self, _: Instant, _: usize) {}
}
