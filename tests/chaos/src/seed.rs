//! Repeatable random numbers. Each part of a run draws from a separate stream that follows from the seed, so that the
//! draws of one part do not change those of another.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The stream number `number` of `part`, in the run with this seed.
#[must_use]
pub fn stream(seed: u64, part: &str, number: u64) -> StdRng {
    // FNV-1a is enough to keep the parts apart.
    let bytes = part.bytes().chain(number.to_be_bytes()).chain(seed.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    StdRng::seed_from_u64(hash)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::stream;

    #[test]
    fn the_same_seed_gives_the_same_streams_and_no_two_parts_share_one() {
        let draw = |seed, part, number| stream(seed, part, number).random_range(0..u64::MAX);
        assert_eq!(draw(7, "plan", 1), draw(7, "plan", 1));
        assert_ne!(draw(7, "plan", 1), draw(7, "plan", 2));
        assert_ne!(draw(7, "plan", 1), draw(7, "load", 1));
        assert_ne!(draw(7, "plan", 1), draw(8, "plan", 1));
    }
}
