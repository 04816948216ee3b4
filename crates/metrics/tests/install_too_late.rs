//! A program that has another recorder already. This file is a process of its own.

use atomik_metrics::InstallError;

#[test]
fn another_recorder_is_noticed() {
    metrics::set_global_recorder(metrics::NoopRecorder).unwrap();
    assert_eq!(atomik_metrics::install().unwrap_err(), InstallError::NotRecording);
    // Without the facade it works all the same.
    atomik_metrics::counter("requests_total", &[]).increment(1);
    assert!(atomik_metrics::handle().render().contains("requests_total 1\n"));
}
