//! A file that somebody wants to publish: WebM, or IVF.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_client::clip::Clip;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(clip) = Clip::from_ivf(bytes.to_vec()) {
        assert!((0..clip.len()).all(|index| clip.frame(index).is_some()));
    }
    for clip in Clip::from_webm(bytes).unwrap_or_default() {
        assert!(!clip.is_empty());
    }
});
