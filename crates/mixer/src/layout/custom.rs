//! Regions that protocol or configuration name.

use super::rect::Rect;
use super::stage::others;
use super::{Arranged, Arrangement, Fit, ParticipantId, Source};

/// A part of the canvas's width or height, from 0 to 1. Numbers beyond are cut, NaN is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Fraction(pub f32);

impl Fraction {
    fn of(self, length: usize) -> usize {
        // What is no number becomes 0 in the last step.
        (f64::from(self.0.clamp(0.0, 1.0)) * length as f64).round() as usize
    }
}

/// What fills a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Someone's camera. Empty while they are not there.
    Participant(ParticipantId),
    /// Someone's shared screen.
    Screen(ParticipantId),
    /// Who has the floor; when they have a region already, who spoke before.
    Speaker,
    /// A shared screen that has no region yet.
    AnyScreen,
    /// The next one, in the order of the participants, who has no region yet.
    Next,
}

/// A region of a custom layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedRegion {
    /// From the left edge.
    pub left: Fraction,
    /// From the upper edge.
    pub top: Fraction,
    /// Width.
    pub width: Fraction,
    /// Height.
    pub height: Fraction,
    /// Higher is in front.
    pub z: i32,
    /// What fills it.
    pub fill: Fill,
    /// How; by itself, cameras cover and screens are contained.
    pub fit: Option<Fit>,
}

pub(super) fn arrange(ask: &Arrangement<'_>, regions: &[NamedRegion]) -> Arranged {
    // What has no room takes nobody's picture either.
    let (rects, regions): (Vec<_>, Vec<_>) =
        regions.iter().filter_map(|named| Some((rect(ask, named)?, *named))).unzip();
    let chosen = choose(ask, &regions);
    let taken: Vec<_> = chosen.iter().copied().flatten().collect();
    let lowest = regions.iter().map(|named| named.z).min().unwrap_or(0);
    let place = |((named, rect), source): ((&NamedRegion, Rect), Option<Source>)| {
        let mut region = ask.region(source?, rect, named.z)?;
        if named.z == lowest {
            // What lies side by side is to touch; only what lies in front has round corners.
            region.corner = 0;
        }
        if let Some(fit) = named.fit {
            region.fit = fit;
        }
        Some(region)
    };
    Arranged {
        regions: regions.iter().zip(rects).zip(chosen).filter_map(place).collect(),
        left_out: others(ask, &taken),
    }
}

/// A source for each region. A picture has one place at most; who is named goes first, then the
/// speaker and screens, then whoever is next.
fn choose(ask: &Arrangement<'_>, regions: &[NamedRegion]) -> Vec<Option<Source>> {
    let all = others(ask, &[]);
    let by_speech: Vec<_> = ask.by_speech().into_iter().map(|someone| Source::Camera(someone.id)).collect();
    let mut chosen = vec![None; regions.len()];
    for rank in 0..3 {
        for (index, named) in regions.iter().enumerate() {
            let free = |source: &&Source| !chosen.contains(&Some(**source));
            let camera = |source: &&Source| matches!(source, Source::Camera(_));
            let wanted = match (rank, named.fill) {
                (0, Fill::Participant(id)) => all.iter().find(|source| **source == Source::Camera(id)),
                (0, Fill::Screen(id)) => all.iter().find(|source| **source == Source::Screen(id)),
                (1, Fill::Speaker) => by_speech.iter().find(free),
                (1, Fill::AnyScreen) => all.iter().filter(|source| !camera(source)).find(free),
                (2, Fill::Next) => all.iter().filter(camera).find(free),
                _ => continue,
            };
            chosen[index] = wanted.filter(free).copied();
        }
    }
    chosen
}

/// None when there is hardly anything of it on the canvas.
fn rect(ask: &Arrangement<'_>, named: &NamedRegion) -> Option<Rect> {
    // Edges are rounded, not sizes: neighbours touch.
    let edges = |from: Fraction, length: Fraction, all: usize| {
        let (first, last) = (from.of(all), Fraction(from.0.max(0.0) + length.0.max(0.0)).of(all));
        (first & !1, (last & !1).saturating_sub(first & !1))
    };
    let (left, width) = edges(named.left, named.width, ask.width & !1);
    let (top, height) = edges(named.top, named.height, ask.height & !1);
    (width >= 8 && height >= 8).then(|| Rect::new(left, top, width, height))
}
