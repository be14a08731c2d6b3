//! Encoding by OpenH264.

use std::ptr::{NonNull, null_mut};
use std::slice;

use madang_mixer::codec::{CodecError, EncodeWish, EncodedVideo, VideoEncoder};
use madang_mixer::picture::View;
use openh264_sys2::{
    API, CAMERA_VIDEO_REAL_TIME, CONSTANT_ID, ENCODER_OPTION_BITRATE, ENCODER_OPTION_TRACE_LEVEL, ISVCEncoder,
    LOW_COMPLEXITY, PRO_BASELINE, RC_BITRATE_MODE, SBitrateInfo, SCREEN_CONTENT_REAL_TIME, SEncParamExt, SFrameBSInfo,
    SM_SINGLE_SLICE, SPATIAL_LAYER_ALL, SSourcePicture, VIDEO_CODING_LAYER, WELS_LOG_QUIET, source::APILoader,
    videoFormatI420, videoFrameTypeIDR, videoFrameTypeSkip,
};

use super::decoder::call;
use crate::raw::RawPicture;

/// What an H.264 encoder is to be like. Real time, keyframes only on demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct H264Settings {
    /// Samples of luma in a row: even, 16 to 3840.
    pub width: usize,
    /// Rows of luma: even, 16 to 2160.
    pub height: usize,
    /// Bits per second, at least 1000.
    pub bitrate: u32,
    /// Pictures per second that the bit rate is shared among.
    pub frame_rate: f32,
    /// 1, or 2: every other picture is in the upper layer, on which none depends.
    pub temporal_layers: u8,
    /// Pictures may be left out to keep the bit rate. With two layers OpenH264 leaves out many more
    /// than it has to, and keeps the bit rate within some 5 % without.
    pub drop_frames: bool,
    /// For screens rather than cameras.
    pub screen_content: bool,
    /// 1 to 4.
    pub threads: u8,
}

impl H264Settings {
    /// What suits a mix of cameras, at 30 pictures per second.
    #[must_use]
    pub const fn new(width: usize, height: usize, bitrate: u32) -> Self {
        Self {
            width,
            height,
            bitrate,
            frame_rate: 30.0,
            temporal_layers: 1,
            drop_frames: true,
            screen_content: false,
            threads: 1,
        }
    }

    fn check(&self) -> Result<(), CodecError> {
        let side = |length: usize, most| length.is_multiple_of(2) && (16..=most).contains(&length);
        let fits = side(self.width, 3840)
            && side(self.height, 2160)
            && bitrate(self.bitrate).is_ok()
            && (1.0..=60.0).contains(&self.frame_rate)
            && (1..=2).contains(&self.temporal_layers)
            && (1..=4).contains(&self.threads);
        if fits { Ok(()) } else { Err(CodecError::Unfit(format!("{self:?}"))) }
    }

    fn apply(&self, parameters: &mut SEncParamExt) {
        let (width, height, bitrate) = (self.width as i32, self.height as i32, self.bitrate as i32);
        parameters.iUsageType = if self.screen_content { SCREEN_CONTENT_REAL_TIME } else { CAMERA_VIDEO_REAL_TIME };
        parameters.iPicWidth = width;
        parameters.iPicHeight = height;
        parameters.iTargetBitrate = bitrate;
        parameters.iRCMode = RC_BITRATE_MODE;
        parameters.fMaxFrameRate = self.frame_rate;
        parameters.iTemporalLayerNum = self.temporal_layers.into();
        parameters.iSpatialLayerNum = 1;
        parameters.iComplexityMode = LOW_COMPLEXITY;
        parameters.uiIntraPeriod = 0;
        parameters.eSpsPpsIdStrategy = CONSTANT_ID;
        parameters.bPrefixNalAddingCtrl = false;
        parameters.bEnableSSEI = false;
        parameters.iEntropyCodingModeFlag = 0;
        parameters.bEnableFrameSkip = self.drop_frames;
        parameters.iMultipleThreadIdc = self.threads.into();
        // What these find out costs more than it saves in a mix.
        parameters.bEnableDenoise = false;
        parameters.bEnableSceneChangeDetect = false;
        parameters.bEnableBackgroundDetection = false;
        parameters.bEnableAdaptiveQuant = false;
        parameters.bEnableLongTermReference = false;
        let layer = &mut parameters.sSpatialLayers[0];
        layer.iVideoWidth = width;
        layer.iVideoHeight = height;
        layer.fFrameRate = self.frame_rate;
        layer.iSpatialBitrate = bitrate;
        layer.uiProfileIdc = PRO_BASELINE;
        layer.sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
    }
}

fn bitrate(bits_per_second: u32) -> Result<i32, CodecError> {
    i32::try_from(bits_per_second)
        .ok()
        .filter(|bits| *bits >= 1000)
        .ok_or_else(|| CodecError::Unfit(format!("{bits_per_second} bit/s")))
}

/// Encodes H.264 in constrained baseline; what comes out are access units with start codes.
///
/// With two temporal layers, pictures of the upper one are no references (`nal_ref_idc` 0), so each
/// of them is a point from where a receiver can take that layer up.
pub struct H264Encoder {
    encoder: NonNull<ISVCEncoder>,
    settings: H264Settings,
}

