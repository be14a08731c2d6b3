//! Checks of what clients write, before anything else looks at it.

use madang_protocol::{Capabilities, Limits, MixFill, MixLayout, MixRegion, PublishTrack, TrackKind, TrackSource};

use crate::refusal::Refusal;

const NAME_CHARS: usize = 64;
const CID_BYTES: usize = 64;
const CODEC_NAMES: usize = 64;
const CODEC_NAME_BYTES: usize = 32;
const IDENTITY_BYTES: usize = 256;
const REGIONS: usize = 25;
/// What the regions of a custom layout may make the mixer decode and draw, in whole pictures.
const MIXED: f32 = 4.0;
/// Sums of decimal fractions miss 1 by a little.
const TOLERANCE: f32 = 1e-4;
/// Ours are shorter.
const PARTICIPANT_BYTES: usize = 64;

/// A name to show, without the spaces around it.
pub(crate) fn name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let length = name.chars().count();
    if length > NAME_CHARS || name.chars().any(misleads) || name.chars().all(is_unseen) {
        return Err(Refusal::Malformed("`name` needs 1 to 64 characters, none of them control characters"));
    }
    Ok(name.to_owned())
}

/// Control characters, and those that turn the direction of what stands after them (UAX #9).
fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters without width: fine between others, no name by themselves.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

pub(crate) fn identity(identity: &str) -> Result<(), Refusal> {
    if identity.is_empty() || identity.len() > IDENTITY_BYTES {
        return Err(Refusal::Malformed("the token's `sub` needs 1 to 256 bytes"));
    }
    Ok(())
}

pub(crate) fn capabilities(capabilities: &Capabilities) -> Result<(), Refusal> {
    codec_names(&capabilities.codecs.audio)?;
    codec_names(&capabilities.codecs.video)
}

