//! The codecs that everyone in a room has in common.

use std::collections::HashSet;

use madang_protocol::{Codecs, TrackKind};

use crate::refusal::Refusal;

/// What everyone shares, in the order of `preference`; codecs it does not name come after, by
/// name. A participant without codecs of a kind does not do that kind and rules nothing out.
pub(crate) fn common<'a>(everyone: impl Iterator<Item = &'a Codecs> + Clone, preference: &Codecs) -> Codecs {
    let of = |kind| common_of(everyone.clone().map(move |codecs| list(codecs, kind)), list(preference, kind));
    Codecs { audio: of(TrackKind::Audio), video: of(TrackKind::Video) }
}

fn common_of<'a>(lists: impl Iterator<Item = &'a [String]>, preference: &[String]) -> Vec<String> {
    let mut shared: Option<HashSet<String>> = None;
    for list in lists.filter(|list| !list.is_empty()) {
        let names: HashSet<String> = list.iter().map(|name| name.to_ascii_uppercase()).collect();
        shared = Some(match shared {
            None => names,
            Some(shared) => shared.intersection(&names).cloned().collect(),
        });
    }
    let mut shared: Vec<String> = shared.unwrap_or_default().into_iter().collect();
    let rank = |name: &String| preference.iter().position(|it| it.eq_ignore_ascii_case(name)).unwrap_or(usize::MAX);
    shared.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    shared
}

/// Moves `first` to the front, if it is there: what is in use is changed only where it has to be.
pub(crate) fn keep_first(shared: &mut [String], first: Option<&str>) {
    if let Some(place) = first.and_then(|first| shared.iter().position(|name| name == first)) {
        shared[..=place].rotate_right(1);
    }
}

/// Checks that a newcomer shares a codec of each kind that it and the room do.
pub(crate) fn admit<'a>(
    newcomer: &'a Codecs,
    others: impl Iterator<Item = &'a Codecs> + Clone,
    preference: &Codecs,
) -> Result<(), Refusal> {
    let room = common(others.clone(), preference);
    let with_newcomer = common(others.chain([newcomer]), preference);
    for kind in [TrackKind::Audio, TrackKind::Video] {
        let (had, offered) = (list(&room, kind), list(newcomer, kind));
        if !had.is_empty() && !offered.is_empty() && list(&with_newcomer, kind).is_empty() {
            return Err(Refusal::Codecs { kind, room: had.join(", "), offered: offered.join(", ") });
        }
    }
    Ok(())
}

/// Checks that a track can be sent in one of these codecs. An empty list means any.
pub(crate) fn admit_track(kind: TrackKind, track: &[String], room: &[String]) -> Result<(), Refusal> {
    let shares = |name: &String| room.iter().any(|it| it.eq_ignore_ascii_case(name));
    if track.is_empty() || room.is_empty() || track.iter().any(shares) {
        return Ok(());
    }
    Err(Refusal::Codecs { kind, room: room.join(", "), offered: track.join(", ") })
}

fn list(codecs: &Codecs, kind: TrackKind) -> &[String] {
    match kind {
        TrackKind::Audio => &codecs.audio,
        TrackKind::Video => &codecs.video,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codecs(audio: &[&str], video: &[&str]) -> Codecs {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Codecs { audio: owned(audio), video: owned(video) }
    }

    #[test]
    fn what_everyone_has_comes_in_the_order_of_preference() {
        let chromium = codecs(&["OPUS", "PCMU"], &["AV1", "H264", "VP9", "VP8"]);
        let firefox = codecs(&["opus", "pcmu", "G722"], &["vp8", "vp9", "av1"]);
        let preference = codecs(&["OPUS"], &["VP8", "H264"]);
        let shared = common([&chromium, &firefox].into_iter(), &preference);
        assert_eq!(shared, codecs(&["OPUS", "PCMU"], &["VP8", "AV1", "VP9"]));
    }

    #[test]
    fn the_codec_in_use_stays_first_while_everyone_has_it() {
        let of = |first: Option<&str>| {
            let mut shared = codecs(&[], &["VP8", "VP9", "H264"]).video;
            keep_first(&mut shared, first);
            shared.join(" ")
        };
        assert_eq!(of(Some("H264")), "H264 VP8 VP9");
        assert_eq!(of(Some("VP8")), "VP8 VP9 H264");
        assert_eq!(of(Some("AV1")), "VP8 VP9 H264");
        assert_eq!(of(None), "VP8 VP9 H264");
    }

    #[test]
    fn someone_without_a_kind_rules_nothing_out() {
        let camera = codecs(&["OPUS"], &["VP8"]);
        let data_only = codecs(&[], &[]);
        let shared = common([&camera, &data_only].into_iter(), &Codecs::default());
        assert_eq!(shared, camera);
        assert_eq!(admit(&data_only, [&camera].into_iter(), &Codecs::default()), Ok(()));
        assert_eq!(admit(&camera, [&data_only].into_iter(), &Codecs::default()), Ok(()));
    }

    #[test]
    fn a_newcomer_with_nothing_in_common_is_told_what_is_missing() {
        let room = codecs(&["OPUS"], &["VP8", "VP9"]);
        let newcomer = codecs(&["OPUS"], &["H264"]);
        let refusal = admit(&newcomer, [&room].into_iter(), &Codecs::default()).expect_err("nothing shared");
        assert_eq!(refusal.to_string(), "no video codec in common: the room has VP8, VP9, this client offers H264");
    }

    #[test]
    fn a_track_needs_one_codec_of_the_room() {
        let room = codecs(&["OPUS"], &["VP8"]).video;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(admit_track(TrackKind::Video, &[], &room), Ok(()));
        assert_eq!(admit_track(TrackKind::Video, &names(&["AV1", "vp8"]), &room), Ok(()));
        assert!(admit_track(TrackKind::Video, &names(&["AV1"]), &room).is_err());
        assert_eq!(admit_track(TrackKind::Audio, &names(&["PCMU"]), &[]), Ok(()));
    }
}
