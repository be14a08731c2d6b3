"""A camera, a microphone, and ears and eyes for them, without numpy."""

import array
import cmath
import fractions
import math
import time

import asyncio
from aiortc import MediaStreamTrack
from av import AudioFrame, VideoFrame

RATE = 48000
SAMPLES = RATE // 50


class Tone(MediaStreamTrack):
    """One tone, 20 ms a frame."""

    kind = "audio"

    def __init__(self, hertz):
        super().__init__()
        self._hertz = hertz
        self._sent = 0
        self._start = None

    async def recv(self):
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0, self._start + self._sent / RATE - time.monotonic()))
        wave = array.array(
            "h",
            (
                int(9000 * math.sin(2 * math.pi * self._hertz * (self._sent + i) / RATE))
                for i in range(SAMPLES)
            ),
        )
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(wave.tobytes())
        frame.sample_rate = RATE
        frame.pts = self._sent
        frame.time_base = fractions.Fraction(1, RATE)
        self._sent += SAMPLES
        return frame


class Picture(MediaStreamTrack):
    """One colour with a bar that moves over the lower half, 20 frames a second, 640x360."""

    kind = "video"
    WIDTH, HEIGHT, FPS = 640, 360, 20

    def __init__(self, rgb):
        super().__init__()
        red, green, blue = rgb
        self._luma = int(16 + 0.257 * red + 0.504 * green + 0.098 * blue)
        chroma = self.WIDTH * self.HEIGHT // 4
        self._u = bytes([int(128 - 0.148 * red - 0.291 * green + 0.439 * blue)]) * chroma
        self._v = bytes([int(128 + 0.439 * red - 0.368 * green - 0.071 * blue)]) * chroma
        self._sent = 0
        self._start = None

    async def recv(self):
        self._start = self._start or time.monotonic()
        await asyncio.sleep(max(0, self._start + self._sent / self.FPS - time.monotonic()))
        half = self.WIDTH * self.HEIGHT // 2
        at = (self._sent * 8) % (self.WIDTH - 32)
        row = bytearray([self._luma]) * self.WIDTH
        row[at : at + 32] = b"\xeb" * 32
        luma = bytes([self._luma]) * half + bytes(row) * (self.HEIGHT // 2)
        frame = VideoFrame(self.WIDTH, self.HEIGHT, "yuv420p")
        for plane, content in zip(frame.planes, (luma, self._u, self._v)):
            plane.update(with_stride(content, plane))
        frame.pts = self._sent * 90000 // self.FPS
        frame.time_base = fractions.Fraction(1, 90000)
        self._sent += 1
        return frame


def with_stride(content, plane):
    """Rows as long as the plane wants them."""
    if plane.line_size == plane.width:
        return content
    padding = bytes(plane.line_size - plane.width)
    rows = (content[y * plane.width : (y + 1) * plane.width] for y in range(plane.height))
    return b"".join(row + padding for row in rows)


def colour_of(frame):
    """The colour near the upper left corner, where nothing moves."""
    rgb = frame.reformat(width=32, height=18, format="rgb24")
    plane = rgb.planes[0]
    at = 3 * plane.line_size + 3 * 3
    return list(bytes(plane)[at : at + 3])


def colours_at(frame, places):
    """The colour in the upper left quarter of each participant's place in a mixed picture."""
    rgb = frame.reformat(width=320, height=180, format="rgb24")
    plane = rgb.planes[0]
    content = bytes(plane)
    colours = {}
    for place in places:
        x = int(320 * (place["left"] + place["width"] * 0.2))
        y = int(180 * (place["top"] + place["height"] * 0.2))
        at = y * plane.line_size + 3 * x
        colours[place["participant"]] = list(content[at : at + 3])
    return colours


def power_at(samples, hertz):
    """The share of the sound's energy at one frequency, 0 to 1."""
    energy = sum(s * s for s in samples)
    if energy < len(samples) * 100:
        return 0.0
    step = -2j * math.pi * hertz / RATE
    total = sum(s * cmath.exp(step * i) for i, s in enumerate(samples))
    return min(1.0, 2 * abs(total) ** 2 / (len(samples) * energy))


def mono(frame):
    """The first channel's samples, at 48 kHz interleaved s16 as aiortc's Opus decoder gives them."""
    channels = len(frame.layout.channels)
    samples = array.array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])
    return samples[::channels]
