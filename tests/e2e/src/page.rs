//! What holds for every page that the program writes for a browser.

/// Fails where it would fetch or run something, or is not well formed.
pub fn needs_nothing_but_itself(page: &str) {
    closed(page);
    for reaching in ["<script", "<img", "<link", "<iframe", "@import", "url(", "javascript:", " on"] {
        let place = page.to_lowercase().find(reaching);
        // ` on` would begin a handler; in texts it is a word.
        let harmless =
            reaching == " on" && !page.to_lowercase().contains(" onclick") && !page.contains(" onload");
        assert!(place.is_none() || harmless, "{reaching} at {place:?}");
    }
    for part in page.split(['<']).filter(|part| part.contains("href=") || part.contains("src=")) {
        let tag = part.split('>').next().unwrap_or_default();
        assert!(!tag.contains("href=") || tag.contains("href=\"#note-"), "{tag}");
        assert!(!tag.contains(" src="), "{tag}");
    }
    assert!(page.contains("default-src 'none'"), "and the browser is told so");
}

/// Fails where an element is not closed, or closed by another one.
fn closed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = page.strip_prefix("<!doctype html>").expect("a page");
    for part in body.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if name == "meta" => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
