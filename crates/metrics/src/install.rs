//! The process's recorder.

use core::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::builder::Builder;
use crate::counter::Counter;
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::recorder::{Handle, PROBE, Recorder};

static PROCESS: OnceLock<Recorder> = OnceLock::new();

/// The handle of the process's recorder, which is made with the default settings if it doesn't exist yet. It works
/// whether or not the recorder is [installed](install()) for the facade.
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
/// It may be called again, by several threads at once, and after series were made. To change settings, use [`Builder::install`] instead, before
/// anything else.
///
/// Then it counts a probe event to see that events arrive. A program can have two incompatible versions of the crate
/// `metrics` in it, each with a recorder of its own; what is counted through the other version is silently lost. This
/// function sees only the version that it was built with itself. The macro [`install!`](macro@crate::install) counts the
/// probe through the version of the crate that calls it.
///
/// # Errors
///
/// [`InstallError::NotRecording`] if the probe doesn't arrive: another recorder is installed for the facade.
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
    install_and_probe(|| metrics::counter!(PROBE).increment(1))
}

/// [`install`] with a probe of the caller's.
#[doc(hidden)]
pub fn install_and_probe(probe: impl FnOnce()) -> Result<Handle, InstallError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let recorder = PROCESS.get_or_init(Recorder::new);
    // One caller would take another's probe away. And while one installs the recorder, another's probe would go nowhere.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // It fails if there is a recorder already. Whether that is this one is what the probe tells.
    let _ = metrics::set_global_recorder(recorder);
    probe();
    let handle = recorder.handle();
    if handle.inner.take_probe() { Ok(handle) } else { Err(InstallError::NotRecording) }
}

impl Builder {
    /// Installs a recorder that is set up like this for the whole process, as [`install`](crate::install()) does.
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

/// [`install`](install()), with a check that the calling crate's version of the facade is the one that is recorded.
///
/// It needs a dependency of the calling crate that is named `metrics`.
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

/// Why a recorder isn't installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError {
    /// A probe event that was counted through the facade did not arrive.
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
