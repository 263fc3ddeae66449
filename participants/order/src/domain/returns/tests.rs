use backstitch_proto::money::Currency;
use proptest::prelude::*;

use super::*;

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}

fn bought(lines: &[(&str, i64, i64)]) -> Vec<Bought> {
    let bought = |(number, &(sku, quantity, price)): (usize, &(&str, i64, i64))| Bought {
        number: i64::try_from(number).unwrap(),
        line: Line {
            sku: sku.into(),
            name: sku.into(),
            quantity,
            unit_price_minor: price,
            unit_weight_grams: 0,
        },
        returned: 0,
    };
    lines.iter().enumerate().map(bought).collect()
}

fn items(wanted: &[(&str, i64)]) -> Wanted {
    Wanted::Items(wanted.iter().map(|&(sku, quantity)| (sku.to_owned(), quantity)).collect())
}

#[test]
fn numbers_of_credit_notes_grow_beyond_six_digits() {
    assert_eq!(CreditNoteNumber(1).to_string(), "CN-000001");
    assert_eq!(CreditNoteNumber(1_234_567).to_string(), "CN-1234567");
}

#[test]
fn the_first_line_of_a_product_comes_back_first() {
    let all = bought(&[("A", 2, 300), ("B", 1, 50), ("A", 2, 100)]);
    let taken = |claim: Claim| claim.lines.iter().map(|(n, line)| (*n, line.quantity)).collect::<Vec<_>>();
    assert_eq!(taken(claim(&all, &items(&[("A", 3)])).unwrap()), [(0, 2), (2, 1)]);
    assert_eq!(taken(claim(&all, &items(&[("A", 1)])).unwrap()), [(0, 1)]);
    assert_eq!(taken(claim(&all, &Wanted::Everything).unwrap()), [(0, 2), (1, 1), (2, 2)]);
}

#[test]
fn an_order_whose_rows_do_not_add_up_gives_nothing_back() {
    let claim = claim(&bought(&[("A", 1, 300)]), &Wanted::Everything).unwrap();
    let paid = Paid { shipping: gbp(100), total: gbp(400), returned: gbp(0) };
    assert_eq!(paid.refund(&claim), Ok(gbp(400)));
    for wrong in [Paid { returned: gbp(1), ..paid }, Paid { total: gbp(401), ..paid }] {
        assert!(wrong.refund(&claim).unwrap_err().contains("left of its total"), "{wrong:?}");
    }
}

/// A return that is asked for, or the cancellation of one that was.
#[derive(Clone, Debug)]
enum Step {
    Everything,
    Items(Vec<(usize, i64)>),
    Cancel(usize),
}

const SKUS: [&str; 3] = ["A", "B", "C"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Everything),
        6 => prop::collection::vec((0..SKUS.len(), 1..4_i64), 1..4).prop_map(Step::Items),
        3 => (0..8_usize).prop_map(Step::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is asked and cancelled in whatever order: never more of a line than was bought, every unit at the price
    /// that was paid for it, and when everything is back, so is every penny.
    #[test]
    fn all_returns_of_an_order_come_to_its_total_exactly(
        lines in prop::collection::vec((0..SKUS.len(), 1..5_i64, 0..10_000_i64), 1..6),
        shipping in 0..1_000_i64,
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let lines: Vec<_> = lines.into_iter().map(|(sku, quantity, price)| (SKUS[sku], quantity, price)).collect();
        let mut all = bought(&lines);
        let total = lines.iter().map(|(_, quantity, price)| quantity * price).sum::<i64>() + shipping;
        let mut open: Vec<(Claim, i64)> = Vec::new();
        for step in steps {
            let wanted = match step {
                Step::Cancel(which) if which < open.len() => {
                    let (claim, _) = open.remove(which);
                    for (number, line) in claim.lines {
                        all[usize::try_from(number).unwrap()].returned -= line.quantity;
                    }
                    continue;
                }
                Step::Cancel(_) => continue,
                Step::Everything => Wanted::Everything,
                Step::Items(wanted) => {
                    let mut sums = BTreeMap::<String, i64>::new();
                    for (sku, quantity) in wanted {
                        *sums.entry(SKUS[sku].to_owned()).or_default() += quantity;
                    }
                    Wanted::Items(sums)
                }
            };
            let left = |sku: &str| all.iter().filter(|b| b.line.sku == sku).map(Bought::left).sum::<i64>();
            let there = match &wanted {
                Wanted::Everything => all.iter().any(|b| b.left() > 0),
                Wanted::Items(items) => items.iter().all(|(sku, quantity)| *quantity <= left(sku)),
            };
            let claimed = claim(&all, &wanted);
            prop_assert_eq!(claimed.is_ok(), there, "{:?}", claimed);
            let Ok(claim) = claimed else { continue };
            if let Wanted::Items(items) = &wanted {
                let taken = claim.lines.iter().map(|(_, line)| line.quantity).sum::<i64>();
                prop_assert_eq!(taken, items.values().sum::<i64>());
            }
            for (number, line) in &claim.lines {
                all[usize::try_from(*number).unwrap()].returned += line.quantity;
            }
            prop_assert!(all.iter().all(|b| (0..=b.line.quantity).contains(&b.returned)));
            let nothing_left = all.iter().all(|b| b.left() == 0);
            prop_assert_eq!(claim.whole, nothing_left);
            let returned = open.iter().map(|(_, refund)| refund).sum::<i64>();
            let paid = Paid { shipping: gbp(shipping), total: gbp(total), returned: gbp(returned) };
            let refund = paid.refund(&claim).unwrap().minor;
            prop_assert!(refund >= 0 && returned + refund <= total);
            if nothing_left {
                prop_assert_eq!(returned + refund, total);
            }
            open.push((claim, refund));
        }
    }
}
