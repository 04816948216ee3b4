//! A recorder whose counters and histograms are in a file that several processes share.

mod entry;
mod error;
mod file;
mod series;
mod size;
mod source;

use std::path::Path;
use std::sync::Arc;

use atomik_core::Add;
use atomik_shared::SharedFanIn;
use metrics::{Key, KeyName, Metadata, SharedString, Unit};
use metrics_util::registry::Registry;

use crate::builder::Builder;
use crate::install::{InstallError, count_probe};
use crate::recorder::{Handle, Recorder, key};
pub use error::SharedRecorderError;
use file::File;
use series::SharedStorage;
pub use size::SharedSize;
use source::FileSource;

/// A recorder for the [`metrics`] facade whose counters and histograms are in a file, by [`atomik_shared`].
///
/// All processes that open the file record to the same series: the workers of a service that is started several times,
/// or short-lived processes one after another. Any of them shows what all have recorded, in one scrape. Whatever a
/// process had recorded is in the file when it ends, even if it was killed: every event whose call had returned is
/// counted once.
///
/// There is one file, whose size does not depend on how many processes there are or were. The names of the series stand
/// in it beside their values. Each thread that records has a lane of the file, which the next thread takes over when
/// the thread or its process has ended.
///
/// ```
/// use atomik_metrics::shared::{SharedRecorder, SharedSize};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("metrics");
/// let worker = SharedRecorder::open(&path, SharedSize::default())?; // in each process
/// metrics::with_local_recorder(&worker, || {
///     metrics::counter!("requests_total", "route" => "/").increment(1);
///     metrics::histogram!("request_seconds").record(0.0042);
/// });
/// drop(worker);
///
/// let handle = atomik_metrics::shared::read(&path)?; // in any process
/// assert!(handle.render().contains("requests_total{route=\"/\"} 1\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **Cost.** To record, a thread finds its lane by a thread-local and a comparison, and then stores one word for a
/// counter or two for a histogram. A series that is new to the process is looked up in the file, under a lock.
///
/// **Limits.**
///
/// - **Room.** The file has room for so many words, names and lanes as its [`SharedSize`] says. If there is no room for
///   a series or for a further part of a histogram, its events are counted in `atomik_metrics_lost_total` instead.
///   Threads that find no free lane take turns on a lane that their process has claimed for them.
/// - **Series are kept** as long as the file. There is no idle timeout.
/// - **Gauges are not shared**, because processes would overwrite each other's values. Each process shows its own.
/// - **Descriptions are not shared** either. A process that renders shows those that it was given itself.
/// - **Subnormal numbers** are counted as zero and not added to the sum.
/// - **After a fork.** Open the file after `fork`. A recorder that was opened before panics in the child when it records.
/// - **Linux only**, on 64-bit targets. Besides, the documentation of [`atomik_shared`] says what a power cut leaves,
///   which file systems are refused, and that `/dev/shm` is the best place for such a file.
#[derive(Debug)]
pub struct SharedRecorder {
    registry: Registry<Key, SharedStorage>,
    /// It shows the file's series, and has the gauges and the descriptions.
    own: Recorder,
}

/// Shows what the processes that share a file have recorded, without recording to it. The file only needs to be readable.
///
/// The handle renders and observes the series as that of a recorder does. Series that are made with it are not in the
/// file.
///
/// # Errors
///
/// [`SharedRecorderError::File`] if the file can't be opened or is none of a recorder.
pub fn read(path: impl AsRef<Path>) -> Result<Handle, SharedRecorderError> {
    let recorder = Recorder::new();
    show(path.as_ref(), &recorder)?;
    Ok(recorder.handle())
}

fn show(path: &Path, recorder: &Recorder) -> Result<(), SharedRecorderError> {
    let view = SharedFanIn::<Add>::open_read_only(path)?;
    recorder.handle().inner.set_source(Box::new(FileSource::new(view)));
    Ok(())
}

impl SharedRecorder {
    /// Opens a file, or creates it if there is none, with the default settings.
    ///
    /// # Errors
    ///
    /// [`SharedRecorderError::File`] if the file can't be opened or created, has another size, or has no free lane.
    pub fn open(path: impl AsRef<Path>, size: SharedSize) -> Result<Self, SharedRecorderError> {
        Builder::default().open_shared(path, size)
    }

    /// A handle that shows what all processes have recorded, and the gauges of this one.
    ///
    /// Record by [`counter`](Self::counter) and [`histogram`](Self::histogram) or by the facade: the series that are made
    /// with the handle itself are not in the file.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.own.handle()
    }

    /// The counter with this name and these labels. To look it up locks the file if it is new to this process.
    ///
    /// # Errors
    ///
    /// [`SharedRecorderError::Full`] and [`SharedRecorderError::File`] if there is no room for it.
    pub fn counter(
        &self,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<metrics::Counter, SharedRecorderError> {
        let counter = self.registry.storage().find_counter(&key(name, labels))?;
        Ok(metrics::Counter::from_arc(Arc::new(counter)))
    }

    /// The histogram with this name and these labels. To look it up locks the file if it is new to this process.
    ///
    /// It has the schema that the first process gave it.
    ///
    /// # Errors
    ///
    /// As [`counter`](Self::counter).
    pub fn histogram(
        &self,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<metrics::Histogram, SharedRecorderError> {
        let histogram = self.registry.storage().find_histogram(&key(name, labels))?;
        Ok(metrics::Histogram::from_arc(Arc::new(histogram)))
    }

    /// Makes this the recorder that the [`metrics`] facade records to, in the whole process.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotRecording`] if a probe event does not arrive, because another recorder is installed.
    pub fn install(self) -> Result<Handle, InstallError> {
        let handle = self.handle();
        // If it fails, the probe does not arrive.
        let _ = metrics::set_global_recorder(self);
        count_probe();
        if handle.inner.take_probe() { Ok(handle) } else { Err(InstallError::NotRecording) }
    }
}

impl Builder {
    /// Opens a shared file with these settings, or creates it if there is none. The
    /// [`idle_timeout`](Self::idle_timeout) is ignored.
    ///
    /// # Errors
    ///
    /// As [`SharedRecorder::open`].
    pub fn open_shared(
        mut self,
        path: impl AsRef<Path>,
        size: SharedSize,
    ) -> Result<SharedRecorder, SharedRecorderError> {
        let path = path.as_ref();
        self.settings.idle_timeout = None;
        let schema = self.settings.schema;
        let (file, own) = (Arc::new(File::open(path, size)?), self.build());
        show(path, &own)?;
        let storage = SharedStorage { file, schema, own: own.handle() };
        Ok(SharedRecorder { registry: Registry::new(storage), own })
    }
}

impl metrics::Recorder for SharedRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.own.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.own.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.own.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> metrics::Counter {
        if key.name() == crate::recorder::PROBE {
            return self.own.register_counter(key, metadata);
        }
        self.registry.get_or_create_counter(key, |counter| metrics::Counter::from_arc(Arc::clone(counter)))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> metrics::Gauge {
        self.own.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let from = |histogram: &_| metrics::Histogram::from_arc(Arc::clone(histogram));
        self.registry.get_or_create_histogram(key, from)
    }
}
