//! How large a picture may be that somebody sends us.

use madang_mixer::codec::CodecError;

/// The largest picture that is decoded. A few bytes can announce one of 65 536 × 65 536, for which
/// a decoder would take gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLimit {
    /// Samples of luma on either side, at most.
    pub side: u32,
    /// Samples of luma in all, at most.
    pub samples: u32,
}

impl PictureLimit {
    /// # Errors
    /// [`CodecError::Unfit`] when the picture is larger, or has no samples.
    pub(crate) fn check(self, width: u32, height: u32) -> Result<(), CodecError> {
        let samples = u64::from(width) * u64::from(height);
        if samples == 0 || width > self.side || height > self.side || samples > u64::from(self.samples) {
            return Err(CodecError::Unfit(format!("a picture of {width} × {height}")));
        }
        Ok(())
    }
}

impl Default for PictureLimit {
    /// 4096 on either side, and 4096 × 4096 in all.
    fn default() -> Self {
        Self { side: 4096, samples: 4096 * 4096 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_samples_and_not_too_many() {
        let limit = PictureLimit { side: 2000, samples: 1920 * 1080 };
        assert!(limit.check(1920, 1080).is_ok());
        assert!(limit.check(1080, 1920).is_ok());
        for (width, height) in [(2001, 16), (16, 2001), (1920, 1081), (0, 16), (16, 0), (u32::MAX, u32::MAX)] {
            assert!(matches!(limit.check(width, height), Err(CodecError::Unfit(_))), "{width} × {height}");
        }
    }
}
