//! Ratios between the library and its rivals.

use serde::{Deserialize, Serialize};

/// A target counts as missed only if less than this part of it is reached: the noise of a shared machine.
const TOLERANCE: f64 = 0.85;

/// The library against a rival on the same work, in one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ratio {
    /// The work.
    pub work: String,
    /// Where the data lie, or how large they are. Empty if that doesn't matter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The level of the kernels. Empty if there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub level: String,
    /// The rival.
    pub rival: String,
    /// The library's time in nanoseconds for a delta, or for a call.
    pub ours: f64,
    /// The rival's time in nanoseconds for the same.
    pub theirs: f64,
    /// How many times as fast as the rival the library should be, or 0 if there is no target.
    pub target: f64,
}

impl Ratio {
    /// Work against a rival, in nanoseconds, with a target or 0.
    #[must_use]
    pub fn new(work: impl Into<String>, rival: impl Into<String>, times: [f64; 2], target: f64) -> Self {
        let (work, rival, [ours, theirs]) = (work.into(), rival.into(), times);
        Self { work, rival, ours, theirs, target, ..Self::default() }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// The same at a level of the kernels.
    #[must_use]
    pub fn level(self, level: impl Into<String>) -> Self {
        Self { level: level.into(), ..self }
    }

    /// How many times as fast as the rival the library is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.theirs / self.ours
    }

    /// How the ratio compares with its target.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.ratio() / self.target {
            _ if self.target == 0.0 => Verdict::NoTarget,
            part if part >= 1.0 => Verdict::Reached,
            part if part >= TOLERANCE => Verdict::Close,
            _ => Verdict::Missed,
        }
    }
}

/// How a ratio compares with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no target.
    NoTarget,
    /// The target is reached.
    Reached,
    /// The target is missed by no more than the tolerance.
    Close,
    /// The target is missed.
    Missed,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoTarget => "",
            Self::Reached => "reached",
            Self::Close => "close",
            Self::Missed => "missed",
        })
    }
}
