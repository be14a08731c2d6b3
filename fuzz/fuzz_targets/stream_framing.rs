//! A TCP stream in two parts: the frames must not depend on where it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use madang_wire::{FramingError, StreamFramer};

const LIMIT: usize = 4096;

fn frames(parts: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FramingError>) {
    let (mut framer, mut frames) = (StreamFramer::new(LIMIT), Vec::new());
    for part in parts {
        framer.push(part);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(why) => return (frames, Some(why)),
            }
        }
        assert!(framer.pending() < LIMIT, "it holds less than one message");
    }
    (frames, None)
}

fuzz_target!(|input: (u16, &[u8])| {
    let (at, bytes) = input;
    let (left, right) = bytes.split_at(usize::from(at).min(bytes.len()));
    assert_eq!(frames(&[bytes]), frames(&[left, right]));
});
