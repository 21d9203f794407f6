//! Another body under the same checksum. 8x8's signature covers a body only by its CRC-32, which anybody can meet.

/// Letters that a text is made of; each may be replaced by the other, which flips one bit.
const LETTERS: [char; 2] = ['a', 'c'];
/// More than the 32 bits that are to be met, so that some choice of letters does.
const PLACES: usize = 64;

/// A body with this checksum. `body` writes one around a text of our choice.
pub(crate) fn forged(body: impl Fn(&str) -> Vec<u8>, checksum: u32) -> Vec<u8> {
    let text = |chosen: u64| -> String {
        (0..PLACES)
            .map(|place| LETTERS[usize::from(chosen >> place & 1 == 1)])
            .collect()
    };
    let crc = |chosen: u64| crc32fast::hash(&body(&text(chosen)));
    // A CRC is linear: what each letter changes of it does not depend on the others.
    let start = crc(0);
    let mut basis: Vec<(u32, u64)> = Vec::new();
    for place in 0..PLACES {
        let mut change = (crc(1 << place) ^ start, 1_u64 << place);
        for known in &basis {
            if (change.0 ^ known.0) < change.0 {
                change = (change.0 ^ known.0, change.1 ^ known.1);
            }
        }
        if change.0 != 0 {
            basis.push(change);
            basis.sort_unstable_by_key(|(bits, _)| std::cmp::Reverse(*bits));
        }
    }
    let mut missing = (start ^ checksum, 0_u64);
    for known in &basis {
        if (missing.0 ^ known.0) < missing.0 {
            missing = (missing.0 ^ known.0, missing.1 ^ known.1);
        }
    }
    let found = body(&text(missing.1));
    assert_eq!(crc32fast::hash(&found), checksum, "no choice of letters meets it");
    found
}
