/* A decoded picture as Rust sees it (src/raw.rs has the same struct). */
#ifndef MADANG_PICTURE_H
#define MADANG_PICTURE_H

#include <stddef.h>
#include <stdint.h>

struct madang_picture {
    const uint8_t *planes[3];
    size_t strides[3];
    uint32_t width;
    uint32_t height;
};

/* What a decoder says of a frame. */
enum {
    MADANG_NOTHING = 0,     /* nothing to show */
    MADANG_PICTURE = 1,     /* there is a picture */
    MADANG_DAMAGED = -1,    /* no frame, or one that depends on what is missing */
    MADANG_UNFIT = -2,      /* not 4:2:0 with eight bits, or too large */
    MADANG_FAILED = -3      /* out of memory, or the library's own fault */
};

#endif
