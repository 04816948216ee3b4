//! The choice of the format for a client.

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus' [text format](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4, with
    /// classic histograms.
    #[default]
    Text,
    /// [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) 1.0, with classic histograms.
    OpenMetrics,
    /// Delimited messages of `io.prometheus.client.MetricFamily`, with classic and
    /// [native](https://prometheus.io/docs/specs/native_histograms/) histograms.
    Protobuf,
}

impl Format {
    /// The value of the header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that a client prefers, by the header `Accept` of its request ([RFC 9110]). It is the text format if the
    /// header names none of these formats.
    ///
    /// ```
    /// use atomik_metrics::Format;
    ///
    /// let accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5";
    /// assert_eq!(Format::negotiate(accept), Format::OpenMetrics);
    /// assert_eq!(Format::negotiate("*/*"), Format::Text);
    /// ```
    ///
    /// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#name-accept
    #[must_use]
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (Self::Text, 0.0);
        for range in accept.split(',') {
            // Of formats with the same quality, the first.
            if let Some((format, quality)) = media_range(range)
                && quality > best.1
            {
                best = (format, quality);
            }
        }
        best.0
    }
}

/// The format that a media range names, and its quality, from 0 to 1.
fn media_range(range: &str) -> Option<(Format, f64)> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let parameters: Vec<(String, &str)> = parts
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
        .collect();
    let parameter = |name| parameters.iter().find(|(other, _)| other == name).map(|&(_, value)| value);
    let format = match media_type.as_str() {
        "application/vnd.google.protobuf" => {
            let is_ours = parameter("proto").is_none_or(|proto| proto == "io.prometheus.client.MetricFamily")
                && parameter("encoding").is_none_or(|encoding| encoding == "delimited");
            is_ours.then_some(Format::Protobuf)
        }
        "application/openmetrics-text" => {
            let version = parameter("version");
            version.is_none_or(|version| ["1.0.0", "0.0.1"].contains(&version)).then_some(Format::OpenMetrics)
        }
        "text/plain" => parameter("version").is_none_or(|version| version == "0.0.4").then_some(Format::Text),
        "text/*" | "*/*" => Some(Format::Text),
        _ => None,
    };
    let quality = match parameter("q") {
        Some(quality) => quality.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
        None => 1.0,
    };
    Some((format?, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prometheus_server_gets_what_it_likes_best() {
        // As Prometheus 2.42 asks with native histograms, and without.
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
             application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::negotiate(native), Format::Protobuf);
        let classic = "application/openmetrics-text; version=1.0.0,application/openmetrics-text; version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::negotiate(classic), Format::OpenMetrics);
    }

    #[test]
    fn quality_goes_before_order() {
        assert_eq!(
            Format::negotiate("text/plain;q=0.2, application/openmetrics-text;q=0.3"),
            Format::OpenMetrics
        );
        assert_eq!(Format::negotiate("text/plain;q=0.3, application/openmetrics-text;q=0.2"), Format::Text);
        assert_eq!(Format::negotiate("text/plain, application/openmetrics-text"), Format::Text);
    }

    #[test]
    fn anything_else_gets_text() {
        let headers = [
            "",
            "text/html",
            "*/*",
            ",;=,;q=x",
            "application/json;q=1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=7",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "application/vnd.google.protobuf;proto=other.Message;encoding=delimited",
        ];
        assert_eq!(headers.map(Format::negotiate), [Format::Text; 10]);
    }

    #[test]
    fn media_types_are_compared_without_case() {
        assert_eq!(Format::negotiate("Application/OpenMetrics-Text; Version=\"1.0.0\""), Format::OpenMetrics);
    }
}
