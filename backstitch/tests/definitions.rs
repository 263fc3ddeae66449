//! Switching versions of definitions from the command line.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Said, Shop, order_of, program, run};
use serde_json::Value;

/// Runs `backstitch definitions` against the shop.
fn definitions(shop: &Shop, args: &[&str]) -> Said {
    let server = format!("http://{}", shop.up().address("http"));
    run(program(&shop.data()).arg("definitions").args(args).args(["--server", &server]))
}

#[track_caller]
fn printed(said: &Said) -> Vec<&str> {
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    said.out.lines().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_switched_off_and_on_and_stays_so_across_a_restart() {
    let mut shop = Shop::stocked().await;
    let listed = definitions(&shop, &["list"]);
    assert_eq!(
        printed(&listed),
        [
            "NAME         VERSION  NEW SAGAS  IN FLIGHT  NODES  REASON",
            "checkout     1        on         0          local  the first version of its name",
            "make_good    1        on         0          local  the first version of its name",
            "refund_case  1        on         0          local  the first version of its name",
            "repair       1        on         0          local  the first version of its name",
            "return       1        on         0          local  the first version of its name",
        ]
    );

    let off = definitions(&shop, &["switch-off", "checkout", "1", "--reason", "stocktaking"]);
    assert_eq!(printed(&off)[1], "checkout  1        off        0          local  stocktaking");
    shop.fill("cart", &[("A", 1)]).await;
    let closed = shop.begin("k", &order_of("cart", "tok_ok")).await;
    assert_eq!((closed.status, closed.text("/type")), (503, "/problems/not-ready"));
    shop.kill();
    shop.start().await;
    let closed = shop.begin("k", &order_of("cart", "tok_ok")).await;
    assert_eq!((closed.status, closed.text("/type")), (503, "/problems/not-ready"), "it is still off");

    let on = definitions(&shop, &["switch-on", "checkout", "1", "--reason", "counted", "--json"]);
    let on: Value = serde_json::from_str(&printed(&on).join("\n")).unwrap();
    assert_eq!((&on["on"], &on["switched"]["reason"]), (&Value::Bool(true), &Value::from("counted")));
    assert_eq!(shop.check_out("k", &order_of("cart", "tok_ok")).await.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_lacks_and_fails() {
    let shop = Shop::open().await;
    let unknown = definitions(&shop, &["switch-on", "checkout", "2", "--reason", "now"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("No node has announced `checkout` version 2"), "{}", unknown.err);
    let silent = definitions(&shop, &["switch-off", "checkout", "1"]);
    assert!(silent.err.contains("--reason") && silent.code == Some(2), "{silent:?}");
    let empty = definitions(&shop, &["switch-off", "checkout", "1", "--reason", ""]);
    assert!(empty.err.contains("must not be empty") && empty.code == Some(1), "{empty:?}");
    shop.close().await;
}

#[test]
fn nobody_at_the_address_is_told_with_the_option() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = run(program(here).args(["definitions", "list", "--server", "http://127.0.0.1:9"]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("127.0.0.1:9") && said.err.contains("--server"), "{}", said.err);
    let said = run(program(here).args(["definitions", "list", "--server", "https://shop"]));
    assert!(said.err.contains("must begin with http://") && said.code == Some(2), "{}", said.err);
}
