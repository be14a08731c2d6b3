//! VP8, RFC 7741.

use super::{Bytes, Field, PayloadInfo, Size, SwitchUp};

/// The descriptor of §4.2 and the begin of the header of §4.3.
pub(super) fn parse(payload: &[u8]) -> Option<PayloadInfo> {
    let mut bytes = Bytes::new(payload);
    let first = bytes.u8()?;
    let extended = first & 0x80 != 0;
    let mut info = PayloadInfo {
        discardable: first & 0x20 != 0,
        // S, and partition 0.
        frame_start: first & 0x17 == 0x10,
        ..PayloadInfo::default()
    };
    if extended {
        extension(&mut bytes, &mut info)?;
    }
    let picture = bytes.rest();
    // The P bit of the first partition is 0 in a keyframe.
    info.keyframe = info.frame_start && *picture.first()? & 1 == 0;
    if info.keyframe {
        info.size = size(picture);
    }
    Some(info)
}

fn extension(bytes: &mut Bytes<'_>, info: &mut PayloadInfo) -> Option<()> {
    let flags = bytes.u8()?;
    if flags & 0x80 != 0 {
        info.picture_id = Some(bytes.picture_id()?);
    }
    if flags & 0x40 != 0 {
        let offset = bytes.offset()?;
        info.tl0 = Some(Field { value: bytes.u8()?, offset, mask: 0xFF });
    }
    if flags & 0x30 != 0 {
        let offset = bytes.offset()?;
        let byte = bytes.u8()?;
        if flags & 0x20 != 0 {
            info.temporal = Some(byte >> 6);
            info.switch_up = if byte & 0x20 != 0 { SwitchUp::Into } else { SwitchUp::No };
        }
        if flags & 0x10 != 0 {
            info.key_idx = Some(Field { value: byte & 0x1F, offset, mask: 0x1F });
        }
    }
    Some(())
}

/// The size in a keyframe's header, RFC 6386 §9.1.
fn size(picture: &[u8]) -> Option<Size> {
    let [_, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1] = *picture.first_chunk::<10>()? else { return None };
    // The top two bits scale, which nobody uses.
    let (width, height) = (u16::from_le_bytes([w0, w1]) & 0x3FFF, u16::from_le_bytes([h0, h1]) & 0x3FFF);
    (width > 0 && height > 0).then_some(Size { width, height })
}

#[cfg(test)]
mod tests {
    use super::super::PictureId;
    use super::*;

    /// 640 x 360.
    const KEYFRAME: [u8; 10] = [0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01];

    #[test]
    fn a_keyframe_with_all_fields_is_read_as_chromium_writes_it() {
        let payload = [&[0x90, 0xF0, 0x92, 0x34, 0x07, 0b0010_0101][..], &KEYFRAME].concat();
        let info = parse(&payload).expect("well-formed");
        assert_eq!(
            info,
            PayloadInfo {
                keyframe: true,
                frame_start: true,
                temporal: Some(0),
                switch_up: SwitchUp::Into,
                picture_id: Some(PictureId { value: 0x1234, long: true, offset: 2 }),
                tl0: Some(Field { value: 7, offset: 4, mask: 0xFF }),
                key_idx: Some(Field { value: 5, offset: 5, mask: 0x1F }),
                size: Some(Size { width: 640, height: 360 }),
                ..PayloadInfo::default()
            }
        );
    }

    #[test]
    fn the_second_packet_of_a_keyframe_begins_none() {
        let info = parse(&[0x80, 0x80, 0x05, 0x00, 0x00]).expect("well-formed");
        assert!(!info.keyframe && !info.frame_start);
        assert_eq!(info.picture_id, Some(PictureId { value: 5, long: false, offset: 2 }));
    }

    #[test]
    fn another_partition_begins_no_frame() {
        let info = parse(&[0x11, 0x00]).expect("well-formed");
        assert!(!info.keyframe && !info.frame_start);
    }

    #[test]
    fn a_frame_of_a_higher_temporal_layer_says_its_layer_and_whether_others_need_it() {
        let info = parse(&[0xB0, 0x20, 0b1000_0000, 0x01]).expect("well-formed");
        assert!(info.frame_start && !info.keyframe && info.discardable);
        assert_eq!((info.temporal, info.switch_up), (Some(2), SwitchUp::No));
        assert_eq!((info.tl0, info.key_idx, info.picture_id), (None, None, None));
    }

    #[test]
    fn a_descriptor_without_extension_has_no_layers() {
        let info = parse(&[&[0x10][..], &KEYFRAME].concat()).expect("well-formed");
        assert!(info.keyframe);
        assert_eq!(info.temporal, None);
        assert_eq!(info.size, Some(Size { width: 640, height: 360 }));
    }

    #[test]
    fn a_keyframe_cut_short_has_no_size() {
        let info = parse(&[0x10, 0x10, 0x02, 0x00]).expect("well-formed");
        assert!(info.keyframe);
        assert_eq!(info.size, None);
    }

    #[test]
    fn a_payload_that_ends_in_its_descriptor_is_refused() {
        let whole = [0x90, 0xF0, 0x92, 0x34, 0x07, 0x25];
        for length in 0..=whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
    }
}
