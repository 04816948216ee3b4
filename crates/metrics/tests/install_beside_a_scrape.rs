//! What others see of the recorder while it is being installed. This file is a process of its own.

use atomik_metrics::{Format, PROBE, install_and_probe};

#[test]
fn the_probe_is_never_shown() {
    let before = atomik_metrics::handle();
    let mut epoch = before.epoch();
    let handle = install_and_probe(|| {
        metrics::counter!(PROBE).increment(1);
        // A scrape between the probe and its removal.
        let scraped =
            [Format::Text, Format::OpenMetrics, Format::Protobuf].map(|format| before.render_as(format));
        let shown =
            scraped.iter().map(|bytes| String::from_utf8_lossy(bytes)).any(|text| text.contains(PROBE));
        assert!(!shown, "{scraped:?}");
        assert_eq!((before.series(), epoch.swap().counters().count()), (0, 0));
    });
    assert_eq!(handle.unwrap().series(), 0);
    assert_eq!(epoch.swap().counters().count(), 0);
}
