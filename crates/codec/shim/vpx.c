/* VP8 and VP9 through libvpx. Keeps the library's structs on this side: Rust sees pointers and
 * the structs below (src/vpx/ffi.rs has the same). */
#include <stdlib.h>
#include <string.h>

#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#include "picture.h"

struct madang_vpx_decoder {
    vpx_codec_ctx_t codec;
};

struct madang_vp8_settings {
    uint32_t width;
    uint32_t height;
    uint32_t threads;
    uint32_t layers;
    uint32_t kilobits;
    uint32_t drop_below; /* per cent of the buffer; 0: no picture is left out */
    uint32_t min_quantizer;
    uint32_t max_quantizer;
    int32_t cpu_used;
    uint32_t static_threshold;
    uint32_t noise_sensitivity;
    uint32_t screen_content;
    uint32_t keyframe_share; /* per cent of a picture's share at most; 0: no limit */
    uint32_t buffer_begin;   /* ms */
    uint32_t buffer_level;   /* ms */
};

struct madang_vp8_encoder {
    vpx_codec_ctx_t codec;
    vpx_codec_enc_cfg_t config;
    vpx_codec_iter_t packets;
};

void madang_vpx_decoder_free(struct madang_vpx_decoder *decoder) {
    if (decoder) {
        vpx_codec_destroy(&decoder->codec);
        free(decoder);
    }
}

struct madang_vpx_decoder *madang_vpx_decoder_new(int vp9) {
    struct madang_vpx_decoder *decoder = calloc(1, sizeof *decoder);
    vpx_codec_dec_cfg_t config = {.threads = 1};
    if (!decoder) return NULL;
    if (vpx_codec_dec_init(&decoder->codec, vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx(), &config, 0)) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

int32_t madang_vpx_decode(struct madang_vpx_decoder *decoder, const uint8_t *data, size_t length,
                          struct madang_picture *picture) {
    vpx_codec_iter_t iterator = NULL;
    vpx_image_t *image, *last = NULL;
    int corrupted = 0;
    if (length > UINT32_MAX) return MADANG_DAMAGED;
    /* "Out of memory" is no exception: that is what it says of a partition without bytes. */
    if (vpx_codec_decode(&decoder->codec, data, (unsigned)length, NULL, 0)) return MADANG_DAMAGED;
    while ((image = vpx_codec_get_frame(&decoder->codec, &iterator))) last = image;
    /* Read past its end, or referred to something that was: no error to libvpx. */
    if (!vpx_codec_control(&decoder->codec, VP8D_GET_FRAME_CORRUPTED, &corrupted) && corrupted) return MADANG_DAMAGED;
    if (!last) return MADANG_NOTHING;
    if (last->fmt != VPX_IMG_FMT_I420) return MADANG_UNFIT;
    for (int plane = 0; plane < 3; plane++) {
        if (!last->planes[plane] || last->stride[plane] <= 0) return MADANG_FAILED;
        picture->planes[plane] = last->planes[plane];
        picture->strides[plane] = (size_t)last->stride[plane];
    }
    picture->width = last->d_w;
    picture->height = last->d_h;
    return MADANG_PICTURE;
}

static void set_bitrate(vpx_codec_enc_cfg_t *config, uint32_t kilobits) {
    config->rc_target_bitrate = kilobits;
    if (config->ts_number_layers == 2) {
        /* The base has the larger share: its pictures are twice as far apart. */
        config->ts_target_bitrate[0] = (kilobits * 3 + 4) / 5;
        config->ts_target_bitrate[1] = kilobits;
    }
}

void madang_vp8_encoder_free(struct madang_vp8_encoder *encoder) {
    if (encoder) {
        vpx_codec_destroy(&encoder->codec);
        free(encoder);
    }
}

static int configure(vpx_codec_enc_cfg_t *config, const struct madang_vp8_settings *settings) {
    if (vpx_codec_enc_config_default(vpx_codec_vp8_cx(), config, 0)) return -1;
    config->g_w = settings->width;
    config->g_h = settings->height;
    config->g_timebase.num = 1;
    config->g_timebase.den = 90000;
    config->g_threads = settings->threads;
    config->g_lag_in_frames = 0;
    config->g_pass = VPX_RC_ONE_PASS;
    config->rc_end_usage = VPX_CBR;
    config->rc_dropframe_thresh = settings->drop_below;
    config->rc_resize_allowed = 0;
    config->rc_min_quantizer = settings->min_quantizer;
    config->rc_max_quantizer = settings->max_quantizer;
    config->rc_undershoot_pct = 100;
    config->rc_overshoot_pct = 15;
    config->rc_buf_initial_sz = settings->buffer_begin;
    config->rc_buf_optimal_sz = settings->buffer_level;
    config->rc_buf_sz = 1000;
    config->kf_mode = VPX_KF_DISABLED;
    if (settings->layers == 2) {
        config->ts_number_layers = 2;
        config->ts_periodicity = 2;
        config->ts_rate_decimator[0] = 2;
        config->ts_rate_decimator[1] = 1;
        config->ts_layer_id[0] = 0;
        config->ts_layer_id[1] = 1;
    }
    set_bitrate(config, settings->kilobits);
    return 0;
}

struct madang_vp8_encoder *madang_vp8_encoder_new(const struct madang_vp8_settings *settings) {
    struct madang_vp8_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) return NULL;
    if (configure(&encoder->config, settings) ||
        vpx_codec_enc_init(&encoder->codec, vpx_codec_vp8_cx(), &encoder->config, 0)) {
        free(encoder);
        return NULL;
    }
    if (vpx_codec_control(&encoder->codec, VP8E_SET_CPUUSED, settings->cpu_used) ||
        vpx_codec_control(&encoder->codec, VP8E_SET_STATIC_THRESHOLD, settings->static_threshold) ||
        vpx_codec_control(&encoder->codec, VP8E_SET_NOISE_SENSITIVITY, settings->noise_sensitivity) ||
        vpx_codec_control(&encoder->codec, VP8E_SET_SCREEN_CONTENT_MODE, settings->screen_content) ||
        vpx_codec_control(&encoder->codec, VP8E_SET_TOKEN_PARTITIONS, (int)VP8_ONE_TOKENPARTITION) ||
        vpx_codec_control(&encoder->codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, settings->keyframe_share)) {
        madang_vp8_encoder_free(encoder);
        return NULL;
    }
    return encoder;
}

