/* AV1 through libdav1d. Rust sees pointers and `struct madang_picture`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dav1d/dav1d.h>

#include "picture.h"

#ifdef MADANG_LOAD_DAV1D
/* There is no archive of it to be linked: it is loaded when the first decoder is made, and where it
 * is not installed there is no decoder. The number is that of the headers, so the structs fit. */
#include <dlfcn.h>
#include <pthread.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define SHARED "libdav1d.so." TEXT(DAV1D_API_VERSION_MAJOR)

#define FUNCTIONS(each) \
    each(dav1d_default_settings) each(dav1d_open) each(dav1d_close) each(dav1d_flush) each(dav1d_send_data) \
    each(dav1d_get_picture) each(dav1d_data_create) each(dav1d_data_unref) each(dav1d_picture_unref)

static struct {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
    int complete;
} library;

static void load(void) {
    void *handle = dlopen(SHARED, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    library.complete = 1;
#define FIND(name) \
    *(void **)&library.name = dlsym(handle, #name); \
    if (!library.name) library.complete = 0;
    FUNCTIONS(FIND)
}

static int is_there(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return library.complete;
}

#define dav1d_default_settings library.dav1d_default_settings
#define dav1d_open library.dav1d_open
#define dav1d_close library.dav1d_close
#define dav1d_flush library.dav1d_flush
#define dav1d_send_data library.dav1d_send_data
#define dav1d_get_picture library.dav1d_get_picture
#define dav1d_data_create library.dav1d_data_create
#define dav1d_data_unref library.dav1d_data_unref
#define dav1d_picture_unref library.dav1d_picture_unref
#else
static int is_there(void) { return 1; }
#endif

struct madang_av1_decoder {
    Dav1dContext *context;
    Dav1dPicture shown;
};

void madang_av1_decoder_free(struct madang_av1_decoder *decoder) {
    if (decoder) {
        dav1d_picture_unref(&decoder->shown);
        if (decoder->context) dav1d_close(&decoder->context);
        free(decoder);
    }
}

struct madang_av1_decoder *madang_av1_decoder_new(uint32_t most_samples) {
    struct madang_av1_decoder *decoder = is_there() ? calloc(1, sizeof *decoder) : NULL;
    Dav1dSettings settings;
    if (!decoder) return NULL;
    dav1d_default_settings(&settings);
    settings.n_threads = 1;
    settings.max_frame_delay = 1;
    settings.all_layers = 0;
    settings.frame_size_limit = most_samples;
    settings.logger.callback = NULL;
    if (dav1d_open(&decoder->context, &settings)) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

/* Takes what pictures there are, and keeps the last of them. */
static int take(struct madang_av1_decoder *decoder, int *taken) {
    for (;;) {
        Dav1dPicture picture = {0};
        int result = dav1d_get_picture(decoder->context, &picture);
        if (result == DAV1D_ERR(EAGAIN)) return 0;
        if (result) return result;
        dav1d_picture_unref(&decoder->shown);
        decoder->shown = picture;
        *taken = 1;
    }
}

static int feed(struct madang_av1_decoder *decoder, const uint8_t *data, size_t length, int *taken) {
    Dav1dData unit = {0};
    int result = 0;
    uint8_t *copy = dav1d_data_create(&unit, length);
    if (!copy) return DAV1D_ERR(ENOMEM);
    memcpy(copy, data, length);
    while (!result && unit.sz > 0) {
        result = dav1d_send_data(decoder->context, &unit);
        if (result && result != DAV1D_ERR(EAGAIN)) break;
        result = take(decoder, taken);
    }
    dav1d_data_unref(&unit);
    return result;
}

int32_t madang_av1_decode(struct madang_av1_decoder *decoder, const uint8_t *data, size_t length,
                          struct madang_picture *picture) {
    const Dav1dPicture *shown = &decoder->shown;
    int taken = 0;
    int result = feed(decoder, data, length, &taken);
    if (result) {
        dav1d_flush(decoder->context);
        if (result == DAV1D_ERR(ENOMEM)) return MADANG_FAILED;
        return result == DAV1D_ERR(ERANGE) || result == DAV1D_ERR(ENOPROTOOPT) ? MADANG_UNFIT : MADANG_DAMAGED;
    }
    if (!taken) return MADANG_NOTHING;
    if (shown->p.layout != DAV1D_PIXEL_LAYOUT_I420 || shown->p.bpc != 8) return MADANG_UNFIT;
    for (int plane = 0; plane < 3; plane++) {
        ptrdiff_t stride = shown->stride[plane > 0];
        if (!shown->data[plane] || stride <= 0) return MADANG_FAILED;
        picture->planes[plane] = shown->data[plane];
        picture->strides[plane] = (size_t)stride;
    }
    picture->width = (uint32_t)shown->p.w;
    picture->height = (uint32_t)shown->p.h;
    return MADANG_PICTURE;
}
