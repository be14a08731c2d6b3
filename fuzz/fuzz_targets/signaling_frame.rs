//! A signaling frame: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_protocol::ClientFrame;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(frame) = serde_json::from_str::<ClientFrame>(text) else { return };
    let written = serde_json::to_string(&frame).expect("a frame that was read can be written");
    let again: ClientFrame = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, frame);
});
