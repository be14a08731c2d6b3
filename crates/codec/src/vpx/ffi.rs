//! What shim/vpx.c has.

use crate::raw::RawPicture;

/// `struct madang_vpx_decoder`: only pointers to it.
#[repr(C)]
pub(super) struct Decoder {
    _opaque: [u8; 0],
}

/// `struct madang_vp8_encoder`: only pointers to it.
#[repr(C)]
pub(super) struct Encoder {
    _opaque: [u8; 0],
}

/// `struct madang_vp8_settings`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) threads: u32,
    pub(super) layers: u32,
    pub(super) kilobits: u32,
    pub(super) drop_below: u32,
    pub(super) min_quantizer: u32,
    pub(super) max_quantizer: u32,
    pub(super) cpu_used: i32,
    pub(super) static_threshold: u32,
    pub(super) noise_sensitivity: u32,
    pub(super) screen_content: u32,
    pub(super) keyframe_share: u32,
    pub(super) buffer_begin: u32,
    pub(super) buffer_level: u32,
}

unsafe extern "C" {
    pub(super) fn madang_vpx_decoder_new(vp9: i32) -> *mut Decoder;
    pub(super) fn madang_vpx_decoder_free(decoder: *mut Decoder);
    pub(super) fn madang_vpx_decode(
        decoder: *mut Decoder,
        data: *const u8,
        length: usize,
        picture: *mut RawPicture,
    ) -> i32;

    pub(super) fn madang_vp8_encoder_new(settings: *const Settings) -> *mut Encoder;
    pub(super) fn madang_vp8_encoder_free(encoder: *mut Encoder);
    pub(super) fn madang_vp8_encoder_set_bitrate(encoder: *mut Encoder, kilobits: u32) -> i32;
    pub(super) fn madang_vp8_encoder_set_active(
        encoder: *mut Encoder,
        cells: *const u8,
        columns: u32,
        rows: u32,
    ) -> i32;
    pub(super) fn madang_vp8_encode(
        encoder: *mut Encoder,
        picture: *const RawPicture,
        timestamp: i64,
        duration: u64,
        keyframe: i32,
        layer: i32,
    ) -> i32;
    pub(super) fn madang_vp8_packet(
        encoder: *mut Encoder,
        data: *mut *const u8,
        length: *mut usize,
        keyframe: *mut i32,
    ) -> i32;
}
