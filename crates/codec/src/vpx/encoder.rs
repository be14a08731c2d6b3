//! Encoding by libvpx.

use std::ptr::{NonNull, null};
use std::slice;

use madang_mixer::codec::{ActiveMap, CodecError, EncodeWish, EncodedVideo, VideoEncoder};
use madang_mixer::picture::View;

use super::ffi;
use crate::raw::RawPicture;

/// What a VP8 encoder is to be like. Real time, constant bit rate, keyframes only on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Settings {
    /// Samples of luma in a row, 1 to 16 383.
    pub width: usize,
    /// Rows of luma, 1 to 16 383.
    pub height: usize,
    /// Bits per second; those below 1000 are 1000.
    pub bitrate: u32,
    /// 1, or 2: every other picture is in the upper layer, on which none depends.
    pub temporal_layers: u8,
    /// How much time it takes: from −16 (least) to 16; below 0 always as much as that.
    pub cpu_used: i8,
    /// 1 to 64.
    pub threads: u8,
    /// Pictures may be left out to keep the bit rate.
    pub drop_frames: bool,
    /// Differences below this are left out in blocks that hardly change; 0: none are.
    pub static_threshold: u32,
    /// Denoising: 0 (none) to 6.
    pub noise_sensitivity: u8,
    /// 0 for cameras, 1 for screens, 2 for screens with more pictures left out.
    pub screen_content: u8,
    /// The finest and the coarsest quantiser, 0 to 63.
    pub quantizers: (u8, u8),
    /// What a keyframe may take at most, in percent of one picture's share of the bit rate; 0 for
    /// no limit. More makes a better picture at once, and holds up those that follow.
    pub keyframe_share: u32,
    /// Of the second's worth of bits that the receiver is thought to keep: how much it has at the
    /// beginning, and how much is aimed at, in milliseconds.
    pub buffer: (u16, u16),
    /// A macroblock that has changed is encoded again although it has not changed again, so that its
    /// quality settles: 1, 2, 4 and so on pictures later, up to this many.
    pub linger: u8,
}

impl Vp8Settings {
    /// What suits a mix of cameras.
    #[must_use]
    pub const fn new(width: usize, height: usize, bitrate: u32) -> Self {
        Self {
            width,
            height,
            bitrate,
            temporal_layers: 1,
            cpu_used: -8,
            threads: 1,
            drop_frames: true,
            static_threshold: 1,
            noise_sensitivity: 0,
            screen_content: 0,
            quantizers: (2, 56),
            // Four and a half pictures: 150 ms at 30 a second.
            keyframe_share: 450,
            buffer: (500, 600),
            linger: 16,
        }
    }

    fn raw(&self) -> Result<ffi::Settings, CodecError> {
        let side = |length: usize| u32::try_from(length).ok().filter(|length| (1..=16_383).contains(length));
        let (Some(width), Some(height)) = (side(self.width), side(self.height)) else {
            return Err(CodecError::Unfit(format!("a VP8 picture of {} × {}", self.width, self.height)));
        };
        let (finest, coarsest) = self.quantizers;
        let fits = (1..=2).contains(&self.temporal_layers)
            && (1..=64).contains(&self.threads)
            && (-16..=16).contains(&self.cpu_used)
            && self.noise_sensitivity <= 6
            && self.screen_content <= 2
            && finest <= coarsest
            && coarsest <= 63;
        if !fits {
            return Err(CodecError::Unfit(format!("{self:?}")));
        }
        Ok(ffi::Settings {
            width,
            height,
            threads: self.threads.into(),
            layers: self.temporal_layers.into(),
            kilobits: kilobits(self.bitrate),
            drop_below: if self.drop_frames { 30 } else { 0 },
            min_quantizer: finest.into(),
            max_quantizer: coarsest.into(),
            cpu_used: self.cpu_used.into(),
            static_threshold: self.static_threshold,
            noise_sensitivity: self.noise_sensitivity.into(),
            screen_content: self.screen_content.into(),
            keyframe_share: self.keyframe_share,
            buffer_begin: self.buffer.0.into(),
            buffer_level: self.buffer.1.into(),
        })
    }
}

/// libvpx counts in thousands.
fn kilobits(bits_per_second: u32) -> u32 {
    (bits_per_second / 1000).max(1)
}

/// Encodes VP8.
///
/// With two temporal layers, pictures of the upper one refer to the last of the base alone, so
/// each of them is a point from where a receiver can take that layer up.
pub struct Vp8Encoder {
    encoder: NonNull<ffi::Encoder>,
    settings: Vp8Settings,
    /// What differs from the last picture that later ones refer to: more than the caller says,
    /// after pictures that were left out and those of the upper layer.
    changed: ActiveMap,
    /// How many pictures are left until each macroblock has settled.
    settling: Vec<u8>,
    /// What libvpx is told.
    active: Vec<u8>,
    /// Whether libvpx has a map in force.
    mapped: bool,
    next_layer: u8,
    last_timestamp: Option<u64>,
}

// SAFETY: libvpx keeps nothing in the thread; whoever has the encoder is the only one to use it.
unsafe impl Send for Vp8Encoder {}

