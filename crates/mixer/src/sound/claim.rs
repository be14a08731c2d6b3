//! A header's level is only what the sender claims. Whoever claims to be loud and is not would hold a
//! place among the loudest; so what is decoded is compared with what was claimed.

/// Frames in which the loudest claim and the loudest sound are sought: 1 s. Sound plays later than its
/// claim comes, so one second alone proves nothing.
const WINDOW: u32 = 50;
/// A claim may be louder than the sound by this, in dB: levels are of whatever the sender measures.
const TOLERANCE: f32 = 12.0;
/// What is forgiven per frame that is not decoded: 100 dB in 40 s.
const FORGIVE: f32 = 0.05;

/// By how much a source exaggerates.
#[derive(Debug, Default)]
pub(super) struct Claim {
    frames: u32,
    claimed: f32,
    sounded: f32,
    before: f32,
    excess: f32,
}

impl Claim {
    /// A frame was decoded: what was claimed last, and how loud it is, in dBov.
    pub(super) fn decoded(&mut self, claimed: f32, sounded: f32) {
        if self.frames == 0 {
            (self.claimed, self.sounded) = (claimed, sounded);
        }
        self.claimed = self.claimed.max(claimed);
        self.sounded = self.sounded.max(sounded);
        self.frames += 1;
        if self.frames == WINDOW {
            let excess = (self.claimed - self.sounded - TOLERANCE).max(0.0);
            self.excess = excess.min(self.before);
            (self.before, self.frames) = (excess, 0);
        }
    }

    /// A frame passed by.
    pub(super) fn passed_by(&mut self) {
        (self.frames, self.before) = (0, 0.0);
        self.excess = (self.excess - FORGIVE).max(0.0);
    }

    /// What is left of a claim, in dBov.
    pub(super) fn believed(&self, claimed: f32) -> f32 {
        (claimed - self.excess).max(-127.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_too_loud_for_two_seconds_is_not_believed() {
        let mut claim = Claim::default();
        (0..99).for_each(|_| claim.decoded(-10.0, -90.0));
        assert_eq!(claim.believed(-10.0), -10.0);
        claim.decoded(-10.0, -90.0);
        assert_eq!(claim.believed(-10.0), -78.0);
        (0..2000).for_each(|_| claim.passed_by());
        assert_eq!(claim.believed(-10.0), -10.0, "forgiven");
    }

    #[test]
    fn sound_that_plays_later_than_its_claim_came_is_believed() {
        for onset in 0..200 {
            let mut claim = Claim::default();
            for frame in 0..300 {
                let level = |at: i32| if at >= onset { -15.0 } else { -90.0 };
                claim.decoded(level(frame), level(frame - 20));
                assert_eq!(claim.believed(-15.0), -15.0, "an onset at {onset}");
            }
        }
    }
}
