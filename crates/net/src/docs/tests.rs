//! The arithmetic of the pages, computed again.

const NATS: &str = include_str!("nats.rs");

/// A number of bytes as the page writes it: with two digits or more.
fn bytes(number: f64) -> String {
    let (number, unit) = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")]
        .into_iter()
        .find_map(|(of, unit)| (number >= of).then_some((number / of, unit)))
        .expect("a thousand bytes or more");
    if number < 9.95 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") }
}

/// The cells of the rows of a table that begins with this header.
fn table(header: &str) -> Vec<Vec<String>> {
    let rows = NATS.lines().skip_while(|line| !line.starts_with(&format!("//! | {header} |"))).skip(2);
    let rows = rows.take_while(|line| line.starts_with("//! |"));
    rows.map(|row| row.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Whether a cell says this many bytes, with as many digits as it has.
fn says(cell: &str, number: f64) -> bool {
    let (found, unit) = cell.trim_end_matches("/s").split_once(' ').unwrap();
    let of = match unit {
        "TB" => 1e12,
        "GB" => 1e9,
        "MB" => 1e6,
        "KB" => 1e3,
        _ => panic!("{cell}"),
    };
    (found.parse::<f64>().unwrap() * of / number - 1.0).abs() < 0.03
}

const WORDS: f64 = 1_000.0;

#[test]
fn the_costs_of_a_cluster_are_those_of_the_formulas() {
    let announced = 10.0 * (80.0 + 16.0 * 100.0) + 400.0;
    let put = 80.0 + 16.0 * WORDS;
    let rows = table("nodes");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let nodes: f64 = row[0].replace(',', "").parse().unwrap();
        let received = (nodes - 1.0) * (announced + 300.0);
        let expected = [
            (nodes - 1.0) * announced,
            announced + put,
            received,
            nodes * received,
            nodes * WORDS * 8.7,
            nodes * (230.0 + 16.0 * WORDS),
        ];
        for (cell, expected) in row[1..].iter().zip(expected) {
            assert!(says(cell, expected), "{nodes} nodes: {cell} is {}", bytes(expected));
        }
    }
}

#[test]
fn the_costs_of_a_tree_are_those_of_the_formulas() {
    let rows = table("level");
    let numbers: Vec<[f64; 2]> = rows
        .iter()
        .map(|row| [&row[1], &row[2]].map(|cell| cell.replace(',', "").parse().unwrap()))
        .collect();
    // Each cluster is one node of the level above.
    assert_eq!(numbers[0][0] * numbers[0][1], 100_000.0);
    for (level, [clusters, nodes]) in numbers.iter().enumerate() {
        if let Some([above, of_each]) = numbers.get(level + 1) {
            assert_eq!(*clusters, above * of_each);
        }
        let (announced, memory) = if level == 0 {
            (10.0 * (80.0 + 16.0 * 100.0) + 400.0, nodes * WORDS * 8.7)
        } else {
            (80.0 + 44.0 * WORDS + 400.0, nodes * WORDS * 150.0)
        };
        let received = (nodes - 1.0) * (announced + 300.0);
        for (cell, expected) in rows[level][3..].iter().zip([received, memory, nodes * received]) {
            assert!(says(cell, expected), "level {level}: {cell} is {}", bytes(expected));
        }
    }
}
