//! The section `mix`: what the server's own mixes look like, and what they may take.

use std::{fmt, path::Path, str::FromStr};

use madang_mixer::canvas::FontSources;
use madang_protocol::{MixFill, MixFit, MixLayout, MixRegion};
use madang_room::{MixSettings, can_be_mixed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::validate::{Flaw, out_of_range};

/// Each thread has caches of its own, and no machine has more cores that would pay for them.
const MOST_THREADS: usize = 256;

/// As in the protocol.
const MOST_REGIONS: usize = 25;

/// Encoders of different pictures that one room may have.
const MOST_PICTURES: u32 = 16;

/// Half and quarter of a side have to be even and large enough for every encoder.
const SIDES: std::ops::RangeInclusive<usize> = 128..=1920;

const BITRATES: std::ops::RangeInclusive<u32> = 100_000..=20_000_000;

/// How far sums of written decimals may be beyond the edge.
const ROUNDING: f64 = 1e-6;

/// Mixed rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Threads that decode, draw and encode; 0 for one on each core.
    pub threads: usize,
    /// The largest rendition; the others have a half and a quarter of its sides.
    pub size: PictureSize,
    /// What the largest rendition takes, in bits per second; the others a third and a tenth.
    pub bitrate: u32,
    /// How people are arranged at first.
    pub layout: LayoutName,
    /// The regions of the layout `custom`.
    pub regions: Vec<Region>,
    /// Different pictures that the people of one room may ask for.
    pub pictures: u32,
    /// A font's file or family, before those that are found; empty for none.
    pub font: String,
    /// Decides the shape of Han characters.
    pub locale: String,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            threads: 0,
            size: PictureSize { width: 1280, height: 720 },
            bitrate: 1_500_000,
            layout: LayoutName::Auto,
            regions: Vec::new(),
            pictures: 4,
            font: String::new(),
            locale: "ko".into(),
        }
    }
}

impl Mix {
    /// What rooms have to know: how they are arranged at first, and how many different pictures
    /// each may have.
    #[must_use]
    pub fn for_rooms(&self) -> MixSettings {
        let layout = match self.layout {
            LayoutName::Auto => MixLayout::Auto,
            LayoutName::Grid => MixLayout::Grid,
            LayoutName::Speaker => MixLayout::Speaker,
            LayoutName::Presentation => MixLayout::Presentation,
            LayoutName::PictureInPicture => MixLayout::PictureInPicture,
            LayoutName::Custom => MixLayout::Custom { regions: self.regions.iter().map(MixRegion::from).collect() },
        };
        MixSettings { layout, pictures: self.pictures }
    }

    /// What the renditions take, from the smallest.
    pub(crate) fn bitrates(&self) -> [u32; 3] {
        [self.bitrate / 10, self.bitrate / 3, self.bitrate]
    }

    /// Where names are drawn from.
    pub(crate) fn fonts(&self) -> FontSources {
        let is_file = self.font.contains(['/', '\\'])
            || Path::new(&self.font)
                .extension()
                .is_some_and(|end| ["ttf", "otf", "ttc", "otc"].iter().any(|font| end.eq_ignore_ascii_case(font)));
        FontSources {
            files: if is_file { vec![self.font.clone().into()] } else { Vec::new() },
            family: (!is_file && !self.font.is_empty()).then(|| self.font.clone()),
            locale: self.locale.clone(),
            ..FontSources::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        if self.threads > MOST_THREADS {
            return out_of_range("mix.threads", "too many");
        }
        if !BITRATES.contains(&self.bitrate) {
            return out_of_range("mix.bitrate", "out of range");
        }
        if !(1..=MOST_PICTURES).contains(&self.pictures) {
            return out_of_range("mix.pictures", "out of range");
        }
        let is_tag = |locale: &str| {
            let parts = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            locale.len() >= 2 && locale.split('-').all(parts)
        };
        if !is_tag(&self.locale) {
            return out_of_range("mix.locale", "not the tag of a language");
        }
        self.check_regions()
    }

    fn check_regions(&self) -> Result<(), Flaw> {
        if self.regions.len() > MOST_REGIONS {
            return out_of_range("mix.regions", "too many");
        }
        for (region, number) in self.regions.iter().zip(1..) {
            if let Err(what) = region.check() {
                return out_of_range("mix.regions", &format!("region {number} {what}"));
            }
        }
        let regions: Vec<_> = self.regions.iter().map(MixRegion::from).collect();
        if !can_be_mixed(&regions) {
            return out_of_range(
                "mix.regions",
                "too large together: each region counts with the square of its longer side, and the sum is 4 at most",
            );
        }
        if self.layout == LayoutName::Custom && self.regions.is_empty() {
            return Err(Flaw::Conflict(
                "mix.layout = \"custom\" needs mix.regions: a list of tables with left, top, width, height and fill"
                    .into(),
            ));
        }
        Ok(())
    }
}

/// How people are arranged, as in the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutName {
    /// `presentation` while somebody shares a screen, `grid` otherwise.
    #[default]
    Auto,
    /// Equal tiles.
    Grid,
    /// Who speaks large, the others in a strip.
    Speaker,
    /// The shared screen large, who speaks beside it.
    Presentation,
    /// One on all of the picture, one small in a corner.
    PictureInPicture,
    /// As `mix.regions` say.
    Custom,
}