// SAFETY: OpenH264 keeps nothing in the thread; whoever has the encoder is the only one to use it.
unsafe impl Send for H264Encoder {}

impl H264Encoder {
    /// # Errors
    /// [`CodecError::Unfit`] for settings out of their ranges, [`CodecError::Failed`] when OpenH264
    /// makes none.
    pub fn new(settings: H264Settings) -> Result<Self, CodecError> {
        settings.check()?;
        let mut encoder = null_mut();
        // SAFETY: writes the new object to where it is told.
        let code = unsafe { APILoader::new().WelsCreateSVCEncoder(&raw mut encoder) };
        let encoder = NonNull::new(encoder).filter(|_| code == 0).ok_or_else(|| failed("makes no encoder"))?;
        let this = Self { encoder, settings };
        let mut parameters = SEncParamExt::default();
        let mut quiet = WELS_LOG_QUIET;
        // SAFETY: the object is alive and ours alone; parameters and option are of the right types,
        // and not kept.
        let codes = unsafe {
            let level = call!(this.encoder, SetOption(ENCODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast()));
            let defaults = call!(this.encoder, GetDefaultParams(&raw mut parameters));
            settings.apply(&mut parameters);
            [level, defaults, call!(this.encoder, InitializeExt(&raw const parameters))]
        };
        if codes == [0; 3] { Ok(this) } else { Err(failed("takes no such settings")) }
    }

    fn run(&mut self, raw: &RawPicture, wish: &EncodeWish<'_>, info: &mut SFrameBSInfo) -> Result<(), CodecError> {
        if wish.keyframe {
            // SAFETY: the object is alive and ours alone.
            unsafe { call!(self.encoder, ForceIntraFrame(true)) };
        }
        let stride = |plane: usize| raw.strides[plane] as i32;
        let plane = |plane: usize| raw.planes[plane].cast_mut();
        let source = SSourcePicture {
            iColorFormat: videoFormatI420,
            iStride: [stride(0), stride(1), stride(2), 0],
            pData: [plane(0), plane(1), plane(2), null_mut()],
            iPicWidth: raw.width as i32,
            iPicHeight: raw.height as i32,
            uiTimeStamp: (wish.timestamp / 90) as i64,
            ..SSourcePicture::default()
        };
        // SAFETY: the object is alive and ours alone; the planes are as large as the view was, which
        // has the encoder's size, and are only read, during the call.
        let code = unsafe { call!(self.encoder, EncodeFrame(&raw const source, std::ptr::from_mut(info))) };
        if code == 0 { Ok(()) } else { Err(failed(&format!("does not encode: {code}"))) }
    }
}

/// Appends all units of a picture; gives the temporal layer.
fn take_units(info: &SFrameBSInfo, out: &mut Vec<u8>) -> u8 {
    let mut temporal = 0;
    let count = usize::try_from(info.iLayerNum).unwrap_or(0);
    for layer in info.sLayerInfo.iter().take(count) {
        let units = usize::try_from(layer.iNalCount).unwrap_or(0);
        if units == 0 || layer.pNalLengthInByte.is_null() || layer.pBsBuf.is_null() {
            continue;
        }
        // SAFETY: OpenH264 has as many lengths as it counts units, and their bytes one after the
        // other in its buffer, until the next call.
        let bytes = unsafe {
            let lengths = slice::from_raw_parts(layer.pNalLengthInByte, units);
            let length = lengths.iter().map(|length| usize::try_from(*length).unwrap_or(0)).sum();
            slice::from_raw_parts(layer.pBsBuf, length)
        };
        out.extend_from_slice(bytes);
        if i32::from(layer.uiLayerType) == VIDEO_CODING_LAYER {
            temporal = layer.uiTemporalId;
        }
    }
    temporal
}

impl VideoEncoder for H264Encoder {
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
        let mut info = SFrameBSInfo::default();
        self.run(&raw, wish, &mut info)?;
        if info.eFrameType == videoFrameTypeSkip || info.iLayerNum == 0 {
            return Ok(None);
        }
        let temporal_layer = take_units(&info, out);
        let keyframe = info.eFrameType == videoFrameTypeIDR;
        Ok(Some(EncodedVideo { keyframe, temporal_layer, layer_sync: keyframe || temporal_layer > 0 }))
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        let mut wanted = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: bitrate(bits_per_second)? };
        // SAFETY: the object is alive and ours alone; the option is of this type, and not kept.
        match unsafe { call!(self.encoder, SetOption(ENCODER_OPTION_BITRATE, (&raw mut wanted).cast())) } {
            0 => Ok(()),
            _ => Err(failed("does not take that bit rate")),
        }
    }
}

impl Drop for H264Encoder {
    fn drop(&mut self) {
        // SAFETY: made by `WelsCreateSVCEncoder`, and destroyed once.
        unsafe {
            call!(self.encoder, Uninitialize());
            APILoader::new().WelsDestroySVCEncoder(self.encoder.as_ptr());
        }
    }
}

fn failed(what: &str) -> CodecError {
    CodecError::Failed(format!("OpenH264 {what}"))
}
