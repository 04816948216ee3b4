//! The settings of a recorder, as data.

use core::ops::RangeInclusive;
use std::collections::HashMap;
use std::time::Duration;

use crate::schema::Schema;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) schema: Schema,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) classic_buckets: RangeInclusive<i32>,
    pub(crate) classic_buckets_of: HashMap<String, RangeInclusive<i32>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schema: Schema::default(),
            idle_timeout: None,
            // 122 microseconds to 64 seconds.
            classic_buckets: -13..=6,
            classic_buckets_of: HashMap::new(),
        }
    }
}

impl Settings {
    /// The exponents of the classic buckets' bounds for histograms with this name.
    pub(crate) fn classic_exponents(&self, name: &str) -> RangeInclusive<i32> {
        let exponents = self.classic_buckets_of.get(name).unwrap_or(&self.classic_buckets);
        (*exponents.start()).max(-1022)..=(*exponents.end()).min(1023)
    }
}
