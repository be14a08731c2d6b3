//! VP9, RFC 9628.

use super::{Bytes, Field, PayloadInfo, Size, SwitchUp};

/// The descriptor of §4.2.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadInfo> {
    let mut bytes = Bytes::new(payload);
    let flags = bytes.u8()?;
    let has = |bit: u8| flags & bit != 0;
    let (inter_predicted, layered, flexible) = (has(0x40), has(0x20), has(0x10));
    let mut info = PayloadInfo { frame_start: has(0x08), frame_end: has(0x04), ..PayloadInfo::default() };
    if has(0x80) {
        info.picture_id = Some(bytes.picture_id()?);
    }
    let mut inter_layer = false;
    if layered {
        inter_layer = layer_indices(&mut bytes, flexible, &mut info)?;
    }
    if flexible && inter_predicted {
        references(&mut bytes)?;
    }
    if has(0x02) {
        info.size = scalability_structure(&mut bytes)?;
    }
    if bytes.rest().is_empty() {
        return None;
    }
    let lowest = info.spatial.unwrap_or(0) == 0 && !inter_layer;
    info.keyframe = !inter_predicted && info.frame_start && lowest;
    Some(info)
}

/// Returns whether the frame needs another spatial layer (D).
fn layer_indices(bytes: &mut Bytes<'_>, flexible: bool, info: &mut PayloadInfo) -> Option<bool> {
    let byte = bytes.u8()?;
    info.temporal = Some(byte >> 5);
    info.spatial = Some(byte >> 1 & 7);
    info.switch_up = if byte & 0x10 != 0 { SwitchUp::Above } else { SwitchUp::No };
    if !flexible {
        let offset = bytes.offset()?;
        info.tl0 = Some(Field { value: bytes.u8()?, offset, mask: 0xFF });
    }
    Some(byte & 1 != 0)
}

/// At most three reference indices; the N bit says that another follows.
fn references(bytes: &mut Bytes<'_>) -> Option<()> {
    for _ in 0..3 {
        if bytes.u8()? & 1 == 0 {
            return Some(());
        }
    }
    None
}

/// §4.2.1. Returns the size of the largest layer, where sizes are given.
fn scalability_structure(bytes: &mut Bytes<'_>) -> Option<Option<Size>> {
    let flags = bytes.u8()?;
    let mut size = None;
    if flags & 0x10 != 0 {
        for _ in 0..=flags >> 5 {
            let (width, height) = (bytes.u16()?, bytes.u16()?);
            size = Some(Size { width, height });
        }
    }
    if flags & 0x08 != 0 {
        for _ in 0..bytes.u8()? {
            let references = bytes.u8()? >> 2 & 3;
            bytes.take(usize::from(references))?;
        }
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::super::PictureId;
    use super::*;

    #[test]
    fn a_keyframe_in_non_flexible_mode_gives_its_structure_and_numbers() {
        // I L B E V; 15 bit PictureID; T0 U S0; TL0PICIDX; one layer with size; one picture group.
        let payload =
            [0xAE, 0x81, 0x02, 0x10, 0x2A, 0x18, 0x02, 0x80, 0x01, 0x68, 0x01, 0x04, 0x01, 0x82, 0x49, 0x83, 0x42];
        let info = parse(&payload).expect("well-formed");
        assert_eq!(
            info,
            PayloadInfo {
                keyframe: true,
                frame_start: true,
                frame_end: true,
                temporal: Some(0),
                spatial: Some(0),
                switch_up: SwitchUp::Above,
                picture_id: Some(PictureId { value: 0x0102, long: true, offset: 1 }),
                tl0: Some(Field { value: 0x2A, offset: 4, mask: 0xFF }),
                size: Some(Size { width: 640, height: 360 }),
                ..PayloadInfo::default()
            }
        );
    }

    #[test]
    fn a_frame_in_flexible_mode_has_references_and_no_tl0picidx() {
        // I P L F B; 7 bit PictureID; T2 S0; two references.
        let info = parse(&[0xF8, 0x05, 0x40, 0x03, 0x02, 0xFF]).expect("well-formed");
        assert!(info.frame_start && !info.keyframe && !info.frame_end);
        assert_eq!((info.temporal, info.spatial, info.tl0), (Some(2), Some(0), None));
        assert_eq!(info.picture_id, Some(PictureId { value: 5, long: false, offset: 1 }));
    }

    #[test]
    fn a_higher_spatial_layer_of_a_key_picture_begins_no_keyframe() {
        // I L F B; T0 S1 D.
        let info = parse(&[0xB8, 0x05, 0x03, 0xFF]).expect("well-formed");
        assert!(!info.keyframe);
        assert_eq!(info.spatial, Some(1));
    }

    #[test]
    fn the_size_is_that_of_the_largest_spatial_layer() {
        let info = parse(&[0x0A, 0x30, 0x01, 0x40, 0x00, 0xB4, 0x02, 0x80, 0x01, 0x68, 0xFF]).expect("well-formed");
        assert!(info.keyframe);
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn a_fourth_reference_is_refused() {
        assert_eq!(parse(&[0xD8, 0x05, 0x03, 0x03, 0x03, 0x02, 0xFF]), None);
    }

    #[test]
    fn a_payload_that_ends_in_its_descriptor_is_refused() {
        let whole = [0xAE, 0x81, 0x02, 0x10, 0x2A, 0x18, 0x02, 0x80, 0x01, 0x68, 0x01, 0x04, 0x01];
        for length in 0..=whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
    }
}
