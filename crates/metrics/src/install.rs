//! The process's recorder.

use core::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::builder::Builder;
use crate::counter::Counter;
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::recorder::{Handle, PROBE, Recorder};

static PROCESS: OnceLock<Recorder> = OnceLock::new();

/// The handle of the process's recorder. If there is no recorder yet, one with the default settings is made. The handle
/// works whether or not the recorder is [installed](install()) for the facade.
#[must_use]
pub fn handle() -> Handle {
    PROCESS.get_or_init(Recorder::new).handle()
}

/// A counter of the process's recorder, without the facade. See [`Handle::counter`].
#[must_use]
pub fn counter(name: &str, labels: &[(&str, &str)]) -> Counter {
    handle().counter(name, labels)
}

/// A gauge of the process's recorder, without the facade. See [`Handle::gauge`].
#[must_use]
pub fn gauge(name: &str, labels: &[(&str, &str)]) -> Gauge {
    handle().gauge(name, labels)
}

/// A histogram of the process's recorder, without the facade. See [`Handle::histogram`].
#[must_use]
pub fn histogram(name: &str, labels: &[(&str, &str)]) -> Histogram {
    handle().histogram(name, labels)
}

/// Makes the process's recorder the one that the [`metrics`] facade records to.
///
/// It may be called several times, by several threads at once, and after series were made. To change settings, call
/// [`Builder::install`] instead, before anything else.
///
/// Then it counts a probe event, to see whether events arrive. A program can contain two incompatible versions of the
/// crate `metrics`, each with a recorder of its own. Whatever is counted through the other version is silently lost.
/// This function sees only the version with which this crate was built. The macro [`install!`](macro@crate::install)
/// counts the probe through the version of the crate that calls it.
///
/// # Errors
///
/// [`InstallError::NotRecording`] if the probe does not arrive, because another recorder is installed for the facade.
///
/// ```
/// # fn main() -> Result<(), atomik_metrics::InstallError> {
/// let handle = atomik_metrics::install()?;
/// metrics::counter!("requests_total", "route" => "/").increment(1);
/// metrics::histogram!("request_seconds").record(0.0042);
/// assert!(handle.render().contains("requests_total{route=\"/\"} 1\n"));
/// # Ok(())
/// # }
/// ```
///
/// [`Builder::install`]: crate::Builder::install
pub fn install() -> Result<Handle, InstallError> {
    install_and_probe(count_probe)
}

/// Counts the probe through the version of the facade that this crate was built with.
pub(crate) fn count_probe() {
    metrics::counter!(PROBE).increment(1);
}

/// Does what [`install`] does, with a probe of the caller.
#[doc(hidden)]
pub fn install_and_probe(probe: impl FnOnce()) -> Result<Handle, InstallError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let recorder = PROCESS.get_or_init(Recorder::new);
    // Otherwise one caller could take the probe of another away, or count its probe before another has installed the
    // recorder.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // This fails if a recorder is installed already. The probe tells whether it is this one.
    let _ = metrics::set_global_recorder(recorder);
    probe();
    let handle = recorder.handle();
    if handle.inner.take_probe() { Ok(handle) } else { Err(InstallError::NotRecording) }
}

impl Builder {
    /// Makes a recorder with these settings, and installs it for the whole process as [`install`](crate::install()) does.
    ///
    /// # Errors
    ///
    /// Those of [`install`](crate::install()), and [`InstallError::TooLate`] if the process's recorder is in use
    /// already.
    pub fn install(self) -> Result<Handle, InstallError> {
        PROCESS.set(self.build()).map_err(|_| InstallError::TooLate)?;
        install()
    }
}

/// Does what [`install`](install()) does, and checks that events arrive which are counted through the calling crate's
/// version of the facade.
///
/// The calling crate must have a dependency named `metrics`.
///
/// ```
/// # fn main() -> Result<(), atomik_metrics::InstallError> {
/// let handle = atomik_metrics::install!()?;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! install {
    () => {
        $crate::install_and_probe(|| ::metrics::counter!($crate::PROBE).increment(1))
    };
}

/// Why a recorder was not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError {
    /// A probe event that was counted through the facade did not arrive at the recorder.
    NotRecording,
    /// The process's recorder exists already, so its settings can't be changed.
    TooLate,
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRecording => {
                "a probe event did not arrive: another recorder is installed, or the event was counted through \
                 another version of the crate `metrics` than the 0.24 that is recorded (`cargo tree -d` shows it)"
            }
            Self::TooLate => "the process's recorder is in use already, so its settings can't be changed",
        })
    }
}

impl core::error::Error for InstallError {}
