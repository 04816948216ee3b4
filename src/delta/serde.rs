//! Batches through serde: a sequence of pairs of address and delta.

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::DeltaBatch;
use crate::algebra::Algebra;

impl<A: Algebra> Serialize for DeltaBatch<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, A: Algebra> Deserialize<'de> for DeltaBatch<A> {
    /// In whatever order the pairs come; the deltas of one address compose.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(u32, u64)>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use crate::algebra::Add;
    use crate::delta::DeltaBatch;

    #[test]
    fn pairs_and_back() {
        let batch: DeltaBatch<Add> = [(7, 1), (2, u64::MAX)].into_iter().collect();
        let json = serde_json::to_string(&batch).unwrap();
        assert_eq!(json, "[[2,18446744073709551615],[7,1]]");
        assert_eq!(serde_json::from_str::<DeltaBatch<Add>>(&json).unwrap(), batch);
        let again: DeltaBatch<Add> = serde_json::from_str("[[7,2],[2,0],[7,1]]").unwrap();
        assert_eq!(again, [(7, 3)].into_iter().collect());
    }
}
