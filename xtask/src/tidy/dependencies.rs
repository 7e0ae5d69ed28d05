//! Laws on who may depend on whom.

use super::tree::{Breach, Package, Tree};

/// The layer of each folder: a package may depend only on packages of a lower layer.
///
/// The longest matching folder counts.
const LAYERS: [(&str, u8); 17] = [
    ("crates/domain", 0),
    ("crates/identifiers", 0),
    ("crates/ledger", 1),
    ("crates/api", 1),
    ("crates/issuer", 1),
    ("crates/tabular", 2),
    ("crates/host", 2),
    ("crates/live", 2),
    ("crates/ledger-redis", 2),
    ("crates/archive", 2),
    ("services", 3),
    ("services/fallow", 4),
    ("crates/bench", 5),
    ("crates/faults", 5),
    ("tests", 5),
    ("xtask", 5),
    ("fuzz", 5),
];

/// Dependencies that put a message on the wire.
const WIRE: [&str; 3] = ["tonic", "prost", "protox"];

/// Finds packages in folders without a layer.
pub(crate) fn known_layers(tree: &Tree) -> Vec<Breach> {
    let lost = tree.packages.iter().filter(|package| layer(package).is_none());
    lost.map(|package| Breach::of(&package.name, format!("`{}` has no layer", package.folder))).collect()
}

/// Finds edges between our packages that do not go down, those between two services among them.
pub(crate) fn edges_go_down(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in &tree.packages {
        for target in package.dependencies.iter().filter_map(|edge| tree.package(&edge.name)) {
            if let (Some(from), Some(to)) = (layer(package), layer(target))
                && from <= to
                && package.name != target.name
            {
                let what = format!("layer {from} may not depend on `{}` of layer {to}", target.name);
                breaches.push(Breach::of(&package.name, what));
            }
        }
    }
    breaches
}

/// Finds packages other than the Redis ledger that depend on `redis`.
pub(crate) fn redis_in_one_place(tree: &Tree) -> Vec<Breach> {
    direct(tree, |name| name == "redis" || name.starts_with("redis-") || name == "fred")
        .filter(|(package, _)| package.folder != "crates/ledger-redis")
        .map(|(package, name)| Breach::of(&package.name, format!("may not depend on `{name}`")))
        .collect()
}

/// Finds ways from the domain or a ledger to a crate of the wire, also through others of our crates.
pub(crate) fn core_without_wire(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for core in ["crates/domain", "crates/ledger", "crates/ledger-redis", "crates/archive"] {
        for (package, way) in reached(tree, core) {
            let edges = package.dependencies.iter().filter(|edge| !edge.dev || way.is_empty());
            for edge in edges.filter(|edge| WIRE.iter().any(|wire| in_family(&edge.name, wire))) {
                breaches.push(Breach::of(core, format!("reaches {way}{}", edge.name)));
            }
        }
    }
    breaches
}

/// Finds packages other than the host that depend on OpenTelemetry; the story tests may, to read the spans.
pub(crate) fn telemetry_in_host(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in tree.packages.iter().filter(|package| package.folder != "crates/host") {
        for edge in &package.dependencies {
            let telemetry = edge.name.starts_with("opentelemetry") || edge.name == "tracing-opentelemetry";
            if telemetry && !(edge.dev && package.folder == "tests") {
                breaches.push(Breach::of(&package.name, format!("may not depend on `{}`", edge.name)));
            }
        }
    }
    breaches
}

/// Finds ways from the console or the bridge to a ledger: both are clients like any other.
pub(crate) fn thin_clients(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for client in ["services/console", "services/bridge"] {
        for (package, way) in reached(tree, client) {
            if matches!(package.folder.as_str(), "crates/ledger" | "crates/ledger-redis") {
                breaches.push(Breach::of(client, format!("reaches {}", way.trim_end_matches(" > "))));
            }
        }
    }
    breaches
}

