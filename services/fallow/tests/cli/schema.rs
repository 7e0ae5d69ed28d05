//! The schemas: they are those of the JSON that is written.

use serde_json::Value;

use crate::records::{lc_118, level_2, moving, suggestion};
use crate::world::World;

/// Says where a value is not what a schema says; written for what these schemas use, and nothing is passed over.
fn differs(value: &Value, shape: &Value, schema: &Value, at: &str) -> Option<String> {
    if let Some(reference) = shape.get("$ref").and_then(Value::as_str) {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        return differs(value, schema["$defs"].get(name).unwrap(), schema, at);
    }
    let is = match shape["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => {
            let items = value.as_array()?.iter().enumerate();
            return items
                .filter_map(|(place, item)| differs(item, &shape["items"], schema, &format!("{at}[{place}]")))
                .next();
        }
        "object" => {
            let fields = value.as_object()?;
            let known = shape["properties"].as_object()?;
            return fields.iter().find_map(|(name, held)| match known.get(name) {
                None => Some(format!("{at}.{name} is not in the schema")),
                Some(shape) => differs(held, shape, schema, &format!("{at}.{name}")),
            });
        }
        other => panic!("{other} is no type that these schemas use"),
    };
    if !is {
        return Some(format!("{at} is {value}, which is no {}", shape["type"]));
    }
    let codes = shape.get("enum").and_then(Value::as_array)?;
    (!codes.contains(value)).then(|| format!("{at} is {value}, which is no code of {codes:?}"))
}

#[tokio::test]
async fn what_is_written_is_what_the_schema_says() {
    let world = World::new().await;
    for (name, written) in [
        ("offer", serde_json::to_value(level_2()).unwrap()),
        ("Need", serde_json::to_value(lc_118()).unwrap()),
        ("PROPOSAL", serde_json::to_value(suggestion()).unwrap()),
        ("Transfer", serde_json::to_value(moving()).unwrap()),
    ] {
        let told = world.run(&format!("schema {name}")).await;
        assert_eq!((told.exit, told.err.as_str()), (0, ""), "{name}");
        let schema: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(differs(&written, &schema, &schema, name), None, "{written:#}");
        let wrong = serde_json::json!({ "revision": "41" });
        assert!(differs(&wrong, &schema, &schema, name).is_some(), "the test itself can fail");
    }
}

#[tokio::test]
async fn schemas_are_listed_shown_and_guessed() {
    let world = World::new().await;
    let all = world.run("schema").await;
    for name in ["Offer", "Situation.Cell", "PublishOfferRequest", "Sitrep"] {
        assert!(all.out.lines().any(|line| line == name), "{name} is missing");
    }
    // Every one can be shown: each refers to nothing that it does not hold.
    for name in all.out.lines() {
        let told = world.run(&format!("schema {name}")).await;
        let schema: Value = serde_json::from_str(&told.out).unwrap();
        let defs = schema["$defs"].as_object().unwrap();
        for reference in told.out.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(defs.contains_key(reference), "{name}: {reference}");
        }
    }
    insta::assert_snapshot!(world.transcript(&["schema window", "schema ofer"]).await);
}
