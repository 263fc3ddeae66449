//! Choices, drawn from a finite tape. When the tape is used up every choice is the first one and the faults end; so a
//! shorter tape, or one with smaller numbers, is a simpler case, which is what proptest shrinks towards.

pub(crate) struct Tape {
    numbers: Vec<u16>,
    at: usize,
}

impl Tape {
    pub(crate) fn new(numbers: &[u16]) -> Self {
        Self { numbers: numbers.to_vec(), at: 0 }
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.at >= self.numbers.len()
    }

    /// One of `0..n`; `n` must not be 0.
    pub(crate) fn pick(&mut self, n: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % n
    }

    /// One of the weighted choices, by its place.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.pick(weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            if left < *weight {
                return place;
            }
            left -= weight;
        }
        unreachable!("the pick is below the sum")
    }
}