/// Returns the layer of a package, if its folder has one.
fn layer(package: &Package) -> Option<u8> {
    let inside = |folder: &str| {
        package.folder.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let matching = LAYERS.iter().filter(|(folder, _)| inside(folder));
    matching.max_by_key(|(folder, _)| folder.len()).map(|(_, layer)| *layer)
}

/// Says whether `name` is `family` or one of its crates, as `tonic-health` is of `tonic`.
fn in_family(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Returns every direct dependency whose name passes.
fn direct<'tree>(
    tree: &'tree Tree,
    passes: impl Fn(&str) -> bool + Copy + 'tree,
) -> impl Iterator<Item = (&'tree Package, &'tree str)> {
    tree.packages.iter().flat_map(move |package| {
        let edges = package.dependencies.iter().filter(move |edge| passes(&edge.name));
        edges.map(move |edge| (package, edge.name.as_str()))
    })
}

/// Returns the package in `folder` and all of ours that it reaches, each with its shortest way as `a > b > `.
///
/// Dev-dependencies count for the package itself and not for those it reaches: nobody else builds them.
fn reached<'tree>(tree: &'tree Tree, folder: &str) -> Vec<(&'tree Package, String)> {
    let starts = tree.packages.iter().filter(|package| package.folder == folder);
    let mut found: Vec<(&Package, String)> = starts.map(|start| (start, String::new())).collect();
    let mut next = 0;
    while let Some((package, way)) = found.get(next).cloned() {
        for edge in package.dependencies.iter().filter(|edge| !edge.dev || way.is_empty()) {
            let known = found.iter().any(|(seen, _)| seen.name == edge.name);
            if let (false, Some(target)) = (known, tree.package(&edge.name)) {
                found.push((target, format!("{way}{} > ", target.name)));
            }
        }
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted::packages;
    use super::*;

    fn check(law: fn(&Tree) -> Vec<Breach>, tree: &[(&str, &str, &[&str])], breaches: &[(&str, &str)]) {
        let expected: Vec<_> = breaches.iter().map(|(place, what)| Breach::of(*place, *what)).collect();
        assert_eq!(law(&packages(tree)), expected);
    }

    #[test]
    fn a_folder_without_a_layer_is_found() {
        check(
            known_layers,
            &[("fallow-domain", "crates/domain", &[]), ("odd", "crates/odd", &[])],
            &[("odd", "`crates/odd` has no layer")],
        );
    }

    #[test]
    fn an_edge_upwards_is_found() {
        check(
            edges_go_down,
            &[
                ("fallow-domain", "crates/domain", &["fallow-ledger"]),
                ("fallow-ledger", "crates/ledger", &["serde"]),
            ],
            &[("fallow-domain", "layer 0 may not depend on `fallow-ledger` of layer 1")],
        );
    }

    #[test]
    fn an_edge_upwards_for_tests_is_found() {
        check(
            edges_go_down,
            &[("fallow-ledger", "crates/ledger", &["dev:fallow-host"]), ("fallow-host", "crates/host", &[])],
            &[("fallow-ledger", "layer 1 may not depend on `fallow-host` of layer 2")],
        );
    }

    #[test]
    fn one_service_importing_another_is_found_and_the_binary_may() {
        check(
            edges_go_down,
            &[
                ("fallow", "services/fallow", &["fallow-demand", "fallow-capacity"]),
                ("fallow-demand", "services/demand", &["fallow-capacity"]),
                ("fallow-capacity", "services/capacity", &[]),
            ],
            &[("fallow-demand", "layer 3 may not depend on `fallow-capacity` of layer 3")],
        );
    }

    #[test]
    fn redis_outside_its_crate_is_found() {
        check(
            redis_in_one_place,
            &[
                ("fallow-ledger-redis", "crates/ledger-redis", &["redis"]),
                ("fallow-tests", "tests", &["dev:redis"]),
                ("fallow-capacity", "services/capacity", &["redis"]),
            ],
            &[
                ("fallow-tests", "may not depend on `redis`"),
                ("fallow-capacity", "may not depend on `redis`"),
            ],
        );
    }

    #[test]
    fn the_wire_in_the_core_is_found_also_through_others() {
        check(
            core_without_wire,
            &[
                ("fallow-domain", "crates/domain", &["prost-types"]),
                ("fallow-ledger", "crates/ledger", &["fallow-domain"]),
                ("fallow-api", "crates/api", &["tonic", "fallow-domain"]),
            ],
            &[
                ("crates/domain", "reaches prost-types"),
                ("crates/ledger", "reaches fallow-domain > prost-types"),
            ],
        );
    }

    #[test]
    fn telemetry_outside_the_host_is_found() {
        check(
            telemetry_in_host,
            &[
                ("fallow-host", "crates/host", &["opentelemetry", "tracing-opentelemetry"]),
                ("fallow-tests", "tests", &["dev:opentelemetry_sdk"]),
                ("fallow-monitor", "services/monitor", &["opentelemetry_sdk", "tracing"]),
                ("fallow-demand", "services/demand", &["dev:tracing-opentelemetry"]),
            ],
            &[
                ("fallow-monitor", "may not depend on `opentelemetry_sdk`"),
                ("fallow-demand", "may not depend on `tracing-opentelemetry`"),
            ],
        );
    }

    #[test]
    fn a_console_that_reaches_a_ledger_through_another_is_found() {
        check(
            thin_clients,
            &[
                ("fallow-console", "services/console", &["fallow-host"]),
                ("fallow-host", "crates/host", &["fallow-ledger", "dev:fallow-ledger-redis"]),
                ("fallow-ledger", "crates/ledger", &[]),
                ("fallow-ledger-redis", "crates/ledger-redis", &[]),
            ],
            &[("services/console", "reaches fallow-host > fallow-ledger")],
        );
    }
}
