//! EBML elements (RFC 8794), as far as a writer of WebM needs them.

/// Appends an element with this body.
pub(super) fn element(out: &mut Vec<u8>, id: u32, body: &[u8]) {
    write_id(out, id);
    write_size(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// Appends an unsigned integer in as few bytes as hold it (RFC 8794 §7.2).
pub(super) fn uint(out: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let skipped = (value.leading_zeros() / 8).min(7) as usize;
    element(out, id, &bytes[skipped..]);
}

/// Appends a float of 8 bytes.
pub(super) fn float(out: &mut Vec<u8>, id: u32, value: f64) {
    element(out, id, &value.to_be_bytes());
}

/// Appends a string.
pub(super) fn text(out: &mut Vec<u8>, id: u32, value: &str) {
    element(out, id, value.as_bytes());
}

/// Appends an element that goes on to the end of the file (RFC 8794 §6.2, unknown size).
pub(super) fn unknown_size(out: &mut Vec<u8>, id: u32) {
    write_id(out, id);
    out.extend_from_slice(&[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
}

/// An id is written as it is named: its first bits tell its length.
fn write_id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    out.extend_from_slice(&bytes[(id.leading_zeros() / 8) as usize..]);
}

/// A size in as few bytes as hold it; one that is all ones would mean "unknown".
fn write_size(out: &mut Vec<u8>, size: u64) {
    let length = (1..8).find(|length| size < (1 << (7 * length)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * length);
    out.extend_from_slice(&marked.to_be_bytes()[8 - length..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_as_few_bytes_as_hold_them_and_are_never_all_ones() {
        // RFC 8794 §4.3.
        for (size, bytes) in [
            (2, &[0x82][..]),
            (126, &[0xFE]),
            (127, &[0x40, 0x7F]),
            (16_382, &[0x7F, 0xFE]),
            (16_383, &[0x20, 0x3F, 0xFF]),
        ] {
            let mut out = Vec::new();
            write_size(&mut out, size);
            assert_eq!(out, bytes, "{size}");
        }
    }

    #[test]
    fn numbers_take_as_few_bytes_as_hold_them_but_one() {
        let mut out = Vec::new();
        uint(&mut out, 0xD7, 0);
        uint(&mut out, 0x2AD7B1, 1_000_000);
        assert_eq!(out, [0xD7, 0x81, 0, 0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40]);
    }
}