impl Vp8Encoder {
    /// # Errors
    /// [`CodecError::Unfit`] for settings out of their ranges, [`CodecError::Failed`] when libvpx
    /// makes none.
    pub fn new(settings: Vp8Settings) -> Result<Self, CodecError> {
        let raw = settings.raw()?;
        // SAFETY: the settings are those of the C struct, and read during the call.
        let encoder = unsafe { ffi::madang_vp8_encoder_new(&raw const raw) };
        let encoder = NonNull::new(encoder).ok_or_else(|| failed("makes no encoder"))?;
        let changed = ActiveMap::new(settings.width, settings.height);
        let blocks = changed.cells().len();
        let (settling, active) = (vec![settings.linger; blocks], vec![1; blocks]);
        Ok(Self { encoder, settings, changed, settling, active, mapped: false, next_layer: 0, last_timestamp: None })
    }

    /// Says to libvpx which macroblocks may differ from the picture that is referred to.
    fn set_active(&mut self, wish: &EncodeWish<'_>) -> Result<(), CodecError> {
        match wish.active {
            Some(active) if active.columns() == self.changed.columns() && active.rows() == self.changed.rows() => {
                self.changed.merge(active);
            }
            Some(_) => return Err(CodecError::Unfit("an active map for another size".to_owned())),
            None => self.changed.fill(),
        }
        for ((active, changed), settling) in self.active.iter_mut().zip(self.changed.cells()).zip(&self.settling) {
            let again = *settling > 0 && (self.settings.linger - *settling + 1).is_power_of_two();
            *active = u8::from(wish.keyframe || *changed > 0 || again);
        }
        let all = !self.active.contains(&0);
        if all && !self.mapped {
            return Ok(());
        }
        let cells = if all { null() } else { self.active.as_ptr() };
        let (columns, rows) = (self.changed.columns() as u32, self.changed.rows() as u32);
        // SAFETY: the encoder is alive and ours alone; the map has columns × rows bytes, which are
        // copied during the call.
        if unsafe { ffi::madang_vp8_encoder_set_active(self.encoder.as_ptr(), cells, columns, rows) } != 0 {
            return Err(failed("takes no active map"));
        }
        self.mapped = !all;
        Ok(())
    }

    /// What the last picture became, and whether that is a keyframe.
    fn take_packets(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let (mut data, mut length, mut keyframe) = (null(), 0, 0);
        let mut found = None;
        // SAFETY: the encoder is alive and ours alone, and the rest are places of the right types.
        while unsafe {
            ffi::madang_vp8_packet(self.encoder.as_ptr(), &raw mut data, &raw mut length, &raw mut keyframe)
        } == 1
        {
            // SAFETY: libvpx's buffer of that length, valid until the next picture is encoded.
            out.extend_from_slice(unsafe { slice::from_raw_parts(data, length) });
            found = Some(keyframe != 0);
        }
        found
    }
}

impl VideoEncoder for Vp8Encoder {
    fn encode(
        &mut self,
        picture: &View<'_>,
        wish: &EncodeWish<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<EncodedVideo>, CodecError> {
        if (picture.width(), picture.height()) != (self.settings.width, self.settings.height) {
            return Err(CodecError::Unfit(format!("a picture of {} × {}", picture.width(), picture.height())));
        }
        let raw = RawPicture::of(picture)?;
        self.set_active(wish)?;
        // libvpx refuses time that stands still.
        let timestamp = self.last_timestamp.map_or(wish.timestamp, |last| wish.timestamp.max(last + 1));
        self.last_timestamp = Some(timestamp);
        let layer = if wish.keyframe { 0 } else { self.next_layer };
        // SAFETY: the encoder is alive and ours alone; the planes are as large as the view says,
        // which has the encoder's size, and are only read, during the call.
        let code = unsafe {
            ffi::madang_vp8_encode(
                self.encoder.as_ptr(),
                &raw const raw,
                timestamp as i64,
                wish.duration.max(1),
                i32::from(wish.keyframe),
                i32::from(layer),
            )
        };
        if code != 0 {
            return Err(failed("does not encode"));
        }
        let Some(keyframe) = self.take_packets(out) else { return Ok(None) };
        let layer = if keyframe { 0 } else { layer };
        if layer == 0 {
            for (settling, changed) in self.settling.iter_mut().zip(self.changed.cells()) {
                let is_new = keyframe || *changed > 0;
                *settling = if is_new { self.settings.linger } else { settling.saturating_sub(1) };
            }
            self.changed.clear();
        }
        self.next_layer = if self.settings.temporal_layers == 2 { 1 - layer } else { 0 };
        Ok(Some(EncodedVideo { keyframe, temporal_layer: layer, layer_sync: keyframe || layer > 0 }))
    }

    fn has_settled(&self) -> bool {
        self.settling.iter().all(|settling| *settling == 0)
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        // SAFETY: the encoder is alive and ours alone.
        match unsafe { ffi::madang_vp8_encoder_set_bitrate(self.encoder.as_ptr(), kilobits(bits_per_second)) } {
            0 => Ok(()),
            _ => Err(failed("does not take that bit rate")),
        }
    }
}

impl Drop for Vp8Encoder {
    fn drop(&mut self) {
        // SAFETY: made by `madang_vp8_encoder_new`, and freed once.
        unsafe { ffi::madang_vp8_encoder_free(self.encoder.as_ptr()) }
    }
}

fn failed(what: &str) -> CodecError {
    CodecError::Failed(format!("libvpx {what}"))
}
