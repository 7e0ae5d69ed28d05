//! Pages of lists: a token says where the next one starts, for whom, and of which list.
//!
//! Where all pages are to be of one revision, it says that one too: a time does not, for a change that was begun before it
//! may be committed after the first page was told.

use fallow_api::convert::request;
use fallow_api::reasons;
use fallow_api::violation::Violations;
use fallow_ledger::Cursor;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of the check that a token carries.
const CHECK_BYTES: usize = 12;

/// A secret by which a token that we gave is told from one that was made up.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey(…)")
    }
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Records on it, 1 to [`request::PAGE_MAX`].
    pub size: usize,
    /// How many records come before it, or the place that its token was made of.
    pub skip: usize,
    /// What all its pages are of, where that is one place in the log; `None` on a first page, until it is known.
    pub of: Option<Cursor>,
}

impl PageKey {
    /// Makes a key from a secret that the copies of a service share.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Reads which page is asked for of a list, `query` being everything that makes it another list: the call, the
    /// viewer, the filter.
    ///
    /// # Errors
    /// Violations of `page_size` and `page_token` (`BAD_PAGE_TOKEN`).
    pub fn page(&self, size: i32, token: &str, query: &str) -> Result<Page, Violations> {
        let (size, mut wrong) = match request::page_size(size) {
            Ok(size) => (size, Violations::new()),
            Err(wrong) => (request::PAGE_DEFAULT, wrong),
        };
        let place = if token.is_empty() { Some((0, None)) } else { self.open(token, query) };
        if place.is_none() {
            wrong.add(
                "page_token",
                reasons::BAD_PAGE_TOKEN,
                "must be the token of the last answer to the same question; leave it out for the first page",
            );
        }
        wrong.or(place.map(|(skip, of)| Page { size, skip, of }))
    }

    /// Takes a page out of a list and returns it with the token of the next, empty on the last. Nothing behind the first of
    /// the next page is made: a list of a region's offers, written for the wire, is a hundred times its page.
    #[must_use]
    pub fn cut<T>(&self, page: &Page, query: &str, list: impl IntoIterator<Item = T>) -> (Vec<T>, String) {
        let mut list = list.into_iter().skip(page.skip);
        let found = list.by_ref().take(page.size).collect();
        let end = page.skip.saturating_add(page.size);
        let next = list.next().map(|_| self.token(end, page.of.as_ref(), query));
        (found, next.unwrap_or_default())
    }

    /// Makes the token of the page that begins behind so many records, or behind another place that a list counts by; `of` is
    /// what all pages are of, where that is one place in the log.
    #[must_use]
    pub fn token(&self, skip: usize, of: Option<&Cursor>, query: &str) -> String {
        let place = match of {
            Some(of) => format!("{skip}.{of}"),
            None => skip.to_string(),
        };
        format!("{place}.{}", self.check(&place, query))
    }

    fn open(&self, token: &str, query: &str) -> Option<(usize, Option<Cursor>)> {
        let (place, check) = token.rsplit_once('.')?;
        // How long it takes must not tell how much of a guess is right.
        if !bool::from(self.check(place, query).as_bytes().ct_eq(check.as_bytes())) {
            return None;
        }
        match place.split_once('.') {
            Some((skip, of)) => Some((skip.parse().ok()?, Some(of.parse().ok()?))),
            None => Some((place.parse().ok()?, None)),
        }
    }

    fn check(&self, place: &str, query: &str) -> String {
        // Key at both ends, so that nothing can be appended.
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(format!("{place}\0{query}\0"))
            .chain_update(self.0)
            .finalize();
        digest[..CHECK_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let key = PageKey::new(b"secret");
        let list: Vec<u32> = (0..250).collect();
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = key.page(0, &token, "q").unwrap();
            let (records, next) = key.cut(&page, "q", list.clone());
            seen.extend(records);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, list);
    }

    #[test]
    fn what_is_behind_a_page_is_not_made() {
        let key = PageKey::new(b"secret");
        let page = Page { size: 2, skip: 3, of: None };
        let list = (0..).inspect(|n| assert!(*n <= 5, "only whether there is more is asked"));
        let (found, next) = key.cut(&page, "q", list);
        assert_eq!(found, [3, 4]);
        assert_eq!(key.page(2, &next, "q").unwrap().skip, 5);
        assert_eq!(key.cut(&page, "q", 0..5), (vec![3, 4], String::new()), "it is the last");
        assert_eq!(key.cut(&page, "q", 0..2), (vec![], String::new()), "the list has become shorter");
    }

    #[test]
    fn a_token_keeps_what_its_pages_are_of() {
        let key = PageKey::new(b"secret");
        let of = Cursor::new("0af3".into(), fallow_ledger::Revision(42));
        let first = Page { of: Some(of.clone()), ..key.page(2, "", "q").unwrap() };
        let (_, token) = key.cut(&first, "q", vec![1, 2, 3]);
        assert_eq!(key.page(2, &token, "q").unwrap(), Page { size: 2, skip: 2, of: Some(of) });
        let moved = token.replacen("0af3.42", "0af3.43", 1);
        assert_eq!(key.page(2, &moved, "q").unwrap_err().reason(), reasons::BAD_PAGE_TOKEN);
    }

    #[test]
    fn a_token_of_another_question_or_made_up_is_refused() {
        let key = PageKey::new(b"secret");
        let (_, token) = key.cut(&Page { size: 1, skip: 0, of: None }, "mine", vec![1, 2, 3]);
        assert!(key.page(1, &token, "mine").is_ok());
        for (token, query) in
            [(token.as_str(), "yours"), ("1.00", "mine"), ("x", "mine"), (&token[1..], "mine")]
        {
            assert_eq!(key.page(1, token, query).unwrap_err().reason(), reasons::BAD_PAGE_TOKEN, "{token}");
        }
        for size in [-1, 1_001, i32::MAX, i32::MIN] {
            assert!(key.page(size, "", "mine").is_err(), "{size}");
        }
    }
}
