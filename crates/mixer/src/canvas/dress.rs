//! What is drawn over and in place of pictures: labels, the speaker's frame, avatars. Each is drawn
//! once and kept.

use std::collections::HashMap;
use std::sync::Arc;

use super::raster::{Colour, Raster, Sprite, disc, line, rounded};
use super::text::{Fonts, clean, initials};
use crate::layout::{ParticipantId, Rect, Region};

/// Colours of what the mixer draws by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Between tiles.
    pub background: Colour,
    /// Behind avatars, and beside pictures that do not fill their region.
    pub surface: Colour,
    /// Behind a label's text; the picture shines through.
    pub scrim: Colour,
    /// Text.
    pub ink: Colour,
    /// The speaker's frame.
    pub speaking: Colour,
    /// The stroke through a microphone that is off.
    pub muted: Colour,
}

impl Default for Theme {
    /// The dark colours of the room page.
    fn default() -> Self {
        Self {
            background: Colour(0x14, 0x15, 0x1b),
            surface: Colour(0x1d, 0x1f, 0x27),
            scrim: Colour(0x14, 0x15, 0x1b),
            ink: Colour(0xff, 0xff, 0xff),
            speaking: Colour(0x4f, 0xb5, 0x92),
            muted: Colour(0xe2, 0x67, 0x5d),
        }
    }
}

/// How much of the picture the scrim hides.
const SCRIM: f32 = 0.64;

/// No more drawings than this are kept,
const KEPT: usize = 400;

/// nor drawings of more samples of luma in all, which are three bytes each: a large avatar takes as
/// much as hundreds of labels.
const KEPT_SAMPLES: usize = 4_000_000;

/// A sprite, and where it goes in its tile.
type Placed = (Arc<Sprite>, (usize, usize));

/// What a tile wears.
#[derive(Clone, Debug, Default)]
pub(super) struct Dress {
    pub(super) pieces: Vec<Placed>,
}

impl Dress {
    /// Where one of them draws and the other does not draw the same, within a tile.
    pub(super) fn difference(&self, other: &Self) -> Vec<Rect> {
        let same = |one: &Placed, two: &Placed| Arc::ptr_eq(&one.0, &two.0) && one.1 == two.1;
        let only = |these: &Self, those: &Self| -> Vec<Rect> {
            let new = these.pieces.iter().filter(|piece| !those.pieces.iter().any(|that| same(piece, that)));
            new.map(|(sprite, (left, top))| Rect::new(*left, *top, sprite.width(), sprite.height())).collect()
        };
        [only(self, other), only(other, self)].concat()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Label { name: Arc<str>, muted: bool, size: usize, room: usize },
    Side { side: usize, width: usize, height: usize, corner: usize, thickness: usize },
    Avatar { name: Arc<str>, id: ParticipantId, diameter: usize },
}

/// Draws, and keeps what has been drawn.
#[derive(Debug)]
pub(super) struct Dresser {
    fonts: Fonts,
    theme: Theme,
    kept: HashMap<Key, Option<Arc<Sprite>>>,
    /// Of all that is kept.
    samples: usize,
}

impl Dresser {
    pub(super) fn new(theme: Theme, fonts: Fonts) -> Self {
        Self { fonts, theme, kept: HashMap::new(), samples: 0 }
    }

    pub(super) const fn theme(&self) -> &Theme {
        &self.theme
    }

    pub(super) const fn fonts(&self) -> &Fonts {
        &self.fonts
    }

    /// Label and frame for a region.
    pub(super) fn dress(&mut self, region: &Region) -> Dress {
        let mut pieces = Vec::new();
        if region.speaking {
            self.frame(region, &mut pieces);
        }
        if let Some(label) = self.label(region) {
            let inset = inset(region);
            let top = region.rect.height.saturating_sub(label.height() + inset) & !1;
            pieces.push((label, (inset, top)));
        }
        Dress { pieces }
    }

    /// The disc with initials, and where it goes in a tile of that size.
    pub(super) fn avatar(&mut self, region: &Region) -> Option<Placed> {
        let Rect { width, height, .. } = region.rect;
        let diameter = (width.min(height) * 11 / 24) & !1;
        let id = region.source.participant();
        let key = Key::Avatar { name: region.name.clone(), id, diameter };
        let sprite = self.keep(key, |dresser| Some(dresser.draw_avatar(&region.name, id, diameter)))?;
        let middle = |room: usize, length: usize| (room.saturating_sub(length) / 2) & !1;
        let place = (middle(width, sprite.width()), middle(height, sprite.height()));
        Some((sprite, place))
    }

    fn keep(&mut self, key: Key, draw: impl FnOnce(&mut Self) -> Option<Raster>) -> Option<Arc<Sprite>> {
        if let Some(kept) = self.kept.get(&key) {
            return kept.clone();
        }
        let sprite = draw(self).map(|raster| Arc::new(raster.finish()));
        let samples = sprite.as_ref().map_or(0, |sprite| sprite.width() * sprite.height());
        if self.kept.len() >= KEPT || self.samples + samples > KEPT_SAMPLES {
            self.kept.clear();
            self.samples = 0;
        }
        self.samples += samples;
        self.kept.insert(key, sprite.clone());
        sprite
    }

