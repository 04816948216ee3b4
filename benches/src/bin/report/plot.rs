//! The plots.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::criterion_results::{Line, Sweep};
use crate::tables::size;

/// Draws the time of an operation over the number of threads, with a line for each method and logarithmic axes.
pub(crate) fn threads(path: &Path, title: &str, threads: &[usize], sweep: &[Sweep]) -> Result<(), String> {
    draw_threads(path, title, threads, sweep).map_err(|error| format!("{}: {error}", path.display()))
}

fn draw_threads(path: &Path, title: &str, threads: &[usize], sweep: &[Sweep]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (900, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(660);
    let times = || sweep.iter().flat_map(|row| row.nanoseconds);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    // Each number of threads is twice the one before, so steps of equal width make a logarithmic axis.
    let last = (threads.len() - 1) as f64;
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last, (least * 0.7..most * 1.4).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("threads on 2 cores")
        .y_desc("nanoseconds (median)")
        .x_labels(threads.len())
        .x_label_formatter(&|step| threads[step.round() as usize].to_string())
        .y_label_formatter(&|time| time.to_string())
        .disable_x_mesh()
        .draw()?;
    for (number, row) in sweep.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let points = (0..).map(f64::from).zip(row.nanoseconds);
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?;
        // The key has the order of the lines at two threads, the slowest on top.
        let y = 60 + 24 * (sweep.len() - 1 - number) as i32;
        right.draw(&PathElement::new([(0, y), (24, y)], colour.stroke_width(3)))?;
        right.draw(&Text::new(row.method.clone(), (32, y - 6), ("sans-serif", 12)))?;
    }
    root.present()?;
    Ok(())
}

/// Draws a kernel's throughput over the bytes of its operands, with a line for each level, limit or rival,
/// logarithmic axes, and the sizes of the caches.
pub(crate) fn kernel(
    path: &Path,
    title: &str,
    lines: &[Line],
    caches: &[(String, u64)],
) -> Result<(), String> {
    draw_kernel(path, title, lines, caches).map_err(|error| format!("{}: {error}", path.display()))
}

/// The order, colour and dashes of a line. The colours are those of Okabe and Ito, which colour-blind readers can
/// tell apart. Limits and rivals are dashed.
fn style(name: &str) -> (usize, RGBColor, bool) {
    const STYLES: [(&str, RGBColor, bool); 12] = [
        ("bare loads, AVX-512", RGBColor(0, 114, 178), true),
        ("bare loads, AVX2", RGBColor(230, 159, 0), true),
        ("bare loads, SSE2", RGBColor(0, 158, 115), true),
        ("AVX-512", RGBColor(0, 114, 178), false),
        ("AVX2", RGBColor(230, 159, 0), false),
        ("SSE2", RGBColor(0, 158, 115), false),
        ("portable", RGBColor(204, 121, 167), false),
        ("one thread", RGBColor(0, 114, 178), false),
        ("Add", RGBColor(86, 180, 233), false),
        ("first_difference", RGBColor(86, 180, 233), false),
        ("all cores", RGBColor(213, 94, 0), false),
        ("loop under a contended Mutex, 2 threads", RGBColor(130, 130, 130), true),
    ];
    let known = STYLES.iter().position(|style| style.0 == name);
    known.map_or((usize::MAX, BLACK, true), |place| (place + 1, STYLES[place].1, STYLES[place].2))
}

/// The name of a line in the key.
fn label(line: &Line) -> String {
    match line.name.as_str() {
        "Add" => "best level, Add".into(),
        "all cores" => "kernel::par, 2 threads".into(),
        name => name.into(),
    }
}

fn draw_kernel(
    path: &Path,
    title: &str,
    lines: &[Line],
    caches: &[(String, u64)],
) -> Result<(), Box<dyn Error>> {
    let log = |&(bytes, rate, _): &(u64, f64, f64)| ((bytes as f64).log2(), rate.log2());
    let points = || lines.iter().flat_map(|line| &line.points).map(log);
    let range = |of: fn((f64, f64)) -> f64| {
        let (least, most) =
            points().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        (least, most)
    };
    let ((left, right), (bottom, top)) = (range(|point| point.0), range(|point| point.1));
    if !(left < right && bottom.is_finite() && top.is_finite()) {
        return Err("no points".into());
    }
    // Room for the names of the caches, and for the end of the last one.
    let (bottom, top) = (bottom - 0.3, top + 0.9);
    let right = caches.iter().map(|cache| (cache.1 as f64).log2() + 0.2).fold(right, f64::max);
    let unit = if lines[0].unit == "bytes" { "GB/s" } else { "G deltas/s" };
    let root = SVGBackend::new(path, (900, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let (chart_area, key) = root.split_horizontally(680);
    let mut chart = ChartBuilder::on(&chart_area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(left..right, bottom..top)?;
    chart
        .configure_mesh()
        .x_desc(if lines[0].unit == "bytes" { "bytes of all operands" } else { "bytes of the table" })
        .y_desc(format!("{unit} (best of ten samples)"))
        .x_labels(12)
        .y_labels(8)
        .x_label_formatter(&|log| size(log.exp2().round() as u64))
        .y_label_formatter(&|log| number(log.exp2()))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, bytes) in caches {
        let at = (*bytes as f64).log2();
        if at < right {
            let grey = RGBColor(150, 150, 150);
            chart.draw_series(DashedLineSeries::new(
                [(at, bottom), (at, top)],
                2,
                4,
                grey.stroke_width(1),
            ))?;
            let text = ("sans-serif", 12)
                .into_font()
                .color(&RGBColor(90, 90, 90))
                .pos(Pos::new(HPos::Right, VPos::Top));
            let beside = chart.backend_coord(&(at, top));
            chart_area.draw(&Text::new(
                format!("{name} {}", size(*bytes)),
                (beside.0 - 4, beside.1 + 4),
                text,
            ))?;
        }
    }
    let mut lines: Vec<&Line> = lines.iter().collect();
    lines.sort_by_key(|line| style(&line.name).0);
    for (number, line) in lines.iter().enumerate() {
        let (_, colour, dashed) = style(&line.name);
        let points = line.points.iter().map(log);
        let y = 60 + 24 * number as i32;
        if dashed {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, colour.stroke_width(2)))?;
            for x in [0, 10, 20] {
                key.draw(&PathElement::new([(x, y), (x + 6, y)], colour.stroke_width(2)))?;
            }
        } else {
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(2))?;
            key.draw(&PathElement::new([(0, y), (26, y)], colour.stroke_width(3)))?;
        }
        key.draw(&Text::new(label(line), (34, y - 6), ("sans-serif", 12)))?;
    }
    root.present()?;
    Ok(())
}

/// A number on an axis, with as many digits as it needs.
fn number(value: f64) -> String {
    if value >= 0.9 { format!("{value:.0}") } else { format!("{value:.2}") }
}
