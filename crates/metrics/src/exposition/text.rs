//! Prometheus' text format, and OpenMetrics.

use core::fmt::Write;
use std::ops::RangeInclusive;

use crate::catalog::{AllSeries, Catalog, Family, Series};
use crate::histogram::HistogramCell;
use crate::names::escape;

/// Renders all series as text, in OpenMetrics or in Prometheus' format.
pub(super) fn text(catalog: &Catalog, words: &[Vec<u64>], openmetrics: bool) -> String {
    let mut out = String::new();
    for family in &catalog.families {
        write_metadata(&mut out, family, openmetrics);
        match &family.series {
            AllSeries::Counters(series) => {
                for series in series {
                    write_start(&mut out, &family.name, "_total", &series.label_text);
                    write_integer(&mut out, series.value(words));
                }
            }
            AllSeries::Gauges(series) => {
                for series in series {
                    write_start(&mut out, &family.name, "", &series.label_text);
                    write_float(&mut out, series.value());
                    out.push('\n');
                }
            }
            AllSeries::Histograms { series, classic_exponents } => {
                for series in series {
                    write_histogram(&mut out, &family.name, series, classic_exponents.clone());
                }
            }
        }
    }
    if openmetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn write_metadata(out: &mut String, family: &Family, openmetrics: bool) {
    let (kind, suffix) = match family.series {
        AllSeries::Counters(_) => ("counter", if openmetrics { "" } else { "_total" }),
        AllSeries::Gauges(_) => ("gauge", ""),
        AllSeries::Histograms { .. } => ("histogram", ""),
    };
    let name = &family.name;
    if let Some(help) = &family.help {
        let _ = write!(out, "# HELP {name}{suffix} ");
        escape(out, help, openmetrics);
        out.push('\n');
    }
    let _ = writeln!(out, "# TYPE {name}{suffix} {kind}");
    if let Some(unit) = family.unit.filter(|_| openmetrics) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
}

fn write_histogram(
    out: &mut String,
    name: &str,
    series: &Series<HistogramCell>,
    exponents: RangeInclusive<i32>,
) {
    let value = series.value();
    let comma = if series.label_text.is_empty() { "" } else { "," };
    let mut write_bucket = |bound: &str, count| {
        let _ = write!(out, "{name}_bucket{{{}{comma}le=\"{bound}\"}} ", series.label_text);
        write_integer(out, count);
    };
    for (exponent, count) in value.counts_up_to_powers_of_two(exponents) {
        let mut bound = String::new();
        write_float(&mut bound, 2f64.powi(exponent));
        write_bucket(&bound, count);
    }
    let count = value.count();
    write_bucket("+Inf", count);
    write_start(out, name, "_sum", &series.label_text);
    write_float(out, value.sum());
    out.push('\n');
    write_start(out, name, "_count", &series.label_text);
    write_integer(out, count);
}

/// Writes a sample up to its value.
fn write_start(out: &mut String, name: &str, suffix: &str, labels: &str) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() {
        out.push('{');
        out.push_str(labels);
        out.push('}');
    }
    out.push(' ');
}

/// Writes an integer and ends the line. This is faster than `write!`, and a service has thousands of them.
fn write_integer(out: &mut String, mut value: u64) {
    let mut digits = [b'\n'; 21];
    let mut at = digits.len() - 1;
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

/// Writes a number as Prometheus itself does, so that a bound is the same label in all formats: with the fewest digits
/// that identify the number, with an exponent below 10^-4 and from 10^6 on, and always with a point or an exponent.
pub(super) fn write_float(out: &mut String, value: f64) {
    let special = match value {
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ if value.is_nan() => "NaN",
        _ if value == 0.0 || (1e-4..1e6).contains(&value.abs()) => {
            let _ = write!(out, "{value:?}");
            return;
        }
        _ => "",
    };
    if !special.is_empty() {
        out.push_str(special);
        return;
    }
    let digits = format!("{value:e}");
    let (digits, exponent) = digits.split_once('e').expect("the format has an exponent");
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = String::new();
        write_float(&mut out, value);
        out
    }

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        let cases = [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.0001220703125, "0.0001220703125"),
            (1e-5, "1e-05"),
            (1_048_576.0, "1.048576e+06"),
            (999_999.0, "999999.0"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn integers_are_written_in_decimal() {
        let mut out = String::new();
        for value in [0, 7, 10, 1_234_567_890, u64::MAX] {
            write_integer(&mut out, value);
        }
        assert_eq!(out, "0\n7\n10\n1234567890\n18446744073709551615\n");
    }
}