    fn label(&mut self, region: &Region) -> Option<Arc<Sprite>> {
        let Rect { width, height, .. } = region.rect;
        if width < 96 || height < 54 {
            return None;
        }
        let size = (height * 6 / 100).clamp(11, 20);
        let (name, muted) = (&region.name, region.muted);
        // Steps, so that a tile that grows does not draw its label anew with every sample.
        let room = (width - 2 * inset(region)) & !15;
        let key = |room| Key::Label { name: name.clone(), muted, size, room };
        let whole = self.keep(key(usize::MAX), |dresser| dresser.draw_label(name, muted, size as f32, f32::MAX))?;
        if whole.width() <= room {
            return Some(whole);
        }
        self.keep(key(room), |dresser| dresser.draw_label(name, muted, size as f32, room as f32))
    }

    /// Text on a scrim, with the icon before it; None when there is neither.
    fn draw_label(&mut self, name: &str, muted: bool, size: f32, room: f32) -> Option<Raster> {
        let (pad, height) = ((size * 0.55).round(), (size * 1.66).round());
        let icon = if muted { (size * 1.05).round() } else { 0.0 };
        let between = if muted { (size * 0.35).round() } else { 0.0 };
        let text_room = if room < f32::MAX { room - 2.0 * pad - icon - between } else { 4000.0 };
        let text = self.fonts.line(&clean(name), size, text_room.max(1.0), self.theme.ink);
        if text.is_none() && !muted {
            return None;
        }
        let text_width = text.as_ref().map_or(0.0, |text| text.size().0 as f32 + between);
        let width = (2.0 * pad + icon + text_width).ceil();
        let mut raster = Raster::new(width as usize, height as usize);
        let (right, bottom) = (raster.size().0 as f32, raster.size().1 as f32);
        raster.fill(self.theme.scrim, SCRIM, rounded(0.0, 0.0, right, bottom, (size * 0.5).min(bottom / 2.0)));
        if muted {
            let microphone = draw_microphone(icon, self.theme.ink, self.theme.muted);
            raster.draw(&microphone, pad as usize, ((bottom - icon) / 2.0).round() as usize);
        }
        if let Some(text) = text {
            let top = ((bottom - text.size().1 as f32) / 2.0).round().max(0.0);
            raster.draw(&text, (pad + icon + between) as usize, top as usize);
        }
        Some(raster)
    }

    /// The four sides, each with its share of the corners; between them nothing is touched.
    fn frame(&mut self, region: &Region, pieces: &mut Vec<Placed>) {
        let Rect { width, height, .. } = region.rect;
        let (corner, thickness) = (region.corner, if height < 160 { 2 } else { 3 });
        let band = corner.max(thickness).next_multiple_of(2);
        let side = thickness.next_multiple_of(2);
        if width < 4 * band || height < 4 * band {
            return;
        }
        let sides = [
            Rect::new(0, 0, width, band),
            Rect::new(0, height - band, width, band),
            Rect::new(0, band, side, height - 2 * band),
            Rect::new(width - side, band, side, height - 2 * band),
        ];
        for (index, rect) in sides.into_iter().enumerate() {
            let key = Key::Side { side: index, width, height, corner, thickness };
            let sprite = self.keep(key, |dresser| {
                let outer = rounded(0.0, 0.0, width as f32, height as f32, corner as f32);
                let half = thickness as f32 / 2.0;
                let mut raster = Raster::new(rect.width, rect.height);
                let ring = |x: f32, y: f32| (outer(x + rect.left as f32, y + rect.top as f32) + half).abs() - half;
                raster.fill(dresser.theme.speaking, 1.0, ring);
                Some(raster)
            });
            pieces.extend(sprite.map(|sprite| (sprite, (rect.left, rect.top))));
        }
    }

