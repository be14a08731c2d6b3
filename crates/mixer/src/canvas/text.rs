//! Names and initials as drawings.
//!
//! Shaping, fall-back between fonts, direction and the ellipsis are cosmic-text's. Fonts are those
//! of the system, as fontconfig's files name them, and files of one's own before them. The family
//! is the first that is there of [`FAMILIES`]; what it lacks comes from the others, Han characters
//! in the shape of the locale's language first.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use cosmic_text::fontdb::{self, Database};
use cosmic_text::{
    Attrs, Buffer, Color, Ellipsize, EllipsizeHeightLimit, Family, FontSystem, Metrics, Shaping, SwashCache, Weight,
    Wrap,
};
use unicode_normalization::UnicodeNormalization as _;

use super::raster::{Colour, Raster};

/// Families in the order in which they are liked: Korean is at home in the first ones, and Debian
/// has the third in `fonts-noto-cjk`.
pub const FAMILIES: [&str; 8] = [
    "Pretendard",
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "NanumGothic",
    "Noto Sans",
    "DejaVu Sans",
    "Liberation Sans",
    "Arial",
];

/// Longer names are cut before anything looks at them, in characters.
const LONGEST: usize = 80;

/// Where fonts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FontSources {
    /// Font files (TTF, OTF, TTC) that go before those of the system.
    pub files: Vec<PathBuf>,
    /// Take the system's fonts as well.
    pub system: bool,
    /// The family that is liked most, before [`FAMILIES`].
    pub family: Option<String>,
    /// Decides the shape of Han characters: `ko`, `ja`, `zh-CN`, `zh-TW`, `zh-HK`.
    pub locale: String,
}

impl Default for FontSources {
    fn default() -> Self {
        Self { files: Vec::new(), system: true, family: None, locale: "ko".into() }
    }
}

/// What is wrong with the fonts. Mixing goes on without what is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FontWarning {
    /// There is none at all: labels have no names, avatars a figure in place of initials.
    #[error("no font on this machine: names are not drawn; install one (Debian: fonts-noto-cjk) or name a file")]
    None,
    /// None has Hangul or Han: such names are boxes.
    #[error("no font for Korean, Chinese and Japanese names: install one (Debian: fonts-noto-cjk) or name a file")]
    NoCjk,
    /// A file could not be read as a font.
    #[error("{0} is no font that can be read")]
    File(PathBuf),
}

/// Fonts that are looked for once, when they are first needed, however many canvases draw with them.
#[derive(Clone)]
pub struct SharedFonts {
    sources: FontSources,
    found: Arc<OnceLock<Found>>,
}

impl std::fmt::Debug for SharedFonts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedFonts").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl SharedFonts {
    /// Fonts from there.
    #[must_use]
    pub fn new(sources: FontSources) -> Self {
        Self { sources, found: Arc::default() }
    }

    /// Where they come from.
    #[must_use]
    pub const fn sources(&self) -> &FontSources {
        &self.sources
    }

    /// For one canvas. The first time it reads directories and files, which takes tens of
    /// milliseconds.
    #[must_use]
    pub fn open(&self) -> Fonts {
        self.found.get_or_init(|| Found::find(&self.sources)).open(&self.sources.locale)
    }
}

/// What was found.
struct Found {
    database: Database,
    is_usable: bool,
    family: String,
    warnings: Vec<FontWarning>,
}

/// The fonts of one canvas.
pub struct Fonts {
    /// None when there is no font.
    system: Option<FontSystem>,
    family: String,
    warnings: Vec<FontWarning>,
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fonts").field("family", &self.family).field("warnings", &self.warnings).finish()
    }
}

impl Found {
    fn find(sources: &FontSources) -> Self {
        let mut database = Database::new();
        let mut warnings = Vec::new();
        for file in &sources.files {
            let before = database.len();
            if database.load_font_file(file).is_err() || database.len() == before {
                warnings.push(FontWarning::File(file.clone()));
            }
        }
        let named = database.faces().next().and_then(|face| face.families.first()).map(|(family, _)| family.clone());
        if sources.system {
            database.load_system_fonts();
        }
        let has = |family: &str| {
            let query = fontdb::Query { families: &[fontdb::Family::Name(family)], ..fontdb::Query::default() };
            database.query(&query).is_some()
        };
        let any = database.faces().find_map(|face| face.families.first()).map(|(family, _)| family.clone());
        let liked = sources.family.clone().into_iter().chain(named).chain(FAMILIES.map(str::to_owned));
        let family = liked.filter(|family| has(family)).chain(any).next();
        let faces: Vec<_> = database.faces().map(|face| (face.id, face.weight)).collect();
        let mut system = FontSystem::new_with_locale_and_db(sources.locale.clone(), database.clone());
        // What cannot be opened cannot be drawn with either.
        let is_usable = faces.iter().any(|(id, weight)| system.get_font(*id, *weight).is_some());
        let mut hangul = |(id, weight): &(fontdb::ID, Weight)| {
            system.get_font(*id, *weight).is_some_and(|font| font.as_swash().charmap().map('가') != 0)
        };
        if !faces.iter().any(&mut hangul) {
            warnings.push(if is_usable { FontWarning::NoCjk } else { FontWarning::None });
        }
        Self { database, is_usable, family: family.unwrap_or_default(), warnings }
    }

