//! A recorder that is installed for the process. This file is a process of its own.

use std::sync::OnceLock;

#[test]
fn everything_arrives_at_the_process_recorder() {
    // Before it is installed.
    let early = atomik_metrics::counter("early_total", &[]);
    early.increment(1);
    let handle = atomik_metrics::install().unwrap();
    let again = atomik_metrics::install!().unwrap();
    early.increment(1);

    metrics::describe_counter!("requests", metrics::Unit::Count, "How many.");
    metrics::counter!("requests", "route" => "/").increment(2);
    metrics::counter!("requests", "route" => "/").absolute(5);
    metrics::gauge!("in_flight").set(3);
    metrics::histogram!("request_seconds").record(0.25);
    metrics::histogram!("request_seconds").record_many(0.5, 3);
    atomik_metrics::gauge("in_flight", &[]).decrement(1.0);
    assert_eq!(atomik_metrics::histogram("request_seconds", &[]).snapshot().count(), 4);

    // A thread's end, when its locals are being dropped.
    std::thread::spawn(|| {
        struct AtTheEnd;
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                metrics::counter!("at_the_end_total").increment(1);
                atomik_metrics::histogram("at_the_end_seconds", &[]).record(1.0);
            }
        }
        thread_local!(static LAST: OnceLock<AtTheEnd> = const { OnceLock::new() });
        LAST.with(|last| drop(last.set(AtTheEnd)));
        metrics::counter!("at_the_end_total").increment(1);
    })
    .join()
    .unwrap();

    let text = again.render();
    assert_eq!(text, handle.render());
    for line in [
        "early_total 2\n",
        "# HELP requests_total How many.\n# TYPE requests_total counter\nrequests_total{route=\"/\"} 5\n",
        "in_flight 2.0\n",
        "request_seconds_bucket{le=\"0.25\"} 1\n",
        "request_seconds_bucket{le=\"0.5\"} 4\n",
        "request_seconds_sum 1.75\n",
        "at_the_end_total 2\n",
        "at_the_end_seconds_count 1\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains(atomik_metrics::PROBE), "the probe is not shown");
    let late = atomik_metrics::Recorder::builder().install();
    assert_eq!(late.unwrap_err(), atomik_metrics::InstallError::TooLate);
}
