//! Where each person's picture goes on the canvas. Nothing here knows of samples' values.
//!
//! | module | what it does |
//! | --- | --- |
//! | `rect` | rectangles of the canvas |
//! | `grid` | equal tiles |
//! | `stage` | one large and the others small: speaker, presentation, picture-in-picture |
//! | `custom` | regions that protocol or configuration name |
//! | `floor` | who counts as the speaker |
//! | `animation` | from one arrangement to the next |

mod animation;
mod custom;
mod floor;
mod grid;
mod rect;
mod stage;

use std::sync::Arc;
use std::time::Instant;

pub use animation::{Animation, DURATION};
pub use custom::{Fill, Fraction, NamedRegion};
pub use floor::{Floor, HANDOVER};
pub use grid::MOST as MOST_TILES;
pub use rect::Rect;
pub(crate) use rect::centred;

/// Somebody in the room, as the mixer numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(pub u64);

/// Where a region's picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Somebody's camera, or in its place their avatar.
    Camera(ParticipantId),
    /// Somebody's shared screen.
    Screen(ParticipantId),
}

impl Source {
    /// Whose it is.
    #[must_use]
    pub const fn participant(self) -> ParticipantId {
        match self {
            Self::Camera(id) | Self::Screen(id) => id,
        }
    }
}

/// What a layout has to know of somebody.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Who.
    pub id: ParticipantId,
    /// As it stands on the label; may be empty. Whatever letters and controls it has.
    pub name: Arc<str>,
    /// The camera is on. Without, there is an avatar.
    pub camera: bool,
    /// Width by height of the camera's picture.
    pub camera_aspect: f64,
    /// Width by height of the shared screen, if there is one.
    pub screen_aspect: Option<f64>,
    /// The microphone is off.
    pub muted: bool,
    /// Speaks now.
    pub speaking: bool,
    /// When last heard, if ever.
    pub last_spoke: Option<Instant>,
}

impl Participant {
    /// Somebody with a camera of 16:9 who has not said anything yet.
    #[must_use]
    pub fn new(id: ParticipantId, name: &str) -> Self {
        Self {
            id,
            name: name.into(),
            camera: true,
            camera_aspect: WIDE,
            screen_aspect: None,
            muted: false,
            speaking: false,
            last_spoke: None,
        }
    }
}

/// How a picture fills a region of another aspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All of the region is filled; what is over on two sides is cut off.
    Cover,
    /// All of the picture is seen; bars fill two sides.
    Contain,
}

/// A kind of arrangement.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Layout {
    /// Equal tiles, 25 at most. Of more sources than that 24 are seen; the last tile is an avatar
    /// with "+n", in the place of the first of those n.
    #[default]
    Grid,
    /// The speaker large, the others in a strip at the right.
    Speaker,
    /// The shared screen large, the speaker beside it, the others below the speaker. As
    /// [`Layout::Speaker`] while nobody shares.
    Presentation,
    /// The shared screen or the speaker on all of the canvas, the speaker or the one before small
    /// in a corner.
    PictureInPicture,
    /// Regions by name, in the order in which they are filled.
    Custom(Vec<NamedRegion>),
}

/// What is asked of a layout.
#[derive(Clone, Copy, Debug)]
pub struct Arrangement<'a> {
    /// The canvas in samples; even, from 16 × 16 on.
    pub width: usize,
    /// See `width`.
    pub height: usize,
    /// Between tiles and around them, in samples; 0 to let tiles touch.
    pub gap: usize,
    /// Which.
    pub layout: &'a Layout,
    /// All who are there, in an order that stays.
    pub participants: &'a [Participant],
    /// Who has the floor, by [`Floor`].
    pub speaker: Option<ParticipantId>,
    /// Who is left out, because it is they who look.
    pub viewer: Option<ParticipantId>,
}

/// One picture's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// What fills it.
    pub source: Source,
    /// Where; all numbers even.
    pub rect: Rect,
    /// Higher is in front.
    pub z: i32,
    /// How.
    pub fit: Fit,
    /// How far the corners are rounded, in samples; even.
    pub corner: usize,
    /// 255 hides what is behind, 0 is not there.
    pub opacity: u8,
    /// There is a picture to come; otherwise the avatar is shown at once.
    pub live: bool,
    /// What stands on the label; also the avatar's initials are taken from it.
    pub name: Arc<str>,
    /// The label says that the microphone is off.
    pub muted: bool,
    /// It has the speaker's frame.
    pub speaking: bool,
    /// The smallest picture (width, height) that fills it without being enlarged; 0 × 0 where none is
    /// wanted, because it stands for several.
    pub needs: (usize, usize),
}

