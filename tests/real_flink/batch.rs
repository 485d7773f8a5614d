//! The quickstart: its table is what the data holds, computed here a second time.

use std::collections::BTreeMap;

use super::workspace::{Cluster, Ended};

/// The data as it was published, not the workspace's copy of it.
const WEATHER: &str = include_str!("../../data/seattle-weather.csv");

pub(crate) fn quickstart_shows_what_the_table_holds(cluster: &Cluster, first: &Ended) {
    assert!(
        first.err.contains(&format!("started cluster `laptop`: Flink 1.20.5, 4 slots, {}", cluster.url)),
        "{first}"
    );
    assert_eq!(table(&first.out), expected(2012), "{first}");

    let workspace = &cluster.workspace;
    let again = workspace.tidegate(&["quickstart"]).ok().says(&["reusing cluster `laptop`", "attempt 2"]);
    assert_eq!(again.out, first.out);

    let recent = workspace.tidegate(&["quickstart", "--env", "recent"]).ok();
    assert_eq!(table(&recent.out), expected(2015), "{recent}");
    assert_ne!(expected(2015), expected(2012));

    let of_2014 = workspace.tidegate(&["run", "quickstart", "-p", "first_year=2014"]).ok();
    assert_eq!(table(&of_2014.out), expected(2014), "{of_2014}");
    assert!(of_2014.out.starts_with("Seattle's weather since 2014\n"), "{of_2014}");
    assert_eq!(cluster.listed("quickstart").len(), 4);
}

/// The rows below the line of dashes: weather, then days, rain and warmest.
fn table(printed: &str) -> BTreeMap<String, (u64, String, String)> {
    let rows = printed.lines().skip_while(|line| !line.starts_with("---")).skip(1);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split_ascii_whitespace().collect();
        let [weather, days, rain, warmest] = cells[..] else { panic!("not a row: {line}") };
        (weather.to_owned(), (days.parse().unwrap(), rain.to_owned(), warmest.to_owned()))
    };
    rows.filter(|line| !line.is_empty()).map(row).collect()
}

fn expected(first_year: u32) -> BTreeMap<String, (u64, String, String)> {
    let mut sums: BTreeMap<String, (u64, f64, f64)> = BTreeMap::new();
    for line in WEATHER.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[0][..4].parse::<u32>().unwrap() < first_year {
            continue;
        }
        let (days, rain, warmest) = sums.entry(cells[5].to_owned()).or_insert((0, 0.0, f64::MIN));
        *days += 1;
        *rain += cells[1].parse::<f64>().unwrap();
        *warmest = warmest.max(cells[2].parse().unwrap());
    }
    let shown = |(weather, (days, rain, warmest))| (weather, (days, format!("{rain:.1}"), format!("{warmest:.1}")));
    sums.into_iter().map(shown).collect()
}
