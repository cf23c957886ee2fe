//! What the guest draws from: a number that the commit begins and that every answer changes.

/// The state of a guest: two of them that were told the same draw the same.
pub struct Dice(u64);

impl Dice {
    /// Of a text, which is all that tells one guest from another.
    pub fn new(seed: &str) -> Self {
        let mut dice = Self(0xcbf2_9ce4_8422_2325);
        dice.hear(seed);
        dice
    }

    /// Takes in what was answered: another answer makes another guest of this one. FNV-1a, with an end after
    /// each text.
    pub fn hear(&mut self, text: &str) {
        for byte in text.bytes().map(u64::from).chain([0x100]) {
            self.0 = (self.0 ^ byte).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// One of `0..sides` (`SplitMix64`: what comes out tells nothing simple of the state).
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^= drawn >> 31;
        usize::try_from(drawn % sides.max(1) as u64).unwrap_or(0)
    }

    /// Whether something happens that does once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    /// Mostly the first of these, and each of the others now and then.
    pub fn mostly<'a>(&mut self, of: &[&'a str]) -> &'a str {
        if self.once_in(8) { of[self.roll(of.len())] } else { of[0] }
    }
}
