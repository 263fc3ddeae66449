//! The command as a shell sees it.

use crate::common::{Asked, Shop, reconcile_with};

#[tokio::test]
async fn a_whole_shop_has_no_money_at_risk() {
    let shop = Shop::stocked().await;
    let said = reconcile_with(shop.directory(), &Asked::of(&shop), &["--grace", "60s"]);
    let nothing = "compared 0 payments, 0 objects at the provider, 0 orders\nmoney at risk: none\n";
    assert_eq!((said.code, said.out.as_str()), (Some(0), nothing), "{said:?}");
    assert_eq!(said.err, "");
}

#[tokio::test]
async fn who_does_not_answer_is_named_and_nothing_is_concluded() {
    let shop = Shop::stocked().await;
    let nowhere = "http://127.0.0.1:9".to_owned();
    let whole = Asked::of(&shop);
    for (asked, who) in [
        (Asked { payment: nowhere.clone(), ..whole.clone() }, "payment at http://127.0.0.1:9"),
        (Asked { order: nowhere.clone(), ..whole.clone() }, "order at http://127.0.0.1:9"),
    ] {
        let said = reconcile_with(shop.directory(), &asked, &[]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.starts_with("backstitch: the money could not be reconciled: "), "{said:?}");
        assert!(said.err.contains(who), "{said:?}");
    }
}

#[tokio::test]
async fn a_wrong_option_is_named() {
    let shop = Shop::closed();
    let asked = Asked::at(|_| "127.0.0.1:9".to_owned());
    for wrong in [["--since", "0s"], ["--since", "soon"], ["--grace", "2d"], ["--payment", "host:1"]] {
        let said = reconcile_with(shop.directory(), &asked, &wrong);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.contains(wrong[0]), "{said:?}");
    }
}
