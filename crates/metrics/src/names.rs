//! Names and label sets in the form that Prometheus requires.

use metrics::Key;

/// The name of a metric. It consists of letters, digits, underscores and colons, and does not start with a digit. Other
/// characters become underscores.
pub(crate) fn metric_name(name: &str) -> String {
    sanitize(name, |c| c == ':')
}

/// The name of a label, which is like that of a metric but has no colons.
fn label_name(name: &str) -> String {
    sanitize(name, |_| false)
}

fn sanitize(name: &str, is_extra: fn(char) -> bool) -> String {
    let mut sanitized = String::with_capacity(name.len());
    for c in name.chars() {
        let is_letter = c.is_ascii_alphabetic() || c == '_' || is_extra(c);
        if sanitized.is_empty() && c.is_ascii_digit() {
            sanitized.push('_');
        }
        sanitized.push(if is_letter || c.is_ascii_digit() { c } else { '_' });
    }
    if sanitized.is_empty() {
        sanitized.push('_');
    }
    sanitized
}

/// The labels of a key in the order of their names, which are all different. A name that is `reserved`, or that begins
/// with two underscores as only the names of Prometheus itself do, gets the prefix `exported_`. A label whose value is
/// empty is left out, because Prometheus makes no difference between such a label and none.
pub(crate) fn labels(key: &Key, reserved: Option<&str>) -> Vec<(String, String)> {
    let mut raw: Vec<_> = key.labels().filter(|label| !label.value().is_empty()).collect();
    // The order in which names are chosen must not depend on the order in which the labels were given.
    raw.sort_by_key(|label| (label.key(), label.value()));
    let mut labels: Vec<(String, String)> = Vec::with_capacity(raw.len());
    for label in raw {
        let mut name = label_name(label.key());
        if name.starts_with("__") || reserved == Some(name.as_str()) {
            name.insert_str(0, "exported_");
        }
        // An underscore would not do: the name may be one already, and two at the start are reserved.
        while labels.iter().any(|(other, _)| *other == name) {
            name.push('2');
        }
        labels.push((name, label.value().to_owned()));
    }
    labels.sort();
    labels
}

/// Labels in the form of both text formats, without braces.
pub(crate) fn label_text(labels: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(&mut text, value, true);
        text.push('"');
    }
    text
}

/// Writes the value of a label or a help text. Backslashes and line feeds are escaped, and quotes if `quotes` is true.
pub(crate) fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Label;

    fn labels_of(pairs: &[(&'static str, &'static str)]) -> String {
        let labels: Vec<_> = pairs.iter().map(|&(name, value)| Label::new(name, value)).collect();
        label_text(&labels_in(&Key::from_parts("x", labels)))
    }

    fn labels_in(key: &Key) -> Vec<(String, String)> {
        labels(key, Some("le"))
    }

    #[test]
    fn characters_that_are_not_allowed_become_underscores() {
        let names = ["http.requests", "a:b", "9lives", "", "größe", "ok_1"].map(metric_name);
        assert_eq!(names, ["http_requests", "a:b", "_9lives", "_", "gr__e", "ok_1"]);
        assert_eq!(label_name("a:b"), "a_b");
    }

    #[test]
    fn labels_are_sorted_by_name_whatever_their_order() {
        assert_eq!(labels_of(&[("b", "1"), ("a", "2")]), r#"a="2",b="1""#);
        assert_eq!(labels_of(&[("a.x", "1"), ("a_x", "2")]), r#"a_x="1",a_x2="2""#);
        assert_eq!(labels_of(&[("a_x", "2"), ("a.x", "1")]), r#"a_x="1",a_x2="2""#);
    }

    #[test]
    fn labels_whose_names_become_one_are_numbered() {
        assert_eq!(labels_of(&[("", "1"), ("-", "2")]), r#"_="1",_2="2""#);
    }

    #[test]
    fn names_that_prometheus_gives_itself_get_a_prefix() {
        assert_eq!(
            labels_of(&[("__name__", "x"), ("le", "1"), ("exported_le", "2")]),
            r#"exported___name__="x",exported_le="2",exported_le2="1""#
        );
    }

    #[test]
    fn a_label_without_a_value_is_no_label() {
        assert_eq!(labels_of(&[("a", ""), ("b", "1")]), r#"b="1""#);
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(labels_of(&[("a", "\"\\\n\u{e9}\r")]), "a=\"\\\"\\\\\\n\u{e9}\r\"");
    }
}
