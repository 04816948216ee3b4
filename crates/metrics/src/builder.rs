//! How a recorder is set up.

use core::ops::RangeInclusive;
use std::time::Duration;

use crate::recorder::Recorder;
use crate::schema::Schema;
use crate::settings::Settings;

/// Sets up a [`Recorder`].
///
/// ```
/// use std::time::Duration;
/// use atomik_metrics::{Recorder, Schema};
///
/// let recorder = Recorder::builder()
///     .schema(Schema::new(5).unwrap()) // quantiles within 1.1 %
///     .idle_timeout(Duration::from_secs(600))
///     .classic_buckets_of("response_bytes", 6..=30)
///     .build();
/// # drop(recorder);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` or `install` is called"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// The resolution of all histograms: schema 3 unless set.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.settings.schema = schema;
        self
    }

    /// Drops series that have not changed for this long and have no handle left. Unless this is set, series are kept for
    /// the recorder's life, and the memory grows with the number of label sets that there ever were.
    ///
    /// Idle series are looked for when the recorder is rendered or observed and when it gets new series, at most four
    /// times in the timeout.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = Some(timeout);
        self
    }

    /// The upper bounds of the buckets that the text formats show: two to the power of each of these exponents, from
    /// −1022 to 1023. Unless set, −13 to 6: from 122 microseconds to 64 seconds, for values in seconds.
    ///
    /// This is only what is shown: the counts are exact, and quantiles have the resolution of the schema whatever is set
    /// here.
    pub fn classic_buckets(mut self, exponents: RangeInclusive<i32>) -> Self {
        self.settings.classic_buckets = exponents;
        self
    }

    /// [`classic_buckets`](Self::classic_buckets) for the histograms of one name.
    pub fn classic_buckets_of(mut self, name: impl Into<String>, exponents: RangeInclusive<i32>) -> Self {
        self.settings.classic_buckets_of.insert(name.into(), exponents);
        self
    }

    /// A recorder of its own.
    pub fn build(self) -> Recorder {
        Recorder::with_settings(self.settings)
    }
}

impl Recorder {
    /// A recorder with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Builder::default().build()
    }

    /// Sets up a recorder.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}
