//! Resources as people type them: `level2`, `g&a`, `mri`, `theatre/main`, `bed/cc_adult/2`; in any case.

use fallow_api::json::Enumeration;
use fallow_api::v1::{Resource, ResourceKind};
use fallow_domain::codes;
use fallow_domain::resource::ResourceKind as Kind;

use super::codes::{nearest, unknown};

/// Short words for what is asked for most, with the key each stands for.
const SHORT: &[(&str, &str)] = &[
    ("g&a", "bed/ga_adult"),
    ("ga", "bed/ga_adult"),
    ("level2", "bed/cc_adult/2"),
    ("l2", "bed/cc_adult/2"),
    ("hdu", "bed/cc_adult/2"),
    ("level3", "bed/cc_adult/3"),
    ("l3", "bed/cc_adult/3"),
    ("itu", "bed/cc_adult/3"),
    ("icu", "bed/cc_adult/3"),
    ("paeds", "bed/ga_paediatric"),
    ("picu", "bed/picu"),
    ("scbu", "bed/neonatal/1"),
    ("nicu", "bed/neonatal/3"),
    ("stepdown", "bed/step_down"),
    ("theatre", "theatre/main"),
    ("daycase", "theatre/day_case"),
    ("endoscopy", "theatre/endoscopy"),
    ("cathlab", "theatre/cath_lab"),
    ("echo", "diagnostic/echocardiography"),
    ("ultrasound", "diagnostic/non_obstetric_ultrasound"),
    ("dexa", "diagnostic/dexa_scan"),
];

/// Reads a resource: a short word, a national code by itself, or `kind/code` with `/level` where the code has levels.
///
/// # Errors
/// Says what is wrong, with the nearest right word.
pub(crate) fn resource(text: &str) -> Result<Resource, String> {
    let typed = text.trim().to_lowercase();
    let squeezed = typed.replace([' ', '-'], "");
    let key = SHORT
        .iter()
        .find(|(short, _)| *short == squeezed)
        .map(|(_, key)| (*key).to_owned())
        .or_else(|| kind_of_code(&typed).map(|kind| format!("{kind}/{typed}")))
        .unwrap_or(typed);
    let mut parts = key.split('/');
    let (Some(kind), Some(code), level, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(not_a_resource(text));
    };
    let Some(kind) =
        Kind::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(&dashed(kind)))
    else {
        return Err(not_a_resource(text));
    };
    let code = dashed(code).to_uppercase();
    if code.is_empty() {
        return Err(not_a_resource(text));
    }
    if !codes::are_regional(kind) && codes::name_of(kind, &code).is_none() {
        return Err(unknown(&code, codes::codes_of(kind).into_iter()));
    }
    let level = level_of(kind, &code, level)?;
    let number = ResourceKind::number(kind.as_str()).unwrap_or_default();
    Ok(Resource { kind: number, code, level, ..Resource::default() })
}

fn level_of(kind: Kind, code: &str, level: Option<&str>) -> Result<i32, String> {
    let shape = format!("{}/{}", kind.as_str().to_lowercase(), code.to_lowercase());
    match (codes::has_levels(kind, code), level) {
        (true, Some("1")) => Ok(1),
        (true, Some("2")) => Ok(2),
        (true, Some("3")) => Ok(3),
        (true, Some(_) | None) => Err(format!("{shape} needs a level from 1 to 3, such as {shape}/2")),
        (false, None) => Ok(0),
        (false, Some(_)) => Err(format!("{shape} has no levels: leave the last part out")),
    }
}

fn dashed(text: &str) -> String {
    text.replace(['-', ' '], "_")
}

/// A code that only one kind has may stand alone: `mri`, `mh_206`.
fn kind_of_code(text: &str) -> Option<String> {
    let code = dashed(text).to_uppercase();
    let mut kinds = Kind::ALL.iter().copied().filter(|kind| codes::name_of(*kind, &code).is_some());
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) => Some(kind.as_str().to_lowercase()),
        (Some(_) | None, _) => None,
    }
}

fn not_a_resource(text: &str) -> String {
    let alone = Kind::ALL.iter().flat_map(|kind| codes::codes_of(*kind));
    let words: Vec<String> =
        SHORT.iter().map(|(short, _)| (*short).to_owned()).chain(alone.map(str::to_lowercase)).collect();
    let guess = nearest(text, words.iter().map(String::as_str)).map(|near| format!(" Did you mean {near}?"));
    format!(
        "\"{text}\" is not a resource.{} Try level2, level3, g&a, mri, ct, theatre or kind/code such as bed/cc_adult/2",
        guess.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use fallow_api::render::resource_key;

    use super::*;

    #[test]
    fn reads_words_codes_and_keys_in_any_case() {
        for (text, key) in [
            ("level2", "bed/cc_adult/2"),
            ("Level 3", "bed/cc_adult/3"),
            ("G&A", "bed/ga_adult"),
            ("mri", "diagnostic/mri"),
            ("CT", "diagnostic/ct"),
            ("MH_206", "bed/mh_206"),
            ("step-down", "bed/step_down"),
            ("flexi-sigmoidoscopy", "diagnostic/flexi_sigmoidoscopy"),
            ("bed/cc_adult/2", "bed/cc_adult/2"),
            ("BED/CC_ADULT/3", "bed/cc_adult/3"),
            ("theatre", "theatre/main"),
            ("Theatre/Day_Case", "theatre/day_case"),
            ("staff/odp", "staff/odp"),
            ("virtual_ward/respiratory", "virtual_ward/respiratory"),
            ("nicu", "bed/neonatal/3"),
        ] {
            assert_eq!(resource(text).map(|found| resource_key(&found)).as_deref(), Ok(key), "{text}");
        }
    }

    #[test]
    fn every_short_word_stands_for_a_resource() {
        for (short, key) in SHORT {
            assert_eq!(resource(short).map(|found| resource_key(&found)).as_deref(), Ok(*key));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, said) in [
            (
                "sofa",
                "\"sofa\" is not a resource. Try level2, level3, g&a, mri, ct, theatre or kind/code such as bed/cc_adult/2",
            ),
            (
                "leval2",
                "\"leval2\" is not a resource. Did you mean level2? Try level2, level3, g&a, mri, ct, theatre or kind/code \
                 such as bed/cc_adult/2",
            ),
            ("bed/cc_adult", "bed/cc_adult needs a level from 1 to 3, such as bed/cc_adult/2"),
            ("bed/cc_adult/4", "bed/cc_adult needs a level from 1 to 3, such as bed/cc_adult/2"),
            ("bed/ga_adult/2", "bed/ga_adult has no levels: leave the last part out"),
            (
                "theatre/mane",
                "unknown code \"MANE\". Did you mean MAIN? One of: CATH_LAB, DAY_CASE, ENDOSCOPY, MAIN",
            ),
        ] {
            assert_eq!(resource(text).unwrap_err(), said);
        }
        for bad in ["", "bed/", "bed/cc_adult/2/1", "/", "sofa/x"] {
            assert!(resource(bad).unwrap_err().contains("is not a resource"), "{bad}");
        }
    }
}