fn codec_names(names: &[String]) -> Result<(), Refusal> {
    let is_name = |name: &String| {
        (1..=CODEC_NAME_BYTES).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    if names.len() > CODEC_NAMES || !names.iter().all(is_name) {
        return Err(Refusal::Malformed(
            "codec lists have at most 64 names of 1 to 32 letters, digits, `-`, `_`, `.`, `+`",
        ));
    }
    Ok(())
}

pub(crate) fn tracks(tracks: &[PublishTrack], limits: &Limits) -> Result<(), Refusal> {
    if tracks.len() > limits.tracks as usize {
        return Err(too_many_tracks(limits));
    }
    tracks.iter().try_for_each(track)
}

pub(crate) fn track(track: &PublishTrack) -> Result<(), Refusal> {
    if !(1..=CID_BYTES).contains(&track.cid.len()) {
        return Err(Refusal::Malformed("`cid` needs 1 to 64 bytes"));
    }
    let fits = match track.source {
        TrackSource::Camera => track.kind == TrackKind::Video,
        TrackSource::Microphone => track.kind == TrackKind::Audio,
        TrackSource::Screen => true,
    };
    if !fits {
        return Err(Refusal::Malformed("a camera is `video` and a microphone is `audio`"));
    }
    codec_names(&track.codecs)
}

pub(crate) fn too_many_tracks(limits: &Limits) -> Refusal {
    Refusal::TooLarge { what: "the number of tracks", limit: limits.tracks as usize, unit: "tracks" }
}

pub(crate) fn layout(layout: &MixLayout) -> Result<(), Refusal> {
    let MixLayout::Custom { regions } = layout else { return Ok(()) };
    if !(1..=REGIONS).contains(&regions.len()) {
        return Err(Refusal::Malformed("a custom layout has 1 to 25 `regions`"));
    }
    regions.iter().try_for_each(region)?;
    if !can_be_mixed(regions) {
        return Err(Refusal::Malformed(
            "a custom layout's `regions` are too large together: each counts with the square of its longer side, \
             and the sum is 4 at most",
        ));
    }
    Ok(())
}

/// Whether the regions of a custom layout are together no more work than a mixer takes upon itself.
/// Each counts as a picture that covers it, whatever it shows: a slim one needs all of the height.
#[must_use]
pub fn can_be_mixed(regions: &[MixRegion]) -> bool {
    regions.iter().map(|region| region.width.max(region.height).powi(2)).sum::<f32>() <= MIXED + TOLERANCE
}

fn region(region: &MixRegion) -> Result<(), Refusal> {
    let lies_within = |start: f32, length: f32| {
        (0.0..=1.0).contains(&start) && length > 0.0 && length <= 1.0 && start + length <= 1.0 + TOLERANCE
    };
    if !lies_within(region.left, region.width) || !lies_within(region.top, region.height) {
        return Err(Refusal::Malformed(
            "a region lies within the picture: `left`, `top`, `width` and `height` are shares of it, 0 to 1, \
             and `width` and `height` are more than 0",
        ));
    }
    match &region.fill {
        MixFill::Participant { participant } | MixFill::Screen { participant }
            if !(1..=PARTICIPANT_BYTES).contains(&participant.0.len()) =>
        {
            Err(Refusal::Malformed("a region's `participant` needs 1 to 64 bytes"))
        }
        _ => Ok(()),
    }
}

/// The number of bytes that a Base64 text stands for (RFC 4648 §4, padded).
pub(crate) fn base64_bytes(text: &str) -> Result<usize, Refusal> {
    let malformed = Refusal::Malformed("`payload` needs to be Base64 with padding (RFC 4648 §4)");
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if padding > 2 || !text.len().is_multiple_of(4) || !body.bytes().all(is_digit) {
        return Err(malformed);
    }
    Ok(text.len() / 4 * 3 - padding)
}

#[cfg(test)]
mod tests {
    use madang_protocol::ParticipantId;

    use super::*;

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(name("  미나 "), Ok("미나".to_owned()));
        assert!(name(&"한".repeat(64)).is_ok());
        for wrong in ["", "   ", "a\nb", "a\u{7}b", &"x".repeat(65), "\u{200B}\u{FEFF}", "Ada\u{202E}nimda"] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn base64_is_measured_without_decoding() {
        for (text, bytes) in [("", 0), ("AA==", 1), ("AAA=", 2), ("AAAA", 3), ("+/aZ09==", 4)] {
            assert_eq!(base64_bytes(text), Ok(bytes), "{text}");
        }
        for wrong in ["A", "AAA", "AA=A", "====", "A===", "AA-_", "AA A", "é=="] {
            assert!(base64_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_lies_within_the_picture() {
        let of = |left, top, width, height| {
            let region = MixRegion { left, top, width, height, z: -7, fill: MixFill::Next, fit: None };
            layout(&MixLayout::Custom { regions: vec![region] }).is_ok()
        };
        assert!(of(0.0, 0.0, 1.0, 1.0));
        assert!(of(0.7, 0.9, 0.3, 0.1), "the sums are a little more than 1");
        for (left, top, width, height) in [
            (-0.1, 0.0, 0.5, 0.5),
            (0.6, 0.0, 0.5, 0.5),
            (0.0, 0.6, 0.5, 0.5),
            (0.0, 0.0, 0.0, 0.5),
            (0.0, 0.0, 0.5, 1.5),
            (f32::NAN, 0.0, 0.5, 0.5),
            (0.0, 0.0, f32::NAN, 0.5),
            (0.0, f32::INFINITY, 0.5, 0.5),
        ] {
            assert!(!of(left, top, width, height), "{left} {top} {width} {height}");
        }
    }

    #[test]
    fn the_regions_of_a_layout_are_as_large_as_four_pictures_at_most() {
        let region =
            |width, height| MixRegion { left: 0.0, top: 0.0, width, height, z: 0, fill: MixFill::Next, fit: None };
        let of =
            |count, width, height| layout(&MixLayout::Custom { regions: vec![region(width, height); count] }).is_ok();
        assert!(of(4, 1.0, 1.0) && of(4, 0.25, 1.0) && of(25, 0.4, 0.4), "the sums are a little more than 4");
        assert!(!of(5, 1.0, 1.0) && !of(25, 1.0, 1.0));
        assert!(!of(25, 0.04, 1.0) && !of(25, 1.0, 0.04), "each needs a picture of the whole height or width");
        let behind = [vec![region(1.0, 1.0)], vec![region(0.2, 0.2); 24]].concat();
        assert!(layout(&MixLayout::Custom { regions: behind }).is_ok());
    }

    #[test]
    fn a_custom_layout_has_so_many_regions_and_names_people_as_the_room_does() {
        let region = |fill| MixRegion { left: 0.0, top: 0.0, width: 0.2, height: 0.2, z: 0, fill, fit: None };
        let of = |regions| layout(&MixLayout::Custom { regions }).is_ok();
        assert!(layout(&MixLayout::Auto).is_ok());
        assert!(of(vec![region(MixFill::Speaker); 25]));
        assert!(!of(vec![region(MixFill::Speaker); 26]) && !of(vec![]));
        let named = |bytes| MixFill::Screen { participant: ParticipantId("p".repeat(bytes)) };
        assert!(of(vec![region(named(12)), region(named(64))]));
        assert!(!of(vec![region(named(12)), region(named(65))]) && !of(vec![region(named(0))]));
    }

    #[test]
    fn a_source_fits_its_kind() {
        let of = |kind, source| PublishTrack {
            cid: "c".to_owned(),
            kind,
            source,
            muted: false,
            simulcast: false,
            codecs: vec![],
            width: None,
            height: None,
        };
        assert!(track(&of(TrackKind::Audio, TrackSource::Microphone)).is_ok());
        assert!(track(&of(TrackKind::Audio, TrackSource::Screen)).is_ok());
        assert!(track(&of(TrackKind::Audio, TrackSource::Camera)).is_err());
        assert!(track(&of(TrackKind::Video, TrackSource::Microphone)).is_err());
        assert!(track(&PublishTrack { cid: String::new(), ..of(TrackKind::Video, TrackSource::Camera) }).is_err());
        assert!(track(&PublishTrack { cid: "c".repeat(65), ..of(TrackKind::Video, TrackSource::Camera) }).is_err());
    }
}
