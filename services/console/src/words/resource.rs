//! Names of resources, long for forms and short for tables.

pub(crate) use fallow_api::render::units;
use fallow_api::v1::{LevelScheme, Resource, ResourceKind};
use fallow_domain::codes;
use fallow_domain::resource::{ResourceKind as Kind, Specialty};

/// The kinds in the order in which forms offer them, with their names.
pub(crate) const KINDS: [(ResourceKind, &str); 6] = [
    (ResourceKind::Bed, "Beds"),
    (ResourceKind::Theatre, "Theatres"),
    (ResourceKind::Diagnostic, "Diagnostics"),
    (ResourceKind::Staff, "Staff"),
    (ResourceKind::Equipment, "Equipment"),
    (ResourceKind::VirtualWard, "Virtual wards"),
];

/// Returns the short name of a resource, as wide as a table column: `G&A adult`, `Level 3`, `CT`.
pub(crate) fn short(resource: &Resource) -> String {
    match (resource.code.as_str(), resource.level) {
        ("GA_ADULT", _) => "G&A adult".to_owned(),
        ("GA_PAEDIATRIC", _) => "G&A children".to_owned(),
        ("CC_ADULT", level) => format!("Level {level}"),
        ("PICU", _) => "PICU".to_owned(),
        ("NEONATAL", 1) => "Neonatal special care".to_owned(),
        ("NEONATAL", 2) => "Neonatal high dependency".to_owned(),
        ("NEONATAL", 3) => "Neonatal intensive care".to_owned(),
        ("STEP_DOWN", _) => "Step-down".to_owned(),
        ("MRI" | "CT", _) => resource.code.clone(),
        ("NON_OBSTETRIC_ULTRASOUND", _) => "Ultrasound".to_owned(),
        ("ECHOCARDIOGRAPHY", _) => "Echo".to_owned(),
        (code, _) if resource.kind() == ResourceKind::VirtualWard => {
            format!("{}, virtual ward", name_of_code(resource.kind(), code))
        }
        _ => name_of_code(resource.kind(), &resource.code),
    }
}

/// Returns the short name with its specialties, as a table row needs it: `Main theatre, Trauma and Orthopaedic`.
pub(crate) fn with_specialties(resource: &Resource) -> String {
    let names: Vec<String> = resource.specialties.iter().map(|code| specialty(code)).collect();
    match names.as_slice() {
        [] => short(resource),
        [one] => format!("{}, {one}", short(resource)),
        [first, rest @ ..] => format!("{}, {first} and {} more", short(resource), rest.len()),
    }
}

/// Returns the long name of a code of a kind, its words when the lists do not know it.
pub(crate) fn name_of_code(kind: ResourceKind, code: &str) -> String {
    let known = kind_of(kind).and_then(|kind| codes::name_of(kind, code));
    known.map_or_else(|| in_words(code), ToOwned::to_owned)
}

/// Returns what is needed, in one phrase: `1 × Level 3`, `240 min of Main theatre`.
pub(crate) fn phrase(resource: &Resource, units: i64) -> String {
    format!("{units} \u{d7} {}", with_specialties(resource))
}

/// A choice in a form: a resource key such as `BED/CC_ADULT/3` and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The value that the form sends.
    pub(crate) key: String,
    /// What people read.
    pub(crate) name: String,
}

/// Choices of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChoiceGroup {
    /// The kind, in words.
    pub(crate) name: &'static str,
    /// What there is of it.
    pub(crate) choices: Vec<Choice>,
}

/// Returns every resource that can be offered or needed: the national codes, and the region's own.
pub(crate) fn choices(regional: &[Resource]) -> Vec<ChoiceGroup> {
    let of_kind = |(kind, name): &(ResourceKind, &'static str)| {
        let mut all: Vec<Resource> = kind_of(*kind)
            .into_iter()
            .flat_map(codes::codes_of)
            .flat_map(|code| levels(*kind, code).into_iter().map(|level| resource(*kind, code, level)))
            .collect();
        all.extend(regional.iter().filter(|own| own.kind() == *kind).cloned());
        let named = all.iter().map(|one| Choice { key: key(one), name: long(one) });
        ChoiceGroup { name, choices: named.collect() }
    };
    KINDS.iter().map(of_kind).filter(|group| !group.choices.is_empty()).collect()
}

/// Returns the key of a resource, `KIND/CODE` or `KIND/CODE/LEVEL`.
pub(crate) fn key(resource: &Resource) -> String {
    let kind = resource.kind().as_str_name().trim_start_matches("RESOURCE_KIND_").to_owned();
    match resource.level {
        0 => format!("{kind}/{}", resource.code),
        level => format!("{kind}/{}/{level}", resource.code),
    }
}

