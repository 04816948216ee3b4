//! The series in the order in which they are shown.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use metrics::Key;

use crate::counter::CounterCell;
use crate::gauge::GaugeCell;
use crate::histogram::HistogramCell;
use crate::names;
use crate::settings::Settings;
use crate::snapshot::HistogramSnapshot;
use crate::storage::{Descriptions, Kind, Registry};

/// All series of a recorder with the names under which they are shown, sorted. A new catalog is made only after series or
/// descriptions have come or gone.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// The version of the recorder's series that this was made from. No series have version 0.
    pub(crate) version: u64,
    pub(crate) families: Vec<Family>,
}

/// All series of a recorder with the keys under which they were recorded, in no particular order. This is what observers
/// read. A new list is made only after series have come or gone.
#[derive(Debug, Default)]
pub(crate) struct SeriesList {
    /// As in [`Catalog`].
    pub(crate) version: u64,
    /// Different for all lists of a recorder, from 1.
    pub(crate) number: u64,
    pub(crate) counters: Vec<(Key, Arc<CounterCell>)>,
    pub(crate) gauges: Vec<(Key, Arc<GaugeCell>)>,
    pub(crate) histograms: Vec<(Key, Arc<HistogramCell>)>,
}

impl SeriesList {
    pub(crate) fn new(registry: &Registry, version: u64, number: u64) -> Self {
        let mut list = Self { version, number, ..Self::default() };
        registry.visit_counters(|key, cell| list.counters.push((key.clone(), Arc::clone(cell))));
        registry.visit_gauges(|key, cell| list.gauges.push((key.clone(), Arc::clone(cell))));
        registry.visit_histograms(|key, cell| list.histograms.push((key.clone(), Arc::clone(cell))));
        list
    }
}

/// The series of one name.
#[derive(Debug)]
pub(crate) struct Family {
    /// The name without the suffix of counters.
    pub(crate) name: String,
    pub(crate) help: Option<String>,
    /// The unit, if the name ends with it.
    pub(crate) unit: Option<&'static str>,
    pub(crate) series: AllSeries,
}

#[derive(Debug)]
pub(crate) enum AllSeries {
    Counters(Vec<Series<CounterCell>>),
    Gauges(Vec<Series<GaugeCell>>),
    Histograms { series: Vec<Series<HistogramCell>>, classic_exponents: RangeInclusive<i32> },
}

/// What is shown with one label set. This is usually one series. There are several if their names or labels become equal
/// when they are escaped.
#[derive(Debug)]
pub(crate) struct Series<T> {
    pub(crate) labels: Vec<(String, String)>,
    /// The labels as text, without braces.
    pub(crate) label_text: String,
    cells: Vec<Arc<T>>,
}

/// The families of one kind while they are being collected: by name, and within a family by labels.
type Collected<T> = BTreeMap<String, (String, BTreeMap<Vec<(String, String)>, Vec<Arc<T>>>)>;

impl Catalog {
    pub(crate) fn new(
        registry: &Registry,
        descriptions: &Descriptions,
        settings: &Settings,
        version: u64,
    ) -> Self {
        let (mut counters, mut gauges, mut histograms) =
            (Collected::new(), Collected::new(), Collected::new());
        registry.visit_counters(|key, cell| collect(&mut counters, Kind::Counter, key, cell));
        registry.visit_gauges(|key, cell| collect(&mut gauges, Kind::Gauge, key, cell));
        registry.visit_histograms(|key, cell| collect(&mut histograms, Kind::Histogram, key, cell));

        let mut names = Names::default();
        let mut families = Vec::with_capacity(counters.len() + gauges.len() + histograms.len());
        for (name, (raw, series)) in counters {
            families.push(Family::new(
                &mut names,
                descriptions,
                Kind::Counter,
                name,
                &raw,
                AllSeries::Counters(all(series)),
            ));
        }
        for (name, (raw, series)) in gauges {
            families.push(Family::new(
                &mut names,
                descriptions,
                Kind::Gauge,
                name,
                &raw,
                AllSeries::Gauges(all(series)),
            ));
        }
        for (name, (raw, series)) in histograms {
            let classic_exponents = settings.classic_exponents(&raw);
            let series = AllSeries::Histograms { series: all(series), classic_exponents };
            families.push(Family::new(&mut names, descriptions, Kind::Histogram, name, &raw, series));
        }
        families.sort_by(|a, b| a.name.cmp(&b.name));
        Self { version, families }
    }
}

