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

/// What the mixer decodes, and so what people in a mixed room can send.
const DECODED: [&str; 4] = ["VP8", "VP9", "H264", "AV1"];
/// What the mixer encodes, best first.
const ENCODED: [&str; 2] = ["VP8", "H264"];
/// The one kind of sound that the mixer knows.
const SOUND: &str = "OPUS";

/// What somebody sends to the mixer: what they like best of `own`, where tracks that can't be sent
/// in all of it leave a choice; what `preference` names comes before what it does not.
pub(crate) fn sent_to_mixer<'a>(
    own: &[String],
    preference: &'a [String],
    tracks: impl Iterator<Item = &'a [String]>,
) -> Option<String> {
    let decoded = |name: &String| DECODED.into_iter().find(|it| it.eq_ignore_ascii_case(name));
    let mut left: Vec<&str> = own.iter().filter_map(decoded).collect();
    for names in tracks.chain([preference]) {
        let narrowed: Vec<&str> = left.iter().copied().filter(|codec| has(names, codec)).collect();
        if !narrowed.is_empty() {
            left = narrowed;
        }
    }
    left.first().map(|codec| (*codec).to_owned())
}

/// Checks that somebody with these codecs, and with tracks `before` that narrow them, can send one
/// more to the mixer.
pub(crate) fn admit_to_mixer<'a>(
    own: &[String],
    preference: &'a [String],
    before: impl Iterator<Item = &'a [String]>,
    track: &'a [String],
) -> Result<(), Refusal> {
    match sent_to_mixer(own, preference, before.chain([track])) {
        None if own.is_empty() => Ok(()),
        None => Err(Refusal::Codecs { kind: TrackKind::Video, room: DECODED.join(", "), offered: own.join(", ") }),
        Some(codec) => admit_track(TrackKind::Video, track, &[codec]),
    }
}

/// What somebody with these codecs gets a mix in; the one that is `forwarded` before others.
pub(crate) fn got_from_mixer(own: &[String], forwarded: Option<&str>) -> Option<String> {
    let known = || ENCODED.into_iter().filter(|codec| has(own, codec));
    known().find(|codec| Some(*codec) == forwarded).or_else(|| known().next()).map(str::to_owned)
}

/// Checks that a newcomer to a mixed room can hear and be heard. Pictures need nothing in common.
pub(crate) fn admit_mixed(newcomer: &Codecs) -> Result<(), Refusal> {
    if newcomer.audio.is_empty() || has(&newcomer.audio, SOUND) {
        return Ok(());
    }
    let (room, offered) = (SOUND.to_owned(), newcomer.audio.join(", "));
    Err(Refusal::Codecs { kind: TrackKind::Audio, room, offered })
}

/// Checks that these people could do without a mixer.
pub(crate) fn admit_unmixed<'a>(everyone: impl Iterator<Item = &'a Codecs> + Clone) -> Result<(), Refusal> {
    let shared = common(everyone.clone(), &Codecs::default());
    for kind in [TrackKind::Audio, TrackKind::Video] {
        if list(&shared, kind).is_empty() && everyone.clone().any(|codecs| !list(codecs, kind).is_empty()) {
            return Err(Refusal::NothingInCommon(kind));
        }
    }
    Ok(())
}

fn has(names: &[String], codec: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(codec))
}

/// Checks that a track can be sent in one of these codecs. An empty list means any.
pub(crate) fn admit_track(kind: TrackKind, track: &[String], room: &[String]) -> Result<(), Refusal> {
    if track.is_empty() || room.is_empty() || track.iter().any(|name| has(room, name)) {
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
    fn everyone_sends_to_the_mixer_what_they_like_best_as_far_as_their_tracks_and_the_server_like_it_too() {
        let names = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let sent = |own: &str, preference: &str, tracks: &[&str]| {
            let tracks: Vec<_> = tracks.iter().map(|track| names(track)).collect();
            sent_to_mixer(&names(own), &names(preference), tracks.iter().map(Vec::as_slice))
        };
        assert_eq!(sent("H265 vp9 VP8", "VP8 H264 VP9 AV1", &[]).as_deref(), Some("VP9"));
        assert_eq!(sent("VP9 VP8", "VP8", &[]).as_deref(), Some("VP8"));
        assert_eq!(sent("VP9 VP8", "VP8", &["VP9"]).as_deref(), Some("VP9"), "a track that can't is stronger");
        assert_eq!(sent("VP9", "VP8", &["AV1"]).as_deref(), Some("VP9"));
        assert_eq!(sent("VP9 VP8 H264", "", &["H264 VP8", "h264"]).as_deref(), Some("H264"));
        assert_eq!(sent("VP9 VP8 H264", "", &["H264", "VP8"]).as_deref(), Some("H264"), "the first has its way");
        assert_eq!(sent("H265", "VP8", &[]), None);
    }

    #[test]
    fn the_mix_comes_in_what_is_forwarded_or_in_vp8_or_in_h264() {
        let got = |own: &[&str], forwarded| got_from_mixer(&codecs(&[], own).video, forwarded);
        assert_eq!(got(&["AV1", "H264", "VP8"], None).as_deref(), Some("VP8"));
        assert_eq!(got(&["VP8", "H264"], Some("H264")).as_deref(), Some("H264"));
        assert_eq!(got(&["VP9", "h264"], Some("VP9")).as_deref(), Some("H264"));
        assert_eq!(got(&["VP9", "AV1"], Some("VP9")), None);
        assert_eq!(got(&[], Some("VP8")), None);
    }

    #[test]
    fn people_in_a_mixed_room_need_nothing_in_common_but_a_sound_that_the_mixer_knows() {
        assert_eq!(admit_mixed(&codecs(&["opus"], &["H265"])), Ok(()));
        assert_eq!(admit_mixed(&codecs(&[], &["VP8"])), Ok(()));
        assert!(admit_mixed(&codecs(&["PCMU"], &["VP8"])).is_err());
        let (vp9, h264, sound) = (codecs(&["OPUS"], &["VP9"]), codecs(&["OPUS"], &["H264"]), codecs(&["OPUS"], &[]));
        assert_eq!(admit_unmixed([&vp9, &sound].into_iter()), Ok(()));
        assert_eq!(admit_unmixed([&vp9, &h264].into_iter()), Err(Refusal::NothingInCommon(TrackKind::Video)));
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
