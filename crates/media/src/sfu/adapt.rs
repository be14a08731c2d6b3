//! stub
use super::*;
pub(super) const TICK: Duration = Duration::from_millis(100);
impl Sfu {
    pub(super) fn estimated(&mut self, _: Instant, _: usize, _: u64) {}
    pub(super) fn adapt(&mut self, _: Instant) {}
    pub(super) fn deliveries(&self) -> [u64; 7] {
        [0; 7]
    }
}
