//! Decoding by OpenH264.

use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use madang_mixer::codec::{CodecError, VideoDecoder};
use madang_mixer::picture::View;
use openh264_sys2::{
    API, DECODER_OPTION_ERROR_CON_IDC, DECODER_OPTION_NUM_OF_FRAMES_REMAINING_IN_BUFFER, DECODER_OPTION_TRACE_LEVEL,
    ERROR_CON_DISABLE, ISVCDecoder, SBufferInfo, SDecodingParam, VIDEO_BITSTREAM_AVC, WELS_LOG_QUIET, dsErrorFree,
    source::APILoader, videoFormatI420,
};

use super::access_unit;
use crate::limit::PictureLimit;
use crate::raw::{KeyframeGate, RawPicture};

/// Calls a function of a C++ object.
macro_rules! call {
    ($object:expr, $function:ident ( $($argument:expr),* )) => {
        match (**$object.as_ptr()).$function {
            Some(function) => function($object.as_ptr() $(, $argument)*) as i64,
            None => -1,
        }
    };
}
pub(super) use call;

/// A decoder of OpenH264, with one thread and without concealing errors.
struct Decoder(NonNull<ISVCDecoder>);

// SAFETY: OpenH264 keeps nothing in the thread; whoever has the decoder is the only one to use it.
unsafe impl Send for Decoder {}

impl Decoder {
    fn new() -> Result<Self, CodecError> {
        let mut decoder = null_mut();
        // SAFETY: writes the new object to where it is told.
        let code = unsafe { APILoader::new().WelsCreateDecoder(&raw mut decoder) };
        let this = Self(NonNull::new(decoder).filter(|_| code == 0).ok_or_else(failed)?);
        let mut parameters = SDecodingParam { eEcActiveIdc: ERROR_CON_DISABLE, ..SDecodingParam::default() };
        parameters.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
        let (mut quiet, mut concealment) = (WELS_LOG_QUIET, ERROR_CON_DISABLE);
        // SAFETY: the object is alive and ours alone; the parameters and options are read during
        // the calls, and of the types that these options have.
        let codes = unsafe {
            [
                call!(this.0, SetOption(DECODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast())),
                call!(this.0, Initialize(&raw const parameters)),
                call!(this.0, SetOption(DECODER_OPTION_ERROR_CON_IDC, (&raw mut concealment).cast())),
            ]
        };
        if codes == [0; 3] { Ok(this) } else { Err(failed()) }
    }

    /// The picture, if there is one, is valid until the next call.
    fn decode(&mut self, unit: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        let length = i32::try_from(unit.len()).map_err(|_| CodecError::Frame("too long".to_owned()))?;
        let mut planes = [null_mut(); 3];
        let mut info = SBufferInfo::default();
        // SAFETY: the object is alive and ours alone; the unit is read during the call; three
        // planes and what they are like are written.
        let state =
            unsafe { call!(self.0, DecodeFrameNoDelay(unit.as_ptr(), length, planes.as_mut_ptr(), &raw mut info)) };
        if state != i64::from(dsErrorFree) {
            return Err(CodecError::Frame(format!("H.264: state {state:#x}")));
        }
        if info.iBufferStatus != 1 {
            self.flush(&mut planes, &mut info);
        }
        if info.iBufferStatus != 1 { Ok(None) } else { raw(&planes, &info).map(Some) }
    }

    /// Pictures wait for others that are shown before them; senders of live video have none such,
    /// whatever their parameters allow.
    fn flush(&mut self, planes: &mut [*mut u8; 3], info: &mut SBufferInfo) {
        let mut waiting = 0_i32;
        // SAFETY: the object is alive and ours alone; the option is an int.
        let code = unsafe {
            call!(self.0, GetOption(DECODER_OPTION_NUM_OF_FRAMES_REMAINING_IN_BUFFER, (&raw mut waiting).cast()))
        };
        if code == 0 && waiting > 0 {
            // SAFETY: as when decoding.
            unsafe { call!(self.0, FlushFrame(planes.as_mut_ptr(), std::ptr::from_mut(info))) };
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `WelsCreateDecoder`, and destroyed once.
        unsafe {
            call!(self.0, Uninitialize());
            APILoader::new().WelsDestroyDecoder(self.0.as_ptr());
        }
    }
}

fn raw(planes: &[*mut u8; 3], info: &SBufferInfo) -> Result<RawPicture, CodecError> {
    // SAFETY: the union has one member only.
    let buffer = unsafe { info.UsrData.sSystemBuffer };
    let number = |value: i32| u32::try_from(value).ok().filter(|value| *value > 0);
    let [luma, chroma] = buffer.iStride;
    let sizes = (number(buffer.iWidth), number(buffer.iHeight), number(luma), number(chroma));
    let (Some(width), Some(height), Some(luma), Some(chroma)) = sizes else { return Err(failed()) };
    if buffer.iFormat != videoFormatI420 {
        return Err(CodecError::Unfit("H.264 other than 4:2:0".to_owned()));
    }
    let strides = [luma, chroma, chroma].map(|stride| stride as usize);
    Ok(RawPicture { planes: planes.map(<*mut u8>::cast_const), strides, width, height })
}

/// Decodes H.264.
pub struct H264Decoder {
    decoder: Decoder,
    limit: PictureLimit,
    gate: KeyframeGate,
}

impl H264Decoder {
    /// # Errors
    /// [`CodecError::Failed`] when OpenH264 makes none.
    pub fn new(limit: PictureLimit) -> Result<Self, CodecError> {
        Ok(Self { decoder: Decoder::new()?, limit, gate: KeyframeGate::new() })
    }

    fn picture(&mut self, unit: &[u8]) -> Result<Option<RawPicture>, CodecError> {
        let idr = access_unit::inspect(unit, self.limit)?;
        self.gate.admit(idr)?;
        let result = self.decoder.decode(unit);
        if !idr || matches!(result, Ok(Some(_))) {
            return result;
        }
        // Some damage leaves it unable to decode whatever comes after, without a word. A new one
        // lacks the parameters that came before, so it has its turn only now.
        self.decoder = Decoder::new()?;
        match self.decoder.decode(unit)? {
            None => Err(CodecError::Frame("an IDR picture that shows nothing".to_owned())),
            picture => Ok(picture),
        }
    }
}

impl VideoDecoder for H264Decoder {
    fn decode(&mut self, frame: &[u8]) -> Result<Option<View<'_>>, CodecError> {
        let picture = self.picture(frame);
        let picture = self.gate.note(picture)?;
        // SAFETY: OpenH264's planes are as large as it says, and stay until the next call, while
        // the decoder is borrowed as long as the view.
        picture.map(|picture| unsafe { picture.view(PhantomData) }).transpose()
    }
}

fn failed() -> CodecError {
    CodecError::Failed("OpenH264's decoder".to_owned())
}
