//! NHS.UK frontend's own fixtures are the test of our component macros: what it renders from options, ours render too.
//!
//! The fixtures come with its npm package, which `npm ci` in tests/browser fetches; `cargo xtask test` does so, and says
//! where they are by `FALLOW_NHSUK_FRONTEND`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use askama::Template;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

/// Names the folder of the package, which must then be there.
const FOLDER: &str = "FALLOW_NHSUK_FRONTEND";
/// Where the browser tests have it.
const FETCHED: &str = "../../tests/browser/node_modules/nhsuk-frontend";

/// Options that our macros do not have, of one component each, and why. A fixture that uses one is not compared.
const LEFT: &[(&str, &str, &str)] = &[
    ("tag", "html", "what a macro shows is text, which it escapes"),
    ("tag", "callBlock", "what a macro shows is text, which it escapes"),
    ("tag", "classes", "a tag's colour says all of it"),
    ("tag", "border", "every tag has its border, so that it prints"),
    ("tag", "colour=false", "a tag without a colour has the plain one"),
    ("hint", "html", "hints are plain text"),
    ("hint", "callBlock", "hints are plain text"),
    ("error-message", "html", "what a service says is text"),
    ("error-message", "callBlock", "what a service says is text"),
    ("error-message", "visuallyHiddenText", "the console speaks English"),
    ("label", "html", "labels are plain text"),
    ("label", "callBlock", "labels are plain text"),
    ("label", "id", "nothing refers to a label"),
    ("label", "caption", "a page's caption is in its heading"),
    ("error-summary", "heading.html", "headings are plain text"),
    ("error-summary", "description.html", "what a service says is text"),
    ("error-summary", "callBlock", "what a service says is text"),
    ("error-summary", "disableAutoFocus", "a summary always takes the focus"),
    ("error-summary", "errorList[]=false", "a list of Rust has no empty items"),
    ("input", "classes", "a control is as wide as its column or as `chars` says"),
    ("input", "prefix", "no unit stands in a control"),
    ("input", "suffix", "no unit stands in a control"),
    ("input", "formGroup.afterInput.html", "nothing stands behind a control"),
    ("input", "errorMessage=true", "an error without words helps nobody"),
    ("input", "label.id", "nothing refers to a label"),
    ("input", "hint.html", "hints are plain text"),
    ("select", "disabled", "what cannot be chosen is not shown"),
    ("select", "items[].disabled", "what cannot be chosen is not shown"),
    ("select", "items[].divider", "choices are parted by groups"),
    ("select", "errorMessage=true", "an error without words helps nobody"),
    ("select", "formGroup.afterInput.html", "nothing stands behind a control"),
    ("select", "label.id", "nothing refers to a label"),
    ("summary-list", "rows[].value.html", "values are plain text"),
    ("summary-list", "rows[].actions.items[].href", "actions are forms beside the list"),
    ("summary-list", "rows[].key.width", "every row looks the same"),
    ("summary-list", "rows[].border", "every row looks the same"),
    ("summary-list", "border", "every row looks the same"),
    ("summary-list", "lastRowBorder", "every row looks the same"),
    ("summary-list", "card", "a card has a heading, actions and folds of its own"),
];

/// Components of which we have no macro, and why.
const NONE: &[(&str, &str)] = &[
    ("action-link", "links stand in sentences and tables"),
    ("back-link", "one link above the heading"),
    ("breadcrumb", "no page lies deeper than two"),
    ("button", "rows are 32 pixels high; its shadow and its margins need 60"),
    ("caption", "headings stand alone"),
    ("card", "twelve proposals on a screen need cards of two lines"),
    ("character-count", "notes are short, and the browser ends them"),
    ("checkboxes", "boxes stand in a line, between other controls"),
    ("code", "no page shows code"),
    ("contents-list", "no page is that long"),
    ("date-input", "the browser's own control picks dates and times in one"),
    ("details", "folds lie in rows of tables and cards, where its box has no room"),
    ("do-dont-list", "no page gives such advice"),
    ("fieldset", "its legend would be a heading; ours are labels of a line"),
    ("file-upload", "one page, and the browser's own control without scripts"),
    ("footer", "one sentence that is no footer of nhs.uk"),
    ("header", "the header of nhs.uk carries its logo"),
    ("heading", "plain headings"),
    ("hero", "no page advertises"),
    ("images", "no page has photographs"),
    ("inset-text", "empty states are framed, since they say what to do"),
    ("legend", "legends are labels of a line"),
    ("notification-banner", "what happened is said in one line that leaves room for twelve proposals"),
    ("pagination", "lists are whole"),
    ("panel", "the interruption has a form in it"),
    ("password-input", "nobody types a password here"),
    ("radios", "radios stand in a line, between other controls"),
    ("scroll", "tables are their own regions"),
    ("search-input", "one box in the bar of every page"),
    ("tables", "rows are 32 pixels high, and become cards on a telephone"),
    ("tabs", "views are links, so that they work without scripts"),
    ("task-list", "each task is a form with its own button"),
    ("textarea", "two in all, as wide as their page"),
    ("warning-callout", "incident mode is one line on top of every page"),
];

