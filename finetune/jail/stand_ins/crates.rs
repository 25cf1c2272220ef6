//! Stands in for the crates rand (0.7), md5 and regex: what the benchmarks' tests and answers call
//! of the first two, and of regex no more than the name that their heads import.

use std::fmt;
use std::hash::{BuildHasher, Hasher};

/// A linear congruential generator with a random start.
pub struct ThreadRng(u64);

pub fn thread_rng() -> ThreadRng {
    ThreadRng(std::collections::hash_map::RandomState::new().build_hasher().finish())
}

pub fn random<T: FromBits>() -> T {
    thread_rng().gen()
}

/// What can be made of 64 random bits.
pub trait FromBits {
    fn of_bits(bits: u64) -> Self;
}

/// What can lie between two bounds, the upper one excluded.
pub trait Between: Sized {
    fn between(low: Self, high: Self, bits: u64) -> Self;
}

pub trait Rng {
    fn next_u64(&mut self) -> u64;

    fn gen<T: FromBits>(&mut self) -> T {
        T::of_bits(self.next_u64())
    }

    fn gen_range<T: Between>(&mut self, low: T, high: T) -> T {
        T::between(low, high, self.next_u64())
    }
}

impl Rng for ThreadRng {
    fn next_u64(&mut self) -> u64 {
        let mut parts = 0;
        for _ in 0..2 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            parts = parts << 32 | self.0 >> 32;
        }
        parts
    }
}

macro_rules! integers {
    ($($kind:ty)*) => { $(
        impl FromBits for $kind {
            fn of_bits(bits: u64) -> Self {
                bits as $kind
            }
        }

        impl Between for $kind {
            fn between(low: Self, high: Self, bits: u64) -> Self {
                assert!(low < high, "an empty range");
                (low as i128 + bits as i128 % (high as i128 - low as i128)) as $kind
            }
        }
    )* };
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

macro_rules! floats {
    ($($kind:ty)*) => { $(
        impl FromBits for $kind {
            fn of_bits(bits: u64) -> Self {
                (bits >> 40) as $kind / (1u64 << 24) as $kind
            }
        }

        impl Between for $kind {
            fn between(low: Self, high: Self, bits: u64) -> Self {
                low + (high - low) * <$kind>::of_bits(bits)
            }
        }
    )* };
}

floats!(f32 f64);

impl FromBits for bool {
    fn of_bits(bits: u64) -> Self {
        bits >> 63 == 1
    }
}

/// A name to import, and nothing to make one from.
pub struct Regex(());

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 16]);

impl fmt::LowerHex for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{:02x}", byte))
    }
}

impl fmt::UpperHex for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{:02X}", byte))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(self, out)
    }
}

const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// MD5 after RFC 1321.
pub fn compute<T: AsRef<[u8]>>(data: T) -> Digest {
    let mut text = data.as_ref().to_vec();
    let bits = (text.len() as u64).wrapping_mul(8);
    text.push(0x80);
    while text.len() % 64 != 56 {
        text.push(0);
    }
    text.extend_from_slice(&bits.to_le_bytes());
    let mut state = [0x67452301u32, 0xefcdab89, 0x98badcfe, 0x10325476];
    for block in text.chunks(64) {
        let words: Vec<u32> =
            block.chunks(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (mixed, word) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let sine = (((i + 1) as f64).sin().abs() * 4294967296.0) as u32;
            let sum = a.wrapping_add(mixed).wrapping_add(sine).wrapping_add(words[word]);
            a = d;
            d = c;
            c = b;
            b = b.wrapping_add(sum.rotate_left(TURNS[i / 16][i % 4]));
        }
        for (whole, part) in state.iter_mut().zip([a, b, c, d]) {
            *whole = whole.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Digest(digest)
}