    fn open(&self, locale: &str) -> Fonts {
        let system = || FontSystem::new_with_locale_and_db(locale.to_owned(), self.database.clone());
        Fonts { system: self.is_usable.then(system), family: self.family.clone(), warnings: self.warnings.clone() }
    }
}

impl Fonts {
    /// Finds them. Where several canvases draw, [`SharedFonts`] look once.
    #[must_use]
    pub fn new(sources: &FontSources) -> Self {
        Found::find(sources).open(&sources.locale)
    }

    /// What is missing, to be said once.
    #[must_use]
    pub fn warnings(&self) -> &[FontWarning] {
        &self.warnings
    }

    /// The family that is used first; empty when there is none.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// One line of text, cut with an ellipsis where it is longer than `room` samples. None when
    /// there is no font or nothing to draw.
    pub(super) fn line(&mut self, text: &str, size: f32, room: f32, colour: Colour) -> Option<Raster> {
        let system = self.system.as_mut()?;
        if text.is_empty() {
            return None;
        }
        let height = (size * 1.35).ceil();
        let mut buffer = Buffer::new(system, Metrics::new(size, height));
        buffer.set_wrap(Wrap::None);
        buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(1)));
        buffer.set_size(Some(room), None);
        let attributes = Attrs::new().family(Family::Name(&self.family)).weight(Weight::MEDIUM);
        buffer.set_text(text, &attributes, Shaping::Advanced, None);
        buffer.shape_until_scroll(system, false);
        let run = buffer.layout_runs().next()?;
        let left = run.glyphs.iter().map(|glyph| glyph.x).fold(f32::INFINITY, f32::min);
        let right = run.glyphs.iter().map(|glyph| glyph.x + glyph.w).fold(0.0, f32::max);
        if right <= left {
            return None;
        }
        let mut raster = Raster::new((right - left).ceil() as usize + 1, height as usize);
        let origin = left.floor() as i32;
        let (red, green, blue) = (colour.0, colour.1, colour.2);
        // It would keep every glyph in every size for good, and what is drawn is kept as a whole.
        let mut cache = SwashCache::new();
        buffer.draw(system, &mut cache, Color::rgb(red, green, blue), |x, y, width, height, colour| {
            let (drawn, coverage) = (Colour(colour.r(), colour.g(), colour.b()), f32::from(colour.a()) / 255.0);
            for down in 0..height as i32 {
                for right in 0..width as i32 {
                    raster.dot(x - origin + right, y + down, drawn, coverage);
                }
            }
        });
        Some(raster)
    }
}

/// A name as it can be drawn: composed (macOS sends Hangul in pieces), without controls and marks
/// that turn the direction of what follows, on one line, of bearable length.
pub(super) fn clean(name: &str) -> String {
    let hidden = |character: &char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
            || matches!(character, '\u{e0000}'..='\u{e007f}')
    };
    let spaced = name.chars().take(4 * LONGEST).map(|it| if it.is_whitespace() { ' ' } else { it });
    let composed: String = spaced.filter(|character| !hidden(character)).nfc().take(LONGEST).collect();
    composed.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What stands on an avatar: the given name's two syllables in Korean, the first character in
