use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(pair).collect()
}

fn master(profile: Profile, key: &str, salt: &str) -> MasterKey {
    let (mut padded, mut salted) = ([0; 32], [0; CM_SALT]);
    padded[..profile.key()].copy_from_slice(&bytes(key));
    salted[..profile.salt()].copy_from_slice(&bytes(salt));
    MasterKey { profile, key: padded, salt: salted }
}

/// RFC 3711 appendix B.3.
#[test]
fn session_keys_are_derived_as_the_rfc_does() {
    let master = master(Profile::Aes128CmSha1, "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
    let key: [u8; 16] = master.derive(Label::RtpKey).expect("a key");
    assert_eq!(key[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    let salt: [u8; 14] = master.derive(Label::RtpSalt).expect("a salt");
    assert_eq!(salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
    let mac: [u8; 20] = master.derive(Label::RtpMac).expect("a key");
    assert_eq!(mac[..], bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

fn gcm(key: &str) -> Gcm {
    let key = bytes(key);
    let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("a key"));
    Gcm { key, salt: bytes("517569642070726f2071756f").try_into().expect("12 bytes") }
}

const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn sealer(key: &str, index: u32) -> Sealer {
    Sealer { keys: Keys::Gcm { rtp: gcm(key), rtcp: gcm(key) }, index }
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
    61727465 73207472 6573";

/// RFC 7714 §16.1.1 and §16.2.1.
#[test]
fn rtp_is_sealed_with_gcm_as_the_rfc_does() {
    let sealed_128 = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
        51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
    let sealed_256 = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
        76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
    for (key, sealed) in [(KEY_128, sealed_128), (KEY_256, sealed_256)] {
        let mut packet = vec![1, 2, 3];
        packet.extend(bytes(RTP));
        sealer(key, 0).rtp(&mut packet, 3, 12, 0x5501_a0b2, 0xf17b).expect("sealed");
        assert_eq!(packet[3..], bytes(sealed));
    }
}

/// RFC 7714 §17.1.
#[test]
fn rtcp_is_sealed_with_gcm_as_the_rfc_does() {
    let plain = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
        deadbeef deadbeef deadbeef";
    let sealed = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
        4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
    let mut sealer = sealer(KEY_128, 0x5d4);
    assert_eq!(sealer.rtcp(&bytes(plain)), Some(bytes(sealed)));
    assert_eq!(sealer.index, 0x5d5, "no index is used twice");
}

/// RFC 3711 appendix B.2: the key stream for the index 0.
#[test]
fn rtp_is_encrypted_in_counter_mode_as_the_rfc_does() {
    let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[1; MAC_KEY]);
    let key = counter_mode(&bytes("2B7E151628AED2A6ABF7158809CF4F3C")).expect("a key");
    let salt = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().expect("14 bytes");
    let cm = Cm { key, mac, salt };
    let mut stream = [0; 32];
    cm.encrypt(&mut stream, 0, 0).expect("encrypted");
    assert_eq!(stream[..], bytes("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB"));
}

#[test]
fn each_side_takes_its_own_part_of_what_the_handshake_exports() {
    let material: Vec<u8> = (0..56).collect();
    let client = MasterKey::from_dtls(Profile::Aes128Gcm, &material, true).expect("long enough");
    let server = MasterKey::from_dtls(Profile::Aes128Gcm, &material, false).expect("long enough");
    assert_eq!((client.key[..16].to_vec(), client.salt[..12].to_vec()), ((0..16).collect(), (32..44).collect()));
    assert_eq!((server.key[..16].to_vec(), server.salt[..12].to_vec()), ((16..32).collect(), (44..56).collect()));
    assert!(MasterKey::from_dtls(Profile::Aes256Gcm, &material, true).is_none());
    assert!(!format!("{client:?}").contains("31"), "keys are not shown");
}

#[test]
fn what_is_no_packet_is_not_sealed() {
    let mut sealer = sealer(KEY_128, 0);
    assert!(sealer.rtcp(&[0x80, 200, 0]).is_none());
    assert!(sealer.rtp(&mut vec![0; 5], 0, 12, 1, 1).is_none());
}
