//! The settings of a recorder.

use core::ops::RangeInclusive;
use std::time::Duration;

use crate::recorder::Recorder;
use crate::schema::Schema;
use crate::settings::Settings;

/// Makes a [`Recorder`] with other settings than the default ones.
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
    pub(crate) settings: Settings,
}

impl Builder {
    /// Sets the resolution of all histograms. The default is schema 3.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.settings.schema = schema;
        self
    }

    /// Drops series that have not changed for this long and that nobody has a handle of. By default, series are kept as
    /// long as the recorder lives, and its memory grows with the number of label sets that it has ever seen.
    ///
    /// The recorder looks for idle series when it is rendered or observed and when a series is added, but at most four
    /// times during the timeout.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = Some(timeout);
        self
    }

    /// Sets the upper bounds of the classic buckets, which the text formats show. The bounds are two to the power of
    /// each of these exponents, which are from −1022 to 1023. The default is −13 to 6. For values in seconds, this is
    /// from 122 microseconds to 64 seconds.
    ///
    /// The setting changes only what is shown. The counts are exact, and quantiles always have the resolution of the
    /// schema.
    pub fn classic_buckets(mut self, exponents: RangeInclusive<i32>) -> Self {
        self.settings.classic_buckets = exponents;
        self
    }

    /// Sets the [`classic_buckets`](Self::classic_buckets) of the histograms with this name.
    pub fn classic_buckets_of(mut self, name: impl Into<String>, exponents: RangeInclusive<i32>) -> Self {
        self.settings.classic_buckets_of.insert(name.into(), exponents);
        self
    }

    /// Makes the recorder, without installing it.
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

    /// A builder with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}