fn collect<T>(families: &mut Collected<T>, kind: Kind, key: &Key, cell: &Arc<T>) {
    let mut name = names::metric_name(key.name());
    if kind == Kind::Counter
        && let Some(base) = name.strip_suffix("_total").filter(|base| !base.is_empty())
    {
        name.truncate(base.len());
    }
    let reserved = (kind == Kind::Histogram).then_some("le");
    let (raw, series) = families.entry(name).or_insert_with(|| (key.name().to_owned(), BTreeMap::new()));
    // If several names become one, the family has the description of the first name in alphabetical order.
    if key.name() < raw.as_str() {
        key.name().clone_into(raw);
    }
    series.entry(names::labels(key, reserved)).or_default().push(Arc::clone(cell));
}

fn all<T>(series: BTreeMap<Vec<(String, String)>, Vec<Arc<T>>>) -> Vec<Series<T>> {
    let series = series.into_iter().map(|(labels, mut cells)| {
        cells.shrink_to_fit();
        Series { label_text: names::label_text(&labels), labels, cells }
    });
    series.collect()
}

impl Family {
    fn new(
        names: &mut Names,
        descriptions: &Descriptions,
        kind: Kind,
        name: String,
        raw: &str,
        series: AllSeries,
    ) -> Self {
        let description = descriptions.get(kind, raw);
        let unit = description.as_ref().and_then(|description| description.unit).map(|unit| unit.as_str());
        let name = names.choose(kind, name);
        // OpenMetrics allows a unit only if the name ends with it.
        let unit = unit.filter(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
        Self { name, help: description.map(|description| description.help.into_owned()), unit, series }
    }
}

/// The names that are taken: those of families, and those of their samples.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// A name that no other family uses for itself or for its samples. If the wanted name is taken, the kind is
    /// appended to it, and then underscores until the name is free.
    fn choose(&mut self, kind: Kind, wanted: String) -> String {
        let (word, suffixes): (_, &[&str]) = match kind {
            Kind::Counter => ("counter", &["", "_total", "_created"]),
            Kind::Gauge => ("gauge", &[""]),
            Kind::Histogram => ("histogram", &["", "_bucket", "_sum", "_count", "_created"]),
        };
        let mut name = wanted;
        let is_free = |name: &str| suffixes.iter().all(|suffix| !self.0.contains(&format!("{name}{suffix}")));
        if !is_free(&name) {
            name = format!("{name}_{word}");
            while !is_free(&name) {
                name.push('_');
            }
        }
        self.0.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
        name
    }
}

impl Series<CounterCell> {
    pub(crate) fn value(&self, words: &[Vec<u64>]) -> u64 {
        self.cells.iter().fold(0, |total, cell| total.wrapping_add(cell.value_in(words)))
    }
}

impl Series<GaugeCell> {
    /// The value, or that of the latest gauge if there are several.
    pub(crate) fn value(&self) -> f64 {
        let latest = self.cells.iter().max_by_key(|cell| cell.activity.id);
        latest.map_or(0.0, |cell| cell.value())
    }
}

impl Series<HistogramCell> {
    pub(crate) fn value(&self) -> HistogramSnapshot {
        let mut cells = self.cells.iter();
        let mut value = cells.next().map(|cell| cell.snapshot()).unwrap_or_default();
        cells.for_each(|cell| value.merge(&cell.snapshot()));
        value
    }
}
