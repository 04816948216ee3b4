//! What the generator got, to compare the recorder's counts with.

use std::collections::BTreeMap;

/// How many answers there were, by route and code.
#[derive(Debug, Default)]
pub(crate) struct Account(BTreeMap<(&'static str, u16), u64>);

impl Account {
    pub(crate) fn count(&mut self, route: &'static str, code: u16) {
        *self.0.entry((route, code)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (key, count) in other.0 {
            *self.0.entry(key).or_default() += count;
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.values().sum()
    }

    /// Where an exposition in Prometheus' text format says something else.
    pub(crate) fn compare(&self, text: &str) -> Vec<String> {
        let mut expected = BTreeMap::new();
        for (&(route, code), &count) in &self.0 {
            let counter = format!("http_requests_total{{code=\"{code}\",route=\"{route}\"}}");
            expected.insert(counter, count);
            let histogram = format!("http_request_seconds_count{{route=\"{route}\"}}");
            *expected.entry(histogram).or_default() += count;
        }
        let shown: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
        let mut mismatches = Vec::new();
        for (series, count) in &expected {
            let value = shown.get(series.as_str()).copied().unwrap_or("nothing");
            if value != count.to_string() {
                mismatches.push(format!("{series} is {value} instead of {count}"));
            }
        }
        let is_ours = |series: &str| {
            series.starts_with("http_requests_total") || series.starts_with("http_request_seconds_count")
        };
        for series in shown.keys().filter(|series| is_ours(series) && !expected.contains_key(**series)) {
            mismatches.push(format!("{series} is shown, but was never requested"));
        }
        mismatches
    }
}
