//! Lists of our own books: from a time on, what is open, what has an object; in pages that stay where they are, and by
//! indices that have nothing else.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::Do;
use backstitch_proto::payment::{ListPaymentsRequest, PaymentDocument};
use backstitch_services::{On, each_database};
use common::{Said, Shop};
use tonic::Code;
use uuid::Uuid;

each_database!(blocking:
    payments_are_listed_from_a_time_on_oldest_first,
    a_page_goes_on_behind_its_last_payment_whatever_comes_meanwhile,
    what_is_open_is_listed_and_nothing_else,
    the_payment_that_has_an_object_is_found_by_it,
    a_payment_is_shown_with_the_cases_of_its_refunds,
    an_object_is_shown_by_its_id_as_the_list_shows_it,
    bounds_that_cannot_be_are_named,
);

/// A payment that is held, of a saga of its own; its id.
fn pay(shop: &mut Shop) -> String {
    pay_with(shop, "tok_ok")
}

fn pay_with(shop: &mut Shop, token: &str) -> String {
    (shop.saga, shop.payment) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(shop.authorize(Do, token), Said::Done);
    shop.payment.to_string()
}

/// As many, each a millisecond after the one before it.
fn pay_in_turn(shop: &mut Shop, many: usize) -> Vec<PaymentDocument> {
    for _ in 0..many {
        pay(shop);
        shop.clock.advance(1);
    }
    let payments = shop.payments(0, "").unwrap().payments;
    assert!(payments.is_sorted_by_key(|payment| payment.created_at_unix_ms));
    payments
}

fn ids(payments: &[PaymentDocument]) -> Vec<&str> {
    payments.iter().map(|payment| payment.payment_id.as_str()).collect()
}

/// Every page of a list, put together.
fn walk(shop: &Shop, request: &ListPaymentsRequest) -> Vec<PaymentDocument> {
    let (mut all, mut request) = (Vec::new(), request.clone());
    loop {
        let page = shop.payments_of(request.clone()).unwrap();
        all.extend(page.payments);
        match page.next_page_token {
            end if end.is_empty() => return all,
            next => request.page_token = next,
        }
    }
}

fn payments_are_listed_from_a_time_on_oldest_first(on: On) {
    let mut shop = Shop::open(on);
    let whole = pay_in_turn(&mut shop, 5);
    let third = whole[2].created_at_unix_ms;
    // Three of one time, which have no order but their ids'.
    for _ in 0..3 {
        pay(&mut shop);
    }
    let whole = walk(&shop, &ListPaymentsRequest::default());
    assert_eq!(whole.len(), 8);
    for page_size in [1, 2, 3, 7, 8, 9] {
        for (from_ms, left) in
            [(0, 8), (third - 1, 7), (third, 6), (third + 1, 5), (third + 3, 3), (third + 4, 0)]
        {
            let request =
                ListPaymentsRequest { page_size, created_from_unix_ms: from_ms, ..Default::default() };
            let listed = walk(&shop, &request);
            assert_eq!(ids(&listed), ids(&whole[8 - left..]), "pages of {page_size} from {from_ms}");
        }
    }
}

fn a_page_goes_on_behind_its_last_payment_whatever_comes_meanwhile(on: On) {
    let mut shop = Shop::open(on);
    let whole = pay_in_turn(&mut shop, 4);
    let request = ListPaymentsRequest {
        page_size: 2,
        created_from_unix_ms: whole[1].created_at_unix_ms,
        ..Default::default()
    };
    let first = shop.payments_of(request.clone()).unwrap();
    assert_eq!(ids(&first.payments), ids(&whole[1..3]));
    let (settled, new) = (whole[2].payment_id.clone(), pay(&mut shop));
    shop.rows("payment", "UPDATE payments SET updated_at_ms = updated_at_ms + 1000000");
    let rest =
        shop.payments_of(ListPaymentsRequest { page_token: settled, ..request.clone() }).unwrap().payments;
    assert_eq!(ids(&rest), [whole[3].payment_id.as_str(), &new]);
    // A page of before the bound goes on at the bound.
    let before = ListPaymentsRequest { page_token: whole[0].payment_id.clone(), ..request };
    assert_eq!(ids(&shop.payments_of(before).unwrap().payments), ids(&whole[1..3]));
}

fn what_is_open_is_listed_and_nothing_else(on: On) {
    let mut shop = Shop::open(on);
    let payments = pay_in_turn(&mut shop, 7);
    let statuses = "UPDATE payments
        SET status = CASE created_at_ms - (SELECT MIN(created_at_ms) FROM payments)
                WHEN 0 THEN 'authorizing' WHEN 1 THEN 'waiting' WHEN 2 THEN 'voided' WHEN 3 THEN 'authorized'
                WHEN 4 THEN 'capturing' WHEN 5 THEN 'refused' ELSE 'voiding' END,
            voided_minor = CASE created_at_ms - (SELECT MIN(created_at_ms) FROM payments)
                WHEN 2 THEN authorized_minor ELSE 0 END";
    shop.rows("payment", statuses);
    let mut wanted: Vec<_> = [0, 1, 3, 4, 6].map(|n: usize| payments[n].payment_id.clone()).into();
    // Captured, with refunds that are pending, done and failed.
    for token in ["tok_refund_pending", "tok_ok", "tok_refund_fails"] {
        pay_with(&mut shop, token);
        shop.capture(Do);
        for number in [1, 2] {
            shop.refund(Do, number, 300);
        }
        if token == "tok_refund_pending" {
            wanted.push(shop.payment.to_string());
        }
        shop.clock.advance(1);
    }
    for page_size in [1, 2, 5, 6, 7] {
        let open = walk(&shop, &ListPaymentsRequest { page_size, open: true, ..Default::default() });
        assert_eq!(ids(&open), wanted, "pages of {page_size}");
        let pending: Vec<_> = open[5].refunds.iter().map(|refund| refund.status.as_str()).collect();
        assert_eq!(pending, ["pending", "pending"]);
    }
    let from_ms = payments[6].created_at_unix_ms;
    let request = ListPaymentsRequest { open: true, created_from_unix_ms: from_ms, ..Default::default() };
    assert_eq!(ids(&walk(&shop, &request)), wanted[4..]);
}

