//! The live view: what an observer of the recorder sees.

use std::fmt::Write;

use atomik_metrics::{Changes, Handle, HistogramSnapshot, MetricsEpoch, Schema};

pub(crate) struct View {
    epoch: MetricsEpoch,
    total: HistogramSnapshot,
    hidden: bool,
}

/// The width of the longest bar.
const WIDTH: usize = 50;

impl View {
    pub(crate) fn new(handle: Handle, hidden: bool) -> Self {
        Self { epoch: handle.epoch(), total: HistogramSnapshot::default(), hidden }
    }

    /// Shows what happened since the last update.
    pub(crate) fn update(&mut self) {
        let changes = self.epoch.swap();
        let latency = changes.histogram("http_request_seconds").unwrap_or_default();
        self.total.merge(&latency);
        if !self.hidden {
            // Clears the screen, and writes from its top.
            print!("\x1b[2J\x1b[H{}", page(&changes, &latency));
        }
    }

    /// The latencies of all updates, and of what came after the last.
    pub(crate) fn total(&mut self) -> HistogramSnapshot {
        if let Some(latency) = self.epoch.swap().histogram("http_request_seconds") {
            self.total.merge(&latency);
        }
        self.total.clone()
    }
}

fn page(changes: &Changes, latency: &HistogramSnapshot) -> String {
    let mut page = String::new();
    let seconds = changes.duration().as_secs_f64();
    let _ = writeln!(page, "{:>12.0} requests/s\n", changes.rate("http_requests_total"));
    for (series, count) in changes.counters() {
        let labels: Vec<_> = series.labels().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(page, "{:>12.0} {}", count as f64 / seconds, labels.join(" "));
    }
    let quantile = |q| latency.quantile(q).map_or("-".into(), time);
    let _ = writeln!(page, "\np50 {}  p90 {}  p99 {}\n", quantile(0.5), quantile(0.9), quantile(0.99));

    // Two bars an octave.
    let mut bars = latency.clone();
    let coarse = Schema::new(1).expect("it is below 8");
    bars.coarsen(coarse);
    let most = bars.positive_buckets().map(|(_, count)| count).max().unwrap_or(1);
    for (index, count) in bars.positive_buckets() {
        let width = (count as usize * WIDTH).div_ceil(most as usize);
        let _ = writeln!(page, "{:>9} {} {count}", time(coarse.upper_bound(index)), "█".repeat(width));
    }
    page
}

fn time(seconds: f64) -> String {
    match seconds {
        ..1e-3 => format!("{:.1} µs", seconds * 1e6),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}
