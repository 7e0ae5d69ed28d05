//! A wall that nobody touches: a session of its own that shows the wall and can do nothing else.

use super::records::press;
use super::{Visitor, header};
use crate::stage::Stage;

/// Makes a display of a signed-in visitor's browser, which then has another cookie.
async fn hang(visitor: &Visitor, name: &str) -> Visitor {
    let page = visitor.get("/wall/display", "").await;
    let hung = press(visitor, &page, "/wall/display", &[("name", name)]).await;
    assert!(hung.starts_with("HTTP/1.1 303") && header(&hung, "location") == Some("/wall"), "{hung}");
    let cookie = header(&hung, "set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    assert_ne!(cookie, visitor.cookie);
    Visitor { address: visitor.address, cookie }
}

#[tokio::test]
async fn a_display_shows_the_wall_and_nothing_else() {
    let stage = Stage::on("127.0.0.1:0").await;
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    let before = gold.get("/situation", "").await;
    let wall = hang(&gold, "Gold room").await;
    let shown = wall.get("/wall", "").await;
    assert!(shown.starts_with("HTTP/1.1 200"), "{shown}");
    assert!(shown.contains("This screen: Gold room, until "), "{shown}");
    assert!(wall.get("/f/wall", "").await.starts_with("HTTP/1.1 200"));
    wall.listen("", "event: build").await;
    for other in
        ["/", "/situation", "/f/situation", "/proposals", "/wall/display", "/preferences", "/sitrep", "/help"]
    {
        let refused = wall.get(other, "").await;
        let is_refused = header(&refused, "location").is_some_and(|to| to.starts_with("/sign-in"))
            || refused.starts_with("HTTP/1.1 401");
        assert!(is_refused, "{other}: {refused}");
    }
    // No form is taken from it, not even one of the page that its person saw before.
    for form in ["/situation/mode", "/timeline/decision", "/wall/display", "/wall/down", "/alerts/take"] {
        let refused = press(&wall, &before, form, &[("collaborative", "x"), ("mode", "incident")]).await;
        let to = header(&refused, "location").unwrap_or_default();
        assert!(to.starts_with("/sign-in") || refused.starts_with("HTTP/1.1 403"), "{form}: {refused}");
    }
    assert!(stage.world.records().request_ids.is_empty(), "nothing was changed");
    // The person who hung it is signed out there.
    assert!(!gold.get("/situation", "").await.starts_with("HTTP/1.1 200"));
    stage.tasks.stop();
}

#[tokio::test]
async fn who_hung_a_display_takes_it_down_from_elsewhere() {
    let stage = Stage::on("127.0.0.1:0").await;
    let wall = hang(&Visitor::signed_in_as(&stage, "duty-lead").await, "Gold room").await;
    let other = Visitor::signed_in_as(&stage, "icb").await;
    assert!(!other.get("/wall/display", "").await.contains("Gold room"));
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    let page = gold.get("/wall/display", "").await;
    assert!(page.contains("Gold room, until "), "{page}");
    let id = wall.cookie.split('=').nth(1).expect("a session");
    assert!(!page.contains(id), "the page does not tell the secret of the display");
    let handle = super::upload::hidden(&page, "display");
    assert!(
        press(&other, &other.get("/wall/display", "").await, "/wall/down", &[("display", &handle)])
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(wall.get("/f/wall", "").await.starts_with("HTTP/1.1 200"));
    let done = press(&gold, &page, "/wall/down", &[("display", &handle)]).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert!(wall.get("/f/wall", "").await.starts_with("HTTP/1.1 401"));
    stage.tasks.stop();
}

#[tokio::test]
async fn a_display_has_a_name_and_is_for_those_who_may_read_the_region() {
    let stage = Stage::on("127.0.0.1:0").await;
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    let page = gold.get("/wall/display", "").await;
    let wrong = press(&gold, &page, "/wall/display", &[("name", "")]).await;
    assert!(wrong.starts_with("HTTP/1.1 422"), "{wrong}");
    assert!(wrong.contains("<a href=\"#name\">What this screen is called: must be given"), "{wrong}");
    assert!(gold.get("/situation", "").await.starts_with("HTTP/1.1 200"), "still signed in");
    let admin = Visitor::signed_in_as(&stage, "platform-admin").await;
    let page = admin.get("/actions", "").await;
    assert!(admin.get("/wall/display", "").await.starts_with("HTTP/1.1 403"));
    let refused = press(&admin, &page, "/wall/display", &[("name", "Server room")]).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    stage.tasks.stop();
}
