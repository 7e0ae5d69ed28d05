//! `cargo xtask sbom`: what the binary is made of, as a CycloneDX bill of materials.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::shell::{self, cargo};

/// The package whose binary is shipped.
const SHIPPED: &str = "fallow";

/// What the image runs on: packages of other platforms are not shipped.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Writes what the binary is made of.
#[derive(Args)]
pub(crate) struct Options {
    /// The file to write; by default target/fallow.cdx.json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What cargo knows of the packages.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Where it was taken from; absent for our own.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Absent for what is linked; `dev` and `build` are not shipped.
    kind: Option<String>,
}

/// A lock file, as far as checksums go.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<()> {
    let bom = bill()?;
    let out = options.out.clone().unwrap_or_else(|| shell::target().join("fallow.cdx.json"));
    let count = bom["components"].as_array().map_or(0, Vec::len);
    fs::write(&out, serde_json::to_string_pretty(&bom)?)
        .with_context(|| format!("writing {}", out.display()))?;
    println!("{}: {count} components", out.display());
    Ok(())
}

/// Returns the bill. The same tree gives the same bill, byte for byte.
fn bill() -> Result<Value> {
    let mut command = cargo();
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--filter-platform",
        PLATFORM,
    ]);
    let output = command.output().context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let lock: Lock = toml::from_str(&fs::read_to_string(shell::root().join("Cargo.lock"))?)?;
    let sums: BTreeMap<(&str, &str), &str> = lock
        .package
        .iter()
        .filter_map(|locked| {
            Some(((locked.name.as_str(), locked.version.as_str()), locked.checksum.as_deref()?))
        })
        .collect();
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let linked: BTreeMap<&str, Vec<&str>> = metadata.resolve.nodes.iter().map(linked_by).collect();
    let Some(root) = metadata.packages.iter().find(|package| package.name == SHIPPED) else {
        bail!("there is no package {SHIPPED}")
    };

    let (mut seen, mut next) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            next.extend(linked.get(id).into_iter().flatten());
        }
    }
    let shipped = || seen.iter().filter_map(|id| packages.get(id).copied());
    let mut components: Vec<(String, Value)> = shipped()
        .filter(|package| package.id != root.id)
        .map(|package| (url(package), component(package, &sums)))
        .collect();
    components.sort_by(|one, other| one.0.cmp(&other.0));
    let mut edges: Vec<(String, Value)> = shipped()
        .map(|package| {
            let on = linked.get(package.id.as_str()).into_iter().flatten().filter_map(|id| packages.get(id));
            let on: BTreeSet<String> = on.map(|package| url(package)).collect();
            (url(package), json!({ "ref": url(package), "dependsOn": on }))
        })
        .collect();
    edges.sort_by(|one, other| one.0.cmp(&other.0));
    let values = |pairs: Vec<(String, Value)>| pairs.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": url(root), "name": root.name, "version": root.version,
        } },
        "components": values(components),
        "dependencies": values(edges),
    }))
}

fn linked_by(node: &Node) -> (&str, Vec<&str>) {
    let linked = node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
    (node.id.as_str(), linked.map(|edge| edge.pkg.as_str()).collect())
}

/// Returns the name by which the world knows a package. Our own are nobody else's.
fn url(package: &Package) -> String {
    let Package { name, version, source, .. } = package;
    match source {
        Some(_) => format!("pkg:cargo/{name}@{version}"),
        None => format!("pkg:generic/{name}@{version}"),
    }
}

fn component(package: &Package, sums: &BTreeMap<(&str, &str), &str>) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": url(package), "purl": url(package),
        "name": package.name, "version": package.version,
    });
    if let Some(license) = &package.license {
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sum) = sums.get(&(package.name.as_str(), package.version.as_str())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_names_what_is_shipped_and_closes_in_itself() {
        let bom = bill().unwrap();
        let of = |list: &str, field: &str| -> BTreeSet<String> {
            let items = bom[list].as_array().unwrap().iter();
            items.map(|item| item[field].as_str().unwrap().to_owned()).collect()
        };
        let mut known = of("components", "bom-ref");
        assert!(known.len() > 200, "{}", known.len());
        assert_eq!(known.len(), bom["components"].as_array().unwrap().len(), "each once");
        known.insert(bom["metadata"]["component"]["bom-ref"].as_str().unwrap().to_owned());
        assert_eq!(of("dependencies", "ref"), known);
        for edge in bom["dependencies"].as_array().unwrap() {
            for on in edge["dependsOn"].as_array().unwrap() {
                assert!(known.contains(on.as_str().unwrap()), "{on}");
            }
        }
        let names = of("components", "name");
        assert!(names.contains("h2") && names.contains("fallow-domain"));
        assert!(
            !names.contains("proptest") && !names.contains("fallow-tests"),
            "nothing of the tests is shipped"
        );
        for component in bom["components"].as_array().unwrap() {
            let ours = component["purl"].as_str().unwrap().starts_with("pkg:generic/");
            assert!(ours || component["hashes"][0]["content"].as_str().unwrap().len() == 64, "{component}");
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
        }
        assert_eq!(bom, bill().unwrap());
    }
}
