//! Pictures that lie in a library's memory.

use std::marker::PhantomData;

use madang_mixer::codec::CodecError;
use madang_mixer::picture::{Plane, View};

use crate::VideoCodec;

/// `struct madang_picture` of shim/picture.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawPicture {
    pub(crate) planes: [*const u8; 3],
    pub(crate) strides: [usize; 3],
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl RawPicture {
    pub(crate) const NONE: Self = Self { planes: [std::ptr::null(); 3], strides: [0; 3], width: 0, height: 0 };

    /// Someone's picture, to be read by a library while it is borrowed.
    pub(crate) fn of(view: &View<'_>) -> Result<Self, CodecError> {
        let unfit = || CodecError::Unfit(format!("a picture of {} × {}", view.width(), view.height()));
        let planes = view.planes();
        // The libraries count in ints.
        if planes.iter().any(|plane| i32::try_from(plane.stride()).is_err()) {
            return Err(unfit());
        }
        Ok(Self {
            planes: planes.map(|plane| plane.data().as_ptr()),
            strides: planes.map(|plane| plane.stride()),
            width: u32::try_from(view.width()).map_err(|_| unfit())?,
            height: u32::try_from(view.height()).map_err(|_| unfit())?,
        })
    }

    /// The picture as long as `owner` is not touched.
    ///
    /// # Safety
    /// Each plane has `height` rows (half as many for chroma, rounded up) of `width` initialised
    /// bytes (half, likewise), `stride` apart, which stay as they are while `owner` is borrowed.
    pub(crate) unsafe fn view<'a>(&self, _owner: PhantomData<&'a ()>) -> Result<View<'a>, CodecError> {
        let (width, height) = (self.width as usize, self.height as usize);
        let plane = |index: usize| {
            let (width, height) = if index == 0 { (width, height) } else { (width.div_ceil(2), height.div_ceil(2)) };
            let (data, stride) = (self.planes[index], self.strides[index]);
            let length = height.checked_sub(1)?.checked_mul(stride)?.checked_add(width)?;
            if data.is_null() || length > isize::MAX as usize {
                return None;
            }
            // SAFETY: not null, and that many bytes by what the caller promises.
            let data = unsafe { std::slice::from_raw_parts(data, length) };
            Plane::new(data, stride, width, height)
        };
        let planes = || Some([plane(0)?, plane(1)?, plane(2)?]);
        planes().and_then(View::new).ok_or_else(|| CodecError::Failed("planes that make no picture".to_owned()))
    }
}

/// What the shims say of a frame (shim/picture.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Nothing,
    Picture,
}

impl Outcome {
    pub(crate) fn of(code: i32, codec: VideoCodec) -> Result<Self, CodecError> {
        match code {
            0 => Ok(Self::Nothing),
            1 => Ok(Self::Picture),
            -1 => Err(CodecError::Frame(format!("{codec:?} damaged, or its references are missing"))),
            -2 => Err(CodecError::Unfit(format!("{codec:?} other than 4:2:0 with eight bits, or too large"))),
            _ => Err(CodecError::Failed(format!("the {codec:?} decoder"))),
        }
    }
}

/// Whether a decoder can make use of frames that depend on others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyframeGate {
    waiting: bool,
}

impl KeyframeGate {
    pub(crate) const fn new() -> Self {
        Self { waiting: true }
    }

    /// Refuses what depends on a frame that was not decoded.
    pub(crate) fn admit(self, keyframe: bool) -> Result<(), CodecError> {
        if self.waiting && !keyframe {
            return Err(CodecError::Frame("it depends on what could not be decoded".to_owned()));
        }
        Ok(())
    }

    /// Notes how an admitted frame came out.
    pub(crate) fn note<T>(&mut self, result: Result<T, CodecError>) -> Result<T, CodecError> {
        self.waiting = result.is_err();
        result
    }
}