fn the_payment_that_has_an_object_is_found_by_it(on: On) {
    let mut shop = Shop::open(on);
    pay(&mut shop);
    let wanted = pay(&mut shop);
    let of = |provider_id: &str| {
        let request = ListPaymentsRequest { provider_id: provider_id.into(), ..Default::default() };
        shop.payments_of(request).unwrap()
    };
    let found = of(&shop.get().unwrap().provider_id);
    assert_eq!((ids(&found.payments), found.next_page_token.as_str()), (vec![wanted.as_str()], ""));
    assert_eq!(of("nobody's").payments, []);
}

fn a_payment_is_shown_with_the_cases_of_its_refunds(on: On) {
    let mut shop = Shop::open(on);
    pay(&mut shop);
    pay_with(&mut shop, "tok_refund_fails_later");
    shop.capture(Do);
    assert_eq!(shop.refund(Do, 1, 300), Said::Done);
    for _ in 0..4 {
        shop.tick(Duration::from_secs(3_600));
    }
    let cases = shop.cases(true);
    assert_eq!(cases.len(), 1);
    assert_eq!(shop.get().unwrap().cases, cases);
    let [without, with] = shop.payments(0, "").unwrap().payments.try_into().unwrap();
    assert_eq!((without.cases, &with.cases), (vec![], &cases));
    let resolved = shop.resolve_case(&cases[0].case_id, "bank transfer 4711").unwrap();
    assert_eq!(shop.payments(0, "").unwrap().payments[1].cases, [resolved]);
}

fn an_object_is_shown_by_its_id_as_the_list_shows_it(on: On) {
    let shop = Shop::open(on);
    shop.authorize(Do, "tok_ok");
    shop.capture(Do);
    shop.refund(Do, 1, 300);
    let listed = shop.objects("").unwrap().objects;
    assert_eq!(shop.provider_object(&shop.object()).unwrap(), listed[0]);
    assert_eq!(shop.provider_object("nobody's").unwrap_err().code(), Code::NotFound);
    for id in ["", "a\nb", "x".repeat(501).as_str()] {
        let status = shop.provider_object(id).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("provider_id"), "{status}");
    }
}

fn bounds_that_cannot_be_are_named(on: On) {
    let shop = Shop::open(on);
    let nobody_s = Uuid::now_v7().to_string();
    for (request, field) in [
        (ListPaymentsRequest { created_from_unix_ms: -1, ..Default::default() }, "created_from_unix_ms"),
        (ListPaymentsRequest { page_token: nobody_s, ..Default::default() }, "page_token"),
        (ListPaymentsRequest { provider_id: "a\nb".into(), ..Default::default() }, "provider_id"),
    ] {
        let status = shop.payments_of(request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(field), "{status}");
    }
    let far = ListPaymentsRequest { created_from_unix_ms: i64::MAX, ..Default::default() };
    assert_eq!(shop.payments_of(far).unwrap().payments, []);
}

/// Each list is searched in an index from where the page begins, and in one that has nothing else.
#[test]
fn no_list_reads_more_than_it_shows() {
    let shop = Shop::open(On::Sqlite);
    let of_time = "((created_at_ms,payment_id)>(?,?)";
    for (plan, searched) in [
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/list_payments.sql")),
            &[&*format!("SEARCH payments USING INDEX payments_by_time {of_time})")][..],
        ),
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/list_open_payments.sql")),
            &[
                &*format!("SEARCH payments USING INDEX payments_open_by_time {of_time})"),
                "SCAN r USING INDEX refunds_pending\n",
                "SEARCH p USING INDEX sqlite_autoindex_payments_1 (payment_id=?)",
            ],
        ),
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/refunds/of_page.sql")),
            &[
                &*format!("SEARCH p USING COVERING INDEX payments_by_time {of_time} AND"),
                "SEARCH r USING INDEX refunds_by_payment (payment_id=?)",
            ],
        ),
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/cases/list.sql")),
            &["SEARCH cases USING INDEX cases_by_time ((opened_at_ms,case_id)>(?,?))"],
        ),
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/cases/list_open.sql")),
            &["SEARCH cases USING INDEX cases_open_by_time ((opened_at_ms,case_id)>(?,?))"],
        ),
        (
            concat!("EXPLAIN QUERY PLAN\n", include_str!("../src/sql/cases/of_payment.sql")),
            &["SEARCH cases USING INDEX cases_by_payment (payment_id=?)"],
        ),
    ] {
        let told = shop.rows("payment", plan).join("\n");
        for wanted in searched {
            assert!(told.contains(wanted), "{wanted} is not in\n{told}");
        }
        let of_tables =
            told.matches("SEARCH ").count() + told.matches(" USING INDEX refunds_pending\n").count();
        assert_eq!(of_tables, searched.len(), "{told}");
    }
}
