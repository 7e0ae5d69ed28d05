//! Reads lists page by page.

use super::failure::Failure;

/// Records asked for at once: the most that a page may have.
const PAGE_SIZE: i32 = 1_000;
/// Most pages read for one command, so that a server that never ends cannot hold one for ever.
const PAGES_MAX: usize = 100;

/// Reads every page: `page` takes a size and a token and returns records and the next token, empty after the last.
///
/// # Errors
/// Those of `page`.
pub(crate) async fn pages<T>(
    mut page: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let (mut records, mut token) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let (read, next) = page(PAGE_SIZE, token).await?;
        records.extend(read);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    Ok(records)
}