    /// A coloured disc with initials, or with a figure where there are none.
    fn draw_avatar(&mut self, name: &str, id: ParticipantId, diameter: usize) -> Raster {
        let mut raster = Raster::new(diameter, diameter);
        let middle = raster.size().0 as f32 / 2.0;
        raster.fill(colour_of(id), 1.0, disc(middle, middle, middle - 0.5));
        let text = initials(name);
        let size = diameter as f32 * if text.chars().count() > 1 { 0.36 } else { 0.44 };
        match self.fonts.line(&text, size, diameter as f32, self.theme.ink) {
            Some(text) => {
                let start = |length: usize| (middle - length as f32 / 2.0).round().max(0.0) as usize;
                raster.draw(&text, start(text.size().0), start(text.size().1));
            }
            None => {
                let (unit, ink) = (middle / 10.0, self.theme.ink);
                raster.fill(ink, 0.9, disc(middle, middle - 2.2 * unit, 2.7 * unit));
                let shoulders = (middle - 4.6 * unit, middle + 1.6 * unit, middle + 4.6 * unit, middle + 6.0 * unit);
                raster.fill(ink, 0.9, rounded(shoulders.0, shoulders.1, shoulders.2, shoulders.3, 2.2 * unit));
            }
        }
        raster
    }
}

/// From the tile's edge to its label.
fn inset(region: &Region) -> usize {
    (region.rect.height / 36).clamp(4, 14).next_multiple_of(2)
}

/// A microphone with a stroke through it.
fn draw_microphone(size: f32, ink: Colour, stroke: Colour) -> Raster {
    let mut raster = Raster::new(size as usize, size as usize);
    let at = |x: f32, y: f32| (x * size, y * size);
    let thickness = (size * 0.095).max(1.2);
    raster.fill(ink, 1.0, line(at(0.5, 0.22), at(0.5, 0.44), size * 0.28));
    let cup = disc(0.5 * size, 0.44 * size, 0.28 * size);
    let arc = move |x: f32, y: f32| (cup(x, y).abs() - thickness / 2.0).max(0.46 * size - y);
    raster.fill(ink, 1.0, arc);
    raster.fill(ink, 1.0, line(at(0.5, 0.74), at(0.5, 0.9), thickness));
    raster.fill(ink, 1.0, line(at(0.36, 0.91), at(0.64, 0.91), thickness));
    raster.erase(line(at(0.14, 0.1), at(0.88, 0.9), thickness * 2.6));
    raster.fill(stroke, 1.0, line(at(0.14, 0.1), at(0.88, 0.9), thickness * 1.25));
    raster
}

/// Neighbouring numbers get hues far from each other; white text reads well on all of them.
fn colour_of(id: ParticipantId) -> Colour {
    // The golden ratio's fraction of the circle.
    let hue = (id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1_u64 << 24) as f32;
    let channel = |offset: f32| {
        let around = ((hue + offset).fract() * 6.0 - 3.0).abs() - 1.0;
        let pure = around.clamp(0.0, 1.0);
        ((0.2 + 0.34 * pure) * 255.0).round() as u8
    };
    Colour(channel(0.0), channel(2.0 / 3.0), channel(1.0 / 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::text::FontSources;
    use crate::layout::{Fit, Source};

    fn region(name: &str) -> Region {
        Region {
            source: Source::Camera(ParticipantId(1)),
            rect: Rect::new(8, 8, 416, 234),
            z: 0,
            fit: Fit::Cover,
            corner: 14,
            opacity: 255,
            live: true,
            name: name.into(),
            muted: false,
            speaking: false,
            needs: (416, 234),
        }
    }

    #[test]
    fn a_label_stays_within_its_tile_however_long_the_name() {
        let mut dresser = Dresser::new(Theme::default(), Fonts::new(&FontSources::default()));
        for name in ["Zoë", &"아주 긴 이름 ".repeat(20), &"W".repeat(300)] {
            for muted in [false, true] {
                let dress = dresser.dress(&Region { muted, ..region(name) });
                let (label, (left, top)) = dress.pieces.first().expect("a label");
                assert!(left + label.width() <= 416 && top + label.height() <= 234);
            }
        }
    }

    #[test]
    fn what_is_drawn_is_kept() {
        let mut dresser = Dresser::new(Theme::default(), Fonts::new(&FontSources::default()));
        let speaking = Region { speaking: true, ..region("민준") };
        let (plain, framed) = (dresser.dress(&region("민준")), dresser.dress(&speaking));
        assert!(dresser.dress(&speaking).difference(&framed).is_empty());
        let frame = plain.difference(&framed);
        assert_eq!(frame.len(), 4, "the label is the same: {frame:?}");
        assert!(frame.iter().all(|side| side.width * side.height < 416 * 20));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut dresser = Dresser::new(Theme::default(), Fonts::new(&FontSources::default()));
        for id in 0..40 {
            let source = Source::Camera(ParticipantId(id));
            let large = Region { source, rect: Rect::new(0, 0, 1280, 720), ..region("") };
            assert!(dresser.avatar(&large).is_some_and(|(sprite, _)| sprite.width() > 300));
            assert!(dresser.samples <= KEPT_SAMPLES);
            let held = dresser.kept.values().flatten().map(|sprite| sprite.width() * sprite.height());
            assert_eq!(held.sum::<usize>(), dresser.samples);
        }
        assert!(dresser.kept.len() < 40);
    }

    #[test]
    fn without_fonts_only_the_icon_is_on_the_label_and_avatars_have_a_figure() {
        let none = FontSources { system: false, ..FontSources::default() };
        let mut dresser = Dresser::new(Theme::default(), Fonts::new(&none));
        assert!(dresser.dress(&region("Zoë")).pieces.is_empty());
        assert_eq!(dresser.dress(&Region { muted: true, ..region("Zoë") }).pieces.len(), 1);
        assert!(dresser.avatar(&region("Zoë")).is_some());
    }

    #[test]
    fn neighbours_have_colours_that_white_text_reads_on() {
        let light = |Colour(red, green, blue): Colour| {
            let linear = |value: u8| (f64::from(value) / 255.0).powf(2.2);
            0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
        };
        for id in 0..100 {
            let colour = colour_of(ParticipantId(id));
            assert!(1.05 / (light(colour) + 0.05) > 3.0, "{colour:?}");
            assert_ne!(colour, colour_of(ParticipantId(id + 1)));
        }
    }
}
