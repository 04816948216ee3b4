//! A strict parser of the two text formats, for the tests and the fuzz target: anything that their specifications don't
//! allow is an error.

#![allow(dead_code, reason = "each user needs a part of it")]

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// An exposition, family by family.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Exposition {
    pub(crate) families: BTreeMap<String, Family>,
    /// By name and labels.
    pub(crate) samples: BTreeMap<(String, Labels), f64>,
}

pub(crate) type Labels = BTreeMap<String, String>;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: Option<String>,
    pub(crate) unit: Option<String>,
}

impl Exposition {
    /// The sample of this name and these labels.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

pub(crate) fn parse(text: &str, openmetrics: bool) -> Result<Exposition, String> {
    let mut exposition = Exposition::default();
    let mut body = text;
    if openmetrics {
        body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    }
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut current: Option<String> = None;
    let mut has_samples = HashSet::new();
    for line in body.split_terminator('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut parts = comment.splitn(3, ' ');
            let (word, name) = (parts.next().unwrap(), parts.next().ok_or("a comment without a name")?);
            let rest = parts.next().unwrap_or("");
            check_name(name, true)?;
            if has_samples.contains(name) {
                return Err(format!("{word} of {name} after its samples"));
            }
            current = Some(name.to_owned());
            let family = exposition.families.entry(name.to_owned()).or_default();
            match word {
                "HELP" if family.help.is_none() => family.help = Some(unescape(rest, openmetrics)?),
                "TYPE" if family.kind.is_empty() => {
                    if !["counter", "gauge", "histogram"].contains(&rest) {
                        return Err(format!("type {rest}"));
                    }
                    rest.clone_into(&mut family.kind);
                }
                "UNIT" if openmetrics && family.unit.is_none() => {
                    if !name.ends_with(&format!("_{rest}")) {
                        return Err(format!("unit {rest} of {name}"));
                    }
                    family.unit = Some(rest.to_owned());
                }
                _ => return Err(format!("{line:?} is unknown or comes twice")),
            }
            continue;
        }
        let (name, labels, value) = sample(line).map_err(|error| format!("{error} in {line:?}"))?;
        let current = current.as_ref().ok_or("a sample without a family")?;
        let kind = exposition.families[current].kind.as_str();
        let suffixes: &[&str] = match kind {
            "counter" if openmetrics => &["_total"],
            "counter" | "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => return Err(format!("{current} has no type")),
        };
        let suffix = name.strip_prefix(current.as_str()).unwrap_or("?");
        let has_bound = labels.contains_key("le");
        if !suffixes.contains(&suffix) || kind == "histogram" && has_bound != (suffix == "_bucket") {
            return Err(format!("{line:?} in the {kind} {current}"));
        }
        has_samples.insert(current.clone());
        if exposition.samples.insert((name.clone(), labels), value).is_some() {
            return Err(format!("{line:?} comes twice"));
        }
    }
    check_histograms(&exposition)?;
    Ok(exposition)
}

/// Buckets don't go down, end with +Inf, and agree with the count.
fn check_histograms(exposition: &Exposition) -> Result<(), String> {
    let histograms = exposition.families.iter().filter(|(_, family)| family.kind == "histogram");
    for (name, _) in histograms {
        let of = |suffix: &str| {
            let name = format!("{name}{suffix}");
            exposition.samples.iter().filter(move |((other, _), _)| *other == name)
        };
        let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), &count) in of("_bucket") {
            let mut labels = labels.clone();
            let bound = number(&labels.remove("le").expect("checked"))?;
            buckets.entry(labels).or_default().push((bound, count));
        }
        let counted: BTreeSet<_> = of("_count").map(|((_, labels), _)| labels.clone()).collect();
        if counted != buckets.keys().cloned().collect() || of("_sum").count() != counted.len() {
            return Err(format!("series of {name} are incomplete"));
        }
        for ((_, labels), &count) in of("_count") {
            let buckets = buckets.get_mut(labels).expect("checked");
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            if buckets.last() != Some(&(f64::INFINITY, count)) || !buckets.is_sorted_by(|a, b| a.1 <= b.1) {
                return Err(format!("buckets of {name}: {buckets:?}, and {count} in all"));
            }
        }
    }
    Ok(())
}

fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    check_name(name, true)?;
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"").ok_or("a label without a value")?;
            check_name(label, false)?;
            let mut escaped = false;
            let end = value
                .find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })
                .ok_or("a value without an end")?;
            if labels.insert(label.to_owned(), unescape(&value[..end], true)?).is_some() {
                return Err(format!("label {label} comes twice"));
            }
            rest = &value[end + 1..];
            match rest.strip_prefix(',') {
                Some(next) if !next.starts_with('}') => rest = next,
                _ if rest.starts_with('}') => {}
                _ => return Err("no comma".into()),
            }
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    Ok((name.to_owned(), labels, number(value)?))
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => {
            text.parse().map_err(|_| format!("number {text:?}"))
        }
        _ => Err(format!("number {text:?}")),
    }
}

fn check_name(name: &str, colons: bool) -> Result<(), String> {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || colons && c == ':';
    let good = name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    let reserved = !colons && name.starts_with("__");
    if good && !reserved { Ok(()) } else { Err(format!("name {name:?}")) }
}

fn unescape(text: &str, quotes: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('\\')) => out.push('\\'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('"')) if quotes => out.push('"'),
            ('\\', escaped) => return Err(format!("escape {escaped:?}")),
            ('"', _) if quotes => return Err("a bare quote".into()),
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}
