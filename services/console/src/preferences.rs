//! What a person prefers at their screen: kept in a cookie of the browser, for it is about the screen and not secret.

use http::request::Parts;

use crate::app::cookie;

/// The cookie that keeps them.
pub(crate) const COOKIE_NAME: &str = "fallow_screen";

/// What one person prefers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// Twelve proposals on a screen: one line less for each, and nothing opened by itself.
    pub(crate) is_compact: bool,
    /// Single keys do things: j, k, a, d and /. Off unless wanted, for speech input types letters.
    pub(crate) has_keys: bool,
}

impl Preferences {
    /// Reads what a request's cookie says.
    pub(crate) fn of(parts: &Parts) -> Self {
        cookie(parts, COOKIE_NAME).map_or_else(Self::default, Self::read)
    }

    fn read(text: &str) -> Self {
        let has = |word: &str| text.split('.').any(|one| one == word);
        Self { is_compact: has("compact"), has_keys: has("keys") }
    }

    /// Writes the cookie's value.
    pub(crate) fn text(self) -> String {
        let words = [("compact", self.is_compact), ("keys", self.has_keys)];
        let on: Vec<&str> = words.into_iter().filter(|(_, on)| *on).map(|(word, _)| word).collect();
        on.join(".")
    }

    /// Returns the classes of the page's body.
    pub(crate) fn classes(self) -> &'static str {
        if self.is_compact { "compact" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        for is_compact in [false, true] {
            for has_keys in [false, true] {
                let one = Preferences { is_compact, has_keys };
                assert_eq!(Preferences::read(&one.text()), one);
            }
        }
        assert_eq!(Preferences::read("<script>.kompakt"), Preferences::default());
    }
}