/// Everyone's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arranged {
    /// In the order of the participants, not of depth.
    pub regions: Vec<Region>,
    /// Who has found no place.
    pub left_out: Vec<Source>,
}

pub(crate) const WIDE: f64 = 16.0 / 9.0;

/// Gives everyone a place.
#[must_use]
pub fn arrange(ask: &Arrangement<'_>) -> Arranged {
    let mut arranged = match ask.layout {
        Layout::Grid => grid::arrange(ask),
        Layout::Speaker => stage::speaker(ask),
        Layout::Presentation => stage::presentation(ask),
        Layout::PictureInPicture => stage::picture_in_picture(ask),
        Layout::Custom(regions) => custom::arrange(ask, regions),
    };
    // On a canvas that is hardly there, not everyone is.
    let canvas = Rect::new(0, 0, ask.width, ask.height);
    let (kept, lost) = std::mem::take(&mut arranged.regions)
        .into_iter()
        .partition::<Vec<_>, _>(|region| !region.rect.is_empty() && canvas.holds(&region.rect));
    arranged.regions = kept;
    arranged.left_out.extend(lost.iter().map(|region| region.source));
    arranged
}

impl Arrangement<'_> {
    /// Who is to be seen, in their order.
    fn seen(&self) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(|participant| Some(participant.id) != self.viewer)
    }

    /// The cameras of all who are to be seen: who has the floor, then who spoke last, then by order.
    fn by_speech(&self) -> Vec<&Participant> {
        let mut all: Vec<_> = self.seen().collect();
        all.sort_by_key(|someone| {
            (Some(someone.id) != self.speaker, std::cmp::Reverse((someone.speaking, someone.last_spoke)))
        });
        all
    }

    /// Who shares a screen, first the one who has the floor.
    fn sharers(&self) -> Vec<&Participant> {
        let mut all: Vec<_> = self.seen().filter(|someone| someone.screen_aspect.is_some()).collect();
        all.sort_by_key(|someone| Some(someone.id) != self.speaker);
        all
    }

    /// A region for someone's camera, or for their screen.
    fn region(&self, source: Source, rect: Rect, z: i32) -> Option<Region> {
        let someone = self.participants.iter().find(|someone| someone.id == source.participant())?;
        let camera = matches!(source, Source::Camera(_));
        let (fit, aspect) = if camera {
            (Fit::Cover, someone.camera_aspect)
        } else {
            (Fit::Contain, someone.screen_aspect.unwrap_or(WIDE))
        };
        Some(Region {
            source,
            rect,
            z,
            fit,
            corner: self.corner(&rect),
            opacity: u8::MAX,
            live: !camera || someone.camera,
            name: someone.name.clone(),
            muted: camera && someone.muted,
            speaking: camera && someone.speaking,
            needs: needs(&rect, fit, aspect),
        })
    }

    /// Tiles that reach the canvas's edges have no rounded corners.
    fn corner(&self, rect: &Rect) -> usize {
        let full = rect.width >= self.width || rect.height >= self.height;
        if full || self.gap == 0 { 0 } else { rounding(self, rect) }
    }
}

/// How far the corners of a tile are rounded.
fn rounding(ask: &Arrangement<'_>, rect: &Rect) -> usize {
    (rect.width.min(rect.height) / 12).min(ask.height / 50).min(28) & !1
}

/// An aspect that can be reckoned with, whatever somebody said.
fn sane(aspect: f64) -> f64 {
    if aspect.is_finite() && aspect > 0.0 { aspect.clamp(0.1, 10.0) } else { WIDE }
}

fn needs(rect: &Rect, fit: Fit, aspect: f64) -> (usize, usize) {
    let aspect = sane(aspect);
    let (width, height) = (rect.width as f64, rect.height as f64);
    let height = match fit {
        Fit::Cover => height.max(width / aspect),
        Fit::Contain => height.min(width / aspect),
    };
    ((height * aspect).round() as usize, height.round() as usize)
}

#[cfg(test)]
mod tests;