int32_t madang_vp8_encoder_set_bitrate(struct madang_vp8_encoder *encoder, uint32_t kilobits) {
    set_bitrate(&encoder->config, kilobits);
    return vpx_codec_enc_config_set(&encoder->codec, &encoder->config) ? MADANG_FAILED : 0;
}

int32_t madang_vp8_encoder_set_active(struct madang_vp8_encoder *encoder, const uint8_t *cells, uint32_t columns,
                                      uint32_t rows) {
    /* Without const in libvpx, which copies it; no cells: all is active. */
    vpx_active_map_t map = {.active_map = (unsigned char *)cells, .rows = rows, .cols = columns};
    return vpx_codec_control(&encoder->codec, VP8E_SET_ACTIVEMAP, &map) ? MADANG_FAILED : 0;
}

int32_t madang_vp8_encode(struct madang_vp8_encoder *encoder, const struct madang_picture *picture, int64_t timestamp,
                          uint64_t duration, int32_t keyframe, int32_t layer) {
    vpx_image_t image;
    vpx_enc_frame_flags_t flags = keyframe ? VPX_EFLAG_FORCE_KF : 0;
    encoder->packets = NULL;
    if (!vpx_img_wrap(&image, VPX_IMG_FMT_I420, picture->width, picture->height, 1,
                      (unsigned char *)picture->planes[0]))
        return MADANG_FAILED;
    for (int plane = 0; plane < 3; plane++) {
        image.planes[plane] = (unsigned char *)picture->planes[plane];
        image.stride[plane] = (int)picture->strides[plane];
    }
    if (encoder->config.ts_number_layers == 2) {
        flags |= VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF;
        if (!keyframe) flags |= VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF;
        if (layer) flags |= VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ENTROPY;
        if (vpx_codec_control(&encoder->codec, VP8E_SET_TEMPORAL_LAYER_ID, layer)) return MADANG_FAILED;
    }
    return vpx_codec_encode(&encoder->codec, &image, timestamp, duration, flags, VPX_DL_REALTIME) ? MADANG_FAILED : 0;
}

/* The next piece of what the last picture became; 0 when there is no more. */
int32_t madang_vp8_packet(struct madang_vp8_encoder *encoder, const uint8_t **data, size_t *length, int32_t *keyframe) {
    const vpx_codec_cx_pkt_t *packet;
    while ((packet = vpx_codec_get_cx_data(&encoder->codec, &encoder->packets))) {
        if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
        *data = packet->data.frame.buf;
        *length = packet->data.frame.sz;
        *keyframe = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
        return 1;
    }
    return 0;
}