/// Attributes that only their scripts, or only ours, make something of.
const OF_SCRIPTS: [&str; 3] = ["data-module", "data-focus", "tabindex"];

macro_rules! shown {
    ($name:ident { $($field:ident: $kind:ty),* }, $source:literal) => {
        #[derive(Template)]
        #[template(source = $source, ext = "html")]
        struct $name<'a> { $($field: $kind),* }
    };
}

shown!(Tag { colour: &'a str, text: &'a str },
    "{% import \"components.html\" as ui %}{% call ui::tag(colour) %}{{ text }}{% endcall %}");
shown!(Hint { id: &'a str, text: &'a str },
    "{% import \"components.html\" as ui %}{% call ui::hint(id) %}{{ text }}{% endcall %}");
shown!(Wrong { text: Option<&'a str> },
    "{% import \"components.html\" as ui %}{% call ui::wrong(\"\", text) %}{% endcall %}");
shown!(Label { text: &'a str },
    "{% import \"components.html\" as ui %}{% call ui::label(\"\", text) %}{% endcall %}");
shown!(Skip { href: &'a str, text: &'a str },
    "{% import \"components.html\" as ui %}{% call ui::skip(href, text) %}{% endcall %}");
shown!(Errors { heading: &'a str, first: &'a str, lines: Vec<(&'a str, &'a str)> },
    "{% import \"components.html\" as ui %}{% call ui::errors(heading, lines) %}\
     {% if !first.is_empty() %}<p>{{ first }}</p>{% endif %}{% endcall %}");
shown!(Input { id: &'a str, label: &'a str, error: Option<&'a str>, value: &'a str, kind: &'a str, help: &'a str,
        chars: &'a str, code: bool, more: &'a str },
    "{% import \"components.html\" as ui %}{% call ui::input(id, label, error, value, kind=kind, help=help, \
     chars=chars, code=code, more=more) %}{% endcall %}");
shown!(Select { id: &'a str, label: &'a str, error: Option<&'a str>, help: &'a str, value: &'a str,
        items: Vec<(&'a str, &'a str)> },
    "{% import \"components.html\" as ui %}{% call ui::select(id, label, error, help=help) %}{% for (key, text) in \
     items %}<option value=\"{{ key }}\"{% if *key == value %} selected{% endif %}>{{ text }}</option>{% endfor %}\
     {% endcall %}");
shown!(Rows { rows: Vec<(&'a str, &'a str)> },
    "{% import \"components.html\" as ui %}{% call ui::rows() %}{% for (key, value) in rows %}\
     {% call ui::row(key, value) %}{% endcall %}{% endfor %}{% endcall %}");

/// Reads a text that their options give as `{"text": ...}`, as `{"heading": ...}` or as it is; empty where there is none.
fn text(option: &Value) -> &str {
    match option {
        Value::String(text) => text,
        Value::Object(options) => {
            ["text", "heading"].iter().find_map(|key| options.get(*key)).map_or("", text)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => "",
    }
}

fn list(option: &Value) -> impl Iterator<Item = &Value> {
    option.as_array().into_iter().flatten()
}

/// Renders our macro of a component with what a fixture gives; `None` of a component without one.
fn ours(component: &str, with: &Value) -> Option<String> {
    let id = if with["id"].is_null() { text(&with["name"]) } else { text(&with["id"]) };
    let error = Some(text(&with["errorMessage"])).filter(|text| !text.is_empty());
    let rendered = match component {
        "tag" => Tag { colour: text(&with["colour"]), text: text(with) }.render(),
        "hint" => Hint { id: text(&with["id"]), text: text(with) }.render(),
        "error-message" => Wrong { text: Some(text(with)) }.render(),
        "label" => Label { text: text(with) }.render(),
        "skip-link" => Skip { href: text(&with["href"]), text: text(with) }.render(),
        "error-summary" => {
            let lines =
                list(&with["errorList"]).map(|one| (text(&one["href"]).trim_start_matches('#'), text(one)));
            let (heading, first) = (text(&with["heading"]), text(&with["description"]));
            Errors { heading, first, lines: lines.collect() }.render()
        }
        "input" => {
            let chars = with["width"].as_u64().map(|width| width.to_string()).unwrap_or_default();
            let mut more = String::new();
            for name in ["inputmode", "autocomplete", "spellcheck", "disabled"] {
                match &with[name] {
                    Value::String(value) => more.push_str(&format!(" {name}=\"{value}\"")),
                    Value::Bool(true) => more.push_str(&format!(" {name}")),
                    Value::Bool(false) => more.push_str(&format!(" {name}=\"false\"")),
                    Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {}
                }
            }
            let kind = with["type"].as_str().unwrap_or("text");
            let (label, value, help) = (text(&with["label"]), text(&with["value"]), text(&with["hint"]));
            let code = with["code"] == Value::Bool(true);
            Input { id, label, error, value, kind, help, chars: &chars, code, more: &more }.render()
        }
        "select" => {
            let items = list(&with["items"]).map(|one| (text(&one["value"]), text(one))).collect();
            let (label, value, help) = (text(&with["label"]), text(&with["value"]), text(&with["hint"]));
            Select { id, label, error, help, value, items }.render()
        }
        "summary-list" => {
            Rows { rows: list(&with["rows"]).map(|one| (text(&one["key"]), text(&one["value"]))).collect() }
                .render()
        }
        _ => return None,
    };
    Some(rendered.expect("it renders"))
}

/// Collects the paths of the options that a fixture gives, such as `items[].divider`, and of those that say yes or no also
/// what they say, as `colour=false`.
fn used(at: &str, option: &Value, paths: &mut BTreeSet<String>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    paths.insert(at.to_owned());
    match option {
        Value::Object(options) => options.iter().for_each(|(key, option)| used(&below(key), option, paths)),
        Value::Array(items) if items.is_empty() => {
            paths.insert(format!("{at}=[]"));
        }
        Value::Array(items) => items.iter().for_each(|one| used(&format!("{at}[]"), one, paths)),
        Value::Bool(says) => {
            paths.insert(format!("{at}={says}"));
        }
        Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads HTML into its tags, with attributes and classes in order of name, and the words between them. What differs by
/// intent is left out: what only scripts use; headings around labels, for our pages have headings of their own; and that
/// a control may be named otherwise than it is identified.
fn tokens(html: &str) -> Vec<String> {
    let mut reader = Reader::from_str(html);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let (mut tokens, mut words, mut open) = (Vec::new(), String::new(), Vec::new());
    let end_words = |words: &mut String, tokens: &mut Vec<String>| {
        let plain = words.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        words.clear();
        if !plain.is_empty() {
            tokens.push(plain);
        }
    };
    loop {
        match reader.read_event().expect("HTML that can be read") {
            Event::Text(more) => words.push_str(&more.html_content()),
            Event::GeneralRef(name) => {
                let found = name.resolve_char_ref().expect("a character");
                let name = name.html_content();
                let named = || quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned);
                words.push_str(&found.map(String::from).or_else(named).expect("a known entity"));
            }
            Event::Start(tag) | Event::Empty(tag) => {
                end_words(&mut words, &mut tokens);
                let (name, written) = written(&tag);
                let is_wrapper = written.contains("nhsuk-label-wrapper");
                if !["input", "br", "hr"].contains(&name.as_str()) {
                    open.push(is_wrapper);
                }
                if !is_wrapper {
                    tokens.push(written);
                }
            }
            Event::End(tag) => {
                end_words(&mut words, &mut tokens);
                if open.pop() != Some(true) {
                    tokens.push(format!("</{}>", tag.name().as_ref()));
                }
            }
            Event::Eof => break,
            other @ (Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)) => panic!("{other:?} in {html}"),
        }
    }
    end_words(&mut words, &mut tokens);
    tokens
}

/// Writes a tag with its attributes in order of name.
fn written(tag: &BytesStart<'_>) -> (String, String) {
    let name = tag.name().as_ref().to_owned();
    let mut attributes = BTreeMap::new();
    for attribute in tag.html_attributes().with_checks(false) {
        let attribute = attribute.expect("an attribute");
        let key = attribute.key.as_ref().to_owned();
        let value = unescape(&attribute.value).expect("a value").into_owned();
        attributes.insert(key, value);
    }
    attributes.retain(|key, _| !OF_SCRIPTS.contains(&key.as_str()));
    if let Some(classes) = attributes.get_mut("class") {
        let mut each: Vec<&str> =
            classes.split_ascii_whitespace().filter(|class| !class.starts_with("nhsuk-label--")).collect();
        each.sort_unstable();
        *classes = each.join(" ");
    }
    if let (Some(id), true) = (attributes.get("id").cloned(), attributes.contains_key("name")) {
        attributes.insert("name".to_owned(), id);
    }
    let attributes: String = attributes.iter().map(|(key, value)| format!(" {key}=\"{value}\"")).collect();
    (name.clone(), format!("<{name}{attributes}>"))
}

/// Returns where the package is; `None`, having said so, where nobody has fetched it.
fn package() -> Option<PathBuf> {
    if let Some(named) = env::var_os(FOLDER) {
        return Some(named.into());
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(FETCHED);
    if !fetched.is_dir() {
        eprintln!("nothing is compared with NHS.UK frontend: npm ci in tests/browser brings its fixtures");
        return None;
    }
    Some(fetched)
}

#[test]
fn macros_render_what_nhs_uk_frontend_renders() {
    let Some(package) = package() else { return };
    let folder = package.join("dist/nhsuk/components");
    let mut components: BTreeSet<String> = BTreeSet::new();
    let (mut compared, mut idle) =
        (BTreeMap::new(), LEFT.iter().map(|left| (left.0, left.1)).collect::<BTreeSet<_>>());
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&folder).expect("the package has components") {
        let entry = entry.expect("a component");
        let name = entry.file_name().into_string().expect("a name");
        let Ok(file) = fs::read(entry.path().join("fixtures.json")) else { continue };
        let fixtures: Value = serde_json::from_slice(&file).expect("JSON");
        components.insert(name.clone());
        for fixture in list(&fixtures["fixtures"]) {
            let mut paths = BTreeSet::new();
            used("", &fixture["context"], &mut paths);
            if !fixture["callBlock"].is_null() {
                paths.insert("callBlock".to_owned());
            }
            let left: Vec<_> = LEFT.iter().filter(|left| left.0 == name && paths.contains(left.1)).collect();
            idle.retain(|one| !left.iter().any(|left| (left.0, left.1) == *one));
            let Some(ours) = ours(&name, &fixture["context"]).filter(|_| left.is_empty()) else { continue };
            *compared.entry(name.clone()).or_insert(0_usize) += 1;
            let (found, expected) = (tokens(&ours), tokens(text(&fixture["html"])));
            if found != expected {
                wrong.push(format!(
                    "{name}, {} {}:\n{found:#?}\nnot\n{expected:#?}",
                    fixture["name"], fixture["context"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(idle.is_empty(), "no fixture uses {idle:?}");
    let known: BTreeSet<String> =
        NONE.iter().map(|none| none.0.to_owned()).chain(compared.keys().cloned()).collect();
    let unknown: Vec<_> = components.symmetric_difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "say of {unknown:?} why we have no macro of it, or whether it is still there"
    );
    println!("compared: {compared:?}");
    assert!(compared.values().sum::<usize>() >= 60, "hardly anything was compared: {compared:?}");
}

#[test]
fn no_page_has_a_class_that_is_gone() {
    let gone = ["class=\"tag", "class=\"hint", "class=\"error-summary"];
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let (mut looked, mut wrong) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") {
                looked += 1;
                let text = fs::read_to_string(&path).unwrap();
                wrong.extend(gone.iter().filter(|one| text.contains(*one)).map(|one| (path.clone(), *one)));
            }
        }
    }
    assert!(looked >= 40, "{looked} templates");
    assert!(wrong.is_empty(), "use the macros of components.html: {wrong:#?}");
}