/// Chinese and Japanese, else the first letters of the first and the last word. How many more there
/// are ("+7") stays as it is.
pub(super) fn initials(name: &str) -> String {
    let name = clean(name);
    let more =
        name.strip_prefix('+').is_some_and(|count| (1..4).contains(&count.len()) && count.parse::<u16>().is_ok());
    if more {
        return name;
    }
    let hangul = |character: char| matches!(character, '가'..='힣');
    let ideograph = |character: char| matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    // What stands in brackets is a remark, not a name.
    let name = name.split(['(', '[', '（']).map(str::trim).find(|part| !part.is_empty()).unwrap_or("");
    let Some(first) = name.chars().find(|character| character.is_alphanumeric()) else { return String::new() };
    if hangul(first) {
        let word: Vec<_> = name.split(' ').next_back().unwrap_or("").chars().filter(|it| hangul(*it)).collect();
        if !word.is_empty() {
            return word[word.len().saturating_sub(2)..].iter().collect();
        }
    }
    if ideograph(first) || hangul(first) {
        return first.to_string();
    }
    let letter = |word: &str| word.chars().find(|character| character.is_alphanumeric());
    let letters: Vec<_> = name.split(' ').filter_map(letter).collect();
    let ends = [letters.first(), letters.last().filter(|_| letters.len() > 1)];
    ends.into_iter().flatten().flat_map(|letter| letter.to_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Colour = Colour(255, 255, 255);

    fn ink(raster: &Raster) -> usize {
        let sprite = raster.finish();
        let mut picture = crate::picture::Picture::new(sprite.width(), sprite.height());
        let all = crate::layout::Rect::new(0, 0, sprite.width(), sprite.height());
        sprite.draw(super::super::kernel::Kernels::new(), &mut picture, (0, 0), all, 255);
        picture.plane(0).iter().filter(|sample| **sample > 60).count()
    }

    #[test]
    fn names_of_many_scripts_leave_ink_and_differ() {
        let mut fonts = Fonts::new(&FontSources::default());
        let names = ["민준", "Zoë", "山田太郎", "Ольга", "مريم"];
        let drawn: Vec<_> = names.map(|name| fonts.line(name, 20.0, 300.0, WHITE)).into_iter().flatten().collect();
        assert_eq!(drawn.len(), names.len(), "{fonts:?}");
        assert!(drawn.iter().all(|raster| ink(raster) > 60));
        let sprites: std::collections::HashSet<_> =
            drawn.iter().map(|raster| format!("{:?}", raster.finish())).collect();
        assert_eq!(sprites.len(), names.len());
    }

    #[test]
    fn with_a_font_for_korean_there_is_nothing_to_warn_of() {
        let fonts = Fonts::new(&FontSources::default());
        assert_eq!(fonts.warnings(), [], "the tests want Debian's fonts-noto-cjk");
    }

    #[test]
    fn hangul_in_pieces_is_hangul_in_whole() {
        let pieces: String = "민준".nfd().collect();
        assert_ne!(pieces, "민준");
        assert_eq!(clean(&pieces), "민준");
        assert_eq!(clean("Zoe\u{308}"), "Zoë");
    }

    #[test]
    fn controls_and_turns_of_direction_are_left_out() {
        assert_eq!(clean("\u{202e}evil\u{202c}\r\n\t name\u{0}\u{200b}"), "evil name");
        assert_eq!(clean("\u{200f}\u{feff} "), "");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), LONGEST);
        assert_eq!(clean("👩‍👩‍👧"), "👩‍👩‍👧", "joiners within emoji stay");
    }

    #[test]
    fn a_long_name_is_cut_to_its_room() {
        let mut fonts = Fonts::new(&FontSources::default());
        for name in
            ["Wolfeschlegelsteinhausenbergerdorff the Elder of Somewhere", "김수한무거북이와두루미삼천갑자동방삭"]
        {
            let whole = fonts.line(name, 16.0, 2000.0, WHITE).map_or(0, |raster| raster.size().0);
            let cut = fonts.line(name, 16.0, 120.0, WHITE).map_or(0, |raster| raster.size().0);
            assert!(whole > 200 && cut <= 124 && cut > 80, "{whole} to {cut}");
        }
    }

    #[test]
    fn without_any_font_there_is_a_warning_and_no_text() {
        let mut fonts = Fonts::new(&FontSources { system: false, ..FontSources::default() });
        assert_eq!(fonts.warnings(), [FontWarning::None]);
        assert!(fonts.line("Zoë", 16.0, 100.0, WHITE).is_none());
    }

    #[test]
    fn a_file_that_is_no_font_is_named_in_a_warning() {
        let file = PathBuf::from("Cargo.toml");
        let fonts = Fonts::new(&FontSources { files: vec![file.clone()], system: false, ..FontSources::default() });
        assert_eq!(fonts.warnings(), [FontWarning::File(file), FontWarning::None]);
    }

    #[test]
    fn initials_are_as_each_script_has_them() {
        let table = [
            ("Zoë", "Z"),
            ("ada lovelace", "AL"),
            ("Anna Maria van Dyk", "AD"),
            ("김민준", "민준"),
            ("남궁 민수", "민수"),
            ("준", "준"),
            ("이서연 (마당)", "서연"),
            ("山田太郎", "山"),
            ("7 of nine", "7N"),
            ("+7", "+7"),
            ("+82 10 1234", "81"),
            ("🦊", ""),
            ("", ""),
        ];
        for (name, expected) in table {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