/// A region of a custom layout, as in the protocol; but nobody is named who has not come yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// From the left edge, as a share of the picture's width.
    pub left: f64,
    /// From the upper edge, as a share of its height.
    pub top: f64,
    /// As a share of the picture's width.
    pub width: f64,
    /// As a share of its height.
    pub height: f64,
    /// Higher is in front.
    #[serde(default)]
    pub z: i32,
    /// What fills it.
    pub fill: RegionFill,
    /// How; by itself, cameras cover their region and screens are contained in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<MixFit>,
}

/// What fills a region of a custom layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionFill {
    /// Who speaks; where they have a region already, who spoke before.
    Speaker,
    /// A shared screen that has no region yet.
    AnyScreen,
    /// The next person, in the order in which they came, who has no region yet.
    Next,
}

impl Region {
    fn check(&self) -> Result<(), &'static str> {
        let is_share = |number: f64| (0.0..=1.0).contains(&number);
        if ![self.left, self.top, self.width, self.height].into_iter().all(is_share) {
            return Err("has a length that is not from 0 to 1");
        }
        if self.width <= 0.0 || self.height <= 0.0 {
            return Err("has no width or no height");
        }
        if self.left + self.width > 1.0 + ROUNDING || self.top + self.height > 1.0 + ROUNDING {
            return Err("reaches beyond the picture");
        }
        Ok(())
    }
}

impl From<&Region> for MixRegion {
    fn from(region: &Region) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "shares, checked to be from 0 to 1")]
        let share = |number: f64| number as f32;
        Self {
            left: share(region.left),
            top: share(region.top),
            width: share(region.width),
            height: share(region.height),
            z: region.z,
            fill: match region.fill {
                RegionFill::Speaker => MixFill::Speaker,
                RegionFill::AnyScreen => MixFill::AnyScreen,
                RegionFill::Next => MixFill::Next,
            },
            fit: region.fit,
        }
    }
}

/// A picture's width and height, as in `1280x720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    /// In samples.
    pub width: usize,
    /// In samples.
    pub height: usize,
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A text that is no size of a mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a size (two multiples of 8 from 128 to 1920, such as `1280x720`)")]
pub struct PictureSizeError;

impl FromStr for PictureSize {
    type Err = PictureSizeError;

    fn from_str(text: &str) -> Result<Self, PictureSizeError> {
        let (width, height) = text.split_once('x').ok_or(PictureSizeError)?;
        let side = |text: &str| {
            let side = text.trim().parse().ok();
            side.filter(|side: &usize| SIDES.contains(side) && side.is_multiple_of(8)).ok_or(PictureSizeError)
        };
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

impl Serialize for PictureSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PictureSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_prints_as_it_is_read() {
        for text in ["1280x720", "720x1280", "1920x1080", "128x128"] {
            assert_eq!(text.parse::<PictureSize>().map(|size| size.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "x", "1280", "1280x", "1280×720", "1281x720", "1280x724", "120x720", "1280x2160", "-8x720"] {
            assert_eq!(text.parse::<PictureSize>(), Err(PictureSizeError), "{text}");
        }
    }

    #[test]
    fn a_font_is_a_file_or_a_family() {
        let fonts = |font: &str| Mix { font: font.into(), ..Mix::default() }.fonts();
        assert_eq!(fonts(""), FontSources::default());
        for file in ["/usr/share/fonts/a", "Pretendard.otf", "fonts/a.TTC"] {
            assert_eq!((fonts(file).files, fonts(file).family), (vec![file.into()], None));
        }
        for family in ["Pretendard", "Noto Sans KR", "Mr. Bold"] {
            assert_eq!((fonts(family).files, fonts(family).family), (Vec::new(), Some(family.into())));
        }
    }

    #[test]
    fn smaller_renditions_take_a_third_and_a_tenth() {
        assert_eq!(Mix::default().bitrates(), [150_000, 500_000, 1_500_000]);
    }

    #[test]
    fn rooms_get_the_layout_by_its_name_or_by_its_regions() {
        assert_eq!(Mix::default().for_rooms(), MixSettings { layout: MixLayout::Auto, pictures: 4 });
        let speaker = Mix { layout: LayoutName::Speaker, pictures: 1, ..Mix::default() };
        assert_eq!(speaker.for_rooms(), MixSettings { layout: MixLayout::Speaker, pictures: 1 });
        let region = Region { left: 0.1, top: 0.0, width: 0.9, height: 1.0, z: 0, fill: RegionFill::Next, fit: None };
        let custom = Mix { layout: LayoutName::Custom, regions: vec![region], ..Mix::default() };
        assert!(custom.check().is_ok(), "0.1 and 0.9 make 1");
        let MixLayout::Custom { regions } = custom.for_rooms().layout else { unreachable!("it is custom") };
        assert_eq!((regions[0].left, regions[0].width, regions[0].fill.clone()), (0.1, 0.9, MixFill::Next));
    }
}
