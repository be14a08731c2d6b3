//! A video packet's payload in each codec: what is found lies within it, and can be changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_media::{payload::PayloadInfo, session::VideoCodec};

fuzz_target!(|input: (u8, u16, u8, &[u8])| {
    let (codec, id, number, payload) = input;
    let codec = VideoCodec::ALL[usize::from(codec) % VideoCodec::ALL.len()];
    let Some(info) = PayloadInfo::parse(codec, payload) else { return };
    assert!(!info.keyframe || info.frame_start);
    let mut changed = payload.to_vec();
    if let Some(place) = info.picture_id {
        place.write(&mut changed, id);
    }
    for place in [info.tl0, info.key_idx].into_iter().flatten() {
        place.write(&mut changed, number);
    }
    let again = PayloadInfo::parse(codec, &changed).expect("only numbers were changed");
    assert_eq!(again.picture_id.map(|place| place.value), info.picture_id.map(|place| id & place.mask()));
    assert_eq!(again.tl0.map(|place| place.value), info.tl0.map(|_| number));
    assert_eq!((again.keyframe, again.temporal, again.size), (info.keyframe, info.temporal, info.size));
});