/// Reads a key; `None` when it has not the shape of one. Whether the code exists is for the service to say.
pub(crate) fn from_key(text: &str) -> Option<Resource> {
    let mut parts = text.split('/');
    let (kind, code, level) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() || code.is_empty() {
        return None;
    }
    let kind = ResourceKind::from_str_name(&format!("RESOURCE_KIND_{kind}"))?;
    let level = match level {
        Some(level) => level.parse().ok()?,
        None => 0,
    };
    Some(resource(kind, code, level))
}

/// Returns the name of a specialty by its code: `Trauma and Orthopaedic`.
pub(crate) fn specialty(code: &str) -> String {
    let known = code.parse::<Specialty>().ok().and_then(codes::specialty_name);
    known.unwrap_or(code).to_owned()
}

/// The long name of a resource with its level.
fn long(resource: &Resource) -> String {
    match (resource.code.as_str(), resource.level) {
        ("CC_ADULT", level) => format!("Adult critical care, level {level}"),
        ("NEONATAL", _) => short(resource),
        _ => name_of_code(resource.kind(), &resource.code),
    }
}

/// The levels that a code comes in; 0 alone where it has none.
fn levels(kind: ResourceKind, code: &str) -> Vec<i32> {
    match kind_of(kind) {
        Some(of) if codes::has_levels(of, code) => {
            if code == "CC_ADULT" {
                vec![2, 3]
            } else {
                vec![1, 2, 3]
            }
        }
        Some(_) | None => vec![0],
    }
}

fn resource(kind: ResourceKind, code: &str, level: i32) -> Resource {
    let scheme = if code == "CC_ADULT" { LevelScheme::DataDictionary } else { LevelScheme::Unspecified };
    Resource {
        kind: kind.into(),
        code: code.to_owned(),
        specialties: Vec::new(),
        level,
        level_scheme: scheme.into(),
    }
}

fn kind_of(kind: ResourceKind) -> Option<Kind> {
    match kind {
        ResourceKind::Unspecified => None,
        ResourceKind::Bed => Some(Kind::Bed),
        ResourceKind::Theatre => Some(Kind::Theatre),
        ResourceKind::Diagnostic => Some(Kind::Diagnostic),
        ResourceKind::Staff => Some(Kind::Staff),
        ResourceKind::Equipment => Some(Kind::Equipment),
        ResourceKind::VirtualWard => Some(Kind::VirtualWard),
    }
}

/// Turns `CRITICAL_CARE_NURSE` into `Critical care nurse`; short codes such as `ODP` stay as they are.
pub(crate) fn in_words(code: &str) -> String {
    if code.len() <= 4 {
        return code.to_owned();
    }
    let text = codes::words(code);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, expected: &str) {
        assert_eq!(short(&from_key(key).unwrap()), expected, "{key}");
    }

    #[test]
    fn short_names_fit_a_column() {
        check("BED/GA_ADULT", "G&A adult");
        check("BED/CC_ADULT/3", "Level 3");
        check("DIAGNOSTIC/CT", "CT");
        check("DIAGNOSTIC/COLONOSCOPY", "Colonoscopy");
        check("STAFF/CRITICAL_CARE_NURSE", "Critical care nurse");
        check("STAFF/ODP", "ODP");
        check("THEATRE/MAIN", "Main theatre");
        check("EQUIPMENT/CPAP_DEVICE", "CPAP device");
        check("VIRTUAL_WARD/FRAILTY", "Frailty, virtual ward");
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in ["BED/CC_ADULT/3", "DIAGNOSTIC/MRI", "STAFF/ODP", "VIRTUAL_WARD/FRAILTY"] {
            assert_eq!(key(&from_key(text).unwrap()), text);
        }
        for bad in ["", "BED", "BED/", "SOFA/X", "BED/CC_ADULT/x", "BED/CC_ADULT/3/1"] {
            assert_eq!(from_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn specialties_are_named_and_many_are_counted() {
        let mut theatre = from_key("THEATRE/MAIN").unwrap();
        theatre.specialties = vec!["110".to_owned()];
        assert_eq!(with_specialties(&theatre), "Main theatre, Trauma and Orthopaedic");
        theatre.specialties.extend(["100".to_owned(), "120".to_owned()]);
        assert_eq!(with_specialties(&theatre), "Main theatre, Trauma and Orthopaedic and 2 more");
        assert_eq!(specialty("000"), "000");
    }

    #[test]
    fn forms_offer_levels_and_the_regions_own_codes() {
        let own = from_key("STAFF/ODP").unwrap();
        let groups = choices(std::slice::from_ref(&own));
        let keys: Vec<_> = groups.iter().flat_map(|g| &g.choices).map(|c| c.key.as_str()).collect();
        for key in ["BED/CC_ADULT/2", "BED/CC_ADULT/3", "BED/NEONATAL/1", "THEATRE/MAIN", "STAFF/ODP"] {
            assert!(keys.contains(&key), "{key}");
        }
        assert!(!keys.contains(&"BED/CC_ADULT"));
        assert!(groups.iter().all(|group| group.name != "Equipment"), "empty groups are left out");
    }
}
