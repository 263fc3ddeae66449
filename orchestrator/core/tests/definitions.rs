//! Definitions: which do not build and what their errors teach, what a built one knows about its steps, and that its
//! fingerprint follows its shape.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use backstitch_core::{
    Catalog, CatalogError, Class, Definition, DefinitionBuilder, DefinitionError, Handle, Operation,
    RetryPolicy, StepBuilder, StepId, StepSet,
};

#[derive(Clone, PartialEq, prost::Message)]
struct Ask {
    #[prost(string, tag = "1")]
    word: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(string, tag = "1")]
    word: String,
}

type Builder = DefinitionBuilder<Ask>;
type Finish = fn(&mut Builder, &'static str, &[StepId]) -> StepId;
type Built<'d> = StepBuilder<'d, Ask, Ask, Answer, ()>;

const DO: Operation<Ask, Answer> = Operation::new("stock", "Reserve");
const UNDO: Operation<Ask, Answer> = Operation::new("stock", "Release");
const ELSEWHERE: Operation<Ask, Answer> = Operation::new("payment", "Void");

fn begun<'d>(d: &'d mut Builder, name: &'static str, after: &[StepId]) -> Built<'d> {
    let step = d.step(name, DO).request(|c, ()| c.input.clone());
    match *after {
        [] => step,
        [a] => step.after([a]),
        [a, b] => step.after([a, b]),
        _ => panic!("the tests here need no more"),
    }
}

fn held(d: &mut Builder, name: &'static str, after: &[StepId]) -> StepId {
    begun(d, name, after).compensated_by(UNDO, |c| c.input.clone()).step()
}

fn pivot(d: &mut Builder, name: &'static str, after: &[StepId]) -> StepId {
    begun(d, name, after).pivot().step()
}

fn retriable(d: &mut Builder, name: &'static str, after: &[StepId]) -> StepId {
    begun(d, name, after).retriable().step()
}

fn free(d: &mut Builder, name: &'static str, after: &[StepId]) -> StepId {
    begun(d, name, after).needs_no_undo("a read").step()
}

fn check<T>(describe: impl FnOnce(&mut Builder) -> T, teaches: &str) {
    let mut d = Builder::new("sale", 1);
    describe(&mut d);
    let said = d.build().map_or_else(|error| error.to_string(), |_| "it builds".into());
    assert_eq!(said, teaches);
}

#[test]
fn a_definition_has_one_to_64_steps() {
    const NAMES: [&str; 65] = {
        let mut names = [""; 65];
        let letters = "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhhi";
        let mut i = 0;
        while i < 65 {
            names[i] = letters.split_at(i + 1).0;
            i += 1;
        }
        names
    };
    check(|_| (), "definition `sale` has no steps; give it at least one");
    let many = |d: &mut Builder, n: usize| NAMES[..n].iter().map(|name| held(d, name, &[])).count();
    check(|d| many(d, 64), "it builds");
    check(|d| many(d, 65), "definition `sale` has 65 steps; at most 64 are possible; split it in two sagas");
}

#[test]
fn a_name_can_travel_and_is_unique() {
    let because = "must be 1 to 100 of a-z, 0-9 and _, because it travels as call metadata";
    const LONG: &str = concat!(
        "a123456789a123456789a123456789a123456789a123456789",
        "a123456789a123456789a123456789a123456789a123456789",
        "_"
    );
    for name in ["", "Hold", "hold-cart", "hold cart", "größe", LONG] {
        check(|d| held(d, name, &[]), &format!("step name `{name}` {because}"));
    }
    check(|d| held(d, &LONG[..100], &[]), "it builds");
    check(
        |d| {
            held(d, "hold", &[]);
            held(d, "hold", &[]);
        },
        "two steps are called `hold`; a step's name is part of its idempotency key and must be unique",
    );
}

#[test]
fn a_step_says_what_it_asks() {
    check(
        |d| d.step("hold", DO).compensated_by(UNDO, |c| c.input.clone()),
        "`hold` has no request; say what is asked with `request`",
    );
}

#[test]
fn a_step_comes_after_earlier_ones_only() {
    let teaches = "`hold` comes after a step that is not described before it; \
                   steps are written in dependency order, and a handle belongs to the definition that gave it";
    for place in [0, 1, 63] {
        check(|d| held(d, "hold", &[StepId::new(place).unwrap()]), teaches);
    }
    let mut other = Builder::new("other", 1);
    held(&mut other, "a", &[]);
    let foreign: Handle<Answer> = begun(&mut other, "b", &[]).needs_no_undo("a read");
    check(|d| d.step("hold", DO).reading(foreign).request(|c, _| c.input.clone()).pivot(), teaches);
}

#[test]
fn a_step_is_taken_back_where_it_was_done() {
    check(
        |d| begun(d, "hold", &[]).compensated_by(ELSEWHERE, |c| c.input.clone()),
        "`hold` is done by `stock` but taken back by `payment`; \
         the row that remembers the step is at `stock`, so only it can take the step back",
    );
}

#[test]
fn one_step_decides() {
    check(
        |d| {
            let take = pivot(d, "take", &[]);
            pivot(d, "give", &[take]);
        },
        "`take` and `give` are both pivots; only one step can decide; \
         make the other one retriable (after) or compensatable (before)",
    );
}

#[test]
fn every_step_is_before_or_after_the_pivot() {
    let teaches = "`hold` is neither before nor after the pivot `take`, so nobody could say whether to undo it when the \
                   pivot is in doubt; make one depend on the other with `after`";
    let beside: [Finish; 3] = [held, retriable, free];
    for finish in beside {
        check(
            |d| {
                let first = held(d, "first", &[]);
                pivot(d, "take", &[first]);
                finish(d, "hold", &[first]);
            },
            teaches,
        );
        check(
            |d| {
                finish(d, "hold", &[]);
                pivot(d, "take", &[]);
            },
            teaches,
        );
    }
}

#[test]
fn what_cannot_be_undone_does_not_run_before_the_pivot() {
    check(
        |d| {
            let mail = retriable(d, "mail", &[]);
            let hold = held(d, "hold", &[mail]);
            pivot(d, "take", &[hold]);
        },
        "`mail` cannot be undone but runs before the pivot `take`: a later refusal would leave it half-happened; \
         give it `compensated_by`, or say why it `needs_no_undo`, or move it after the pivot",
    );
}

#[test]
fn after_the_pivot_nothing_is_undone_or_refused() {
    let undo = "`ship` runs after the pivot `take`, where nothing is taken back any more; \
                finish it with `retriable`, or move it before the pivot";
    for finish in [held as Finish, free] {
        check(
            |d| {
                let take = pivot(d, "take", &[]);
                finish(d, "ship", &[take]);
            },
            undo,
        );
    }
    check(
        |d| {
            let take = pivot(d, "take", &[]);
            begun(d, "ship", &[take]).guard(|_, ()| Ok(None)).retriable();
        },
        "`ship` runs after the pivot `take`, where no step may refuse any more, but its guard could; \
         check that before the pivot, or drop the guard",
    );
    check(
        |d| retriable(d, "mail", &[]),
        "`mail` is retriable, but the definition has no pivot that it could be after; add one, or give the step an undo",
    );
}

/// {hold ∥ quote} -> take -> {ship ∥ mail}
fn sale(version: u32) -> Definition {
    let mut d = Builder::new("sale", version).deadline(Duration::from_secs(60));
    let hold = held(&mut d, "hold", &[]);
    let quote = d
        .step("quote", DO)
        .may_differ()
        .timeout(Duration::from_secs(2))
        .request(|c, ()| c.input.clone())
        .needs_no_undo("an offer");
    let take = d
        .step("take", DO)
        .after([hold])
        .reading(quote)
        .guard(|_, _| Ok(None))
        .request(|_, quote| Ask { word: quote.word })
        .pivot()
        .step();
    retriable(&mut d, "ship", &[take]);
    retriable(&mut d, "mail", &[take]);
    d.build().unwrap()
}

#[test]
fn a_built_definition_knows_its_steps() {
    let sale = sale(1);
    let set = |places: &[usize]| places.iter().filter_map(|p| StepId::new(*p)).collect::<StepSet>();
    let step = |name: &str| sale.step(sale.find(name).unwrap());
    assert_eq!(sale.pivot, sale.find("take"));
    assert_eq!(
        (step("take").after, step("take").reads),
        (set(&[0, 1]), set(&[1])),
        "what is read comes first"
    );
    assert_eq!((step("mail").ancestors, step("hold").descendants), (set(&[0, 1, 2]), set(&[2, 3, 4])));
    assert_eq!(step("quote").class, Class::NeedsNoUndo("an offer"));
    assert_eq!(
        (step("hold").retry, step("hold").undo.as_ref().unwrap().retry),
        (RetryPolicy::FORWARD, RetryPolicy::UNDO)
    );
    assert_eq!(step("mail").retry, RetryPolicy::AFTER_PIVOT);
    let before: Vec<_> = sale.step_ids().filter(|id| sale.is_before_pivot(*id)).collect();
    assert_eq!(before, [sale.find("hold").unwrap(), sale.find("quote").unwrap()]);
    assert_eq!(sale.find("nothing"), None);
}

/// A change here means: sagas that run now cannot be continued. Give the definition a new version instead; change
/// this only together with what a fingerprint covers.
#[test]
fn the_fingerprint_of_a_shape_never_changes() {
    let hex: String = sale(1).fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "489c2996123a6c0205452f466e293739084f582812fe2131e093cca94e61112e");
}

#[test]
fn any_change_of_shape_changes_the_fingerprint() {
    fn one<T>(describe: impl FnOnce(&mut Builder) -> T) -> [u8; 32] {
        let mut d = Builder::new("sale", 1);
        describe(&mut d);
        d.build().unwrap().fingerprint
    }
    let undone_by = |action: &'static str| Operation::<Ask, Answer>::new("stock", action);
    let shapes = [
        one(|d| held(d, "hold", &[])),
        one(|d| held(d, "held", &[])),
        one(|d| free(d, "hold", &[])),
        one(|d| pivot(d, "hold", &[])),
        one(|d| begun(d, "hold", &[]).may_differ().compensated_by(UNDO, |c| c.input.clone())),
        one(|d| begun(d, "hold", &[]).guard(|_, ()| Ok(None)).compensated_by(UNDO, |c| c.input.clone())),
        one(|d| begun(d, "hold", &[]).compensated_by(undone_by("Free"), |c| c.input.clone())),
        one(|d| {
            held(d, "hold", &[]);
            held(d, "more", &[]);
        }),
        one(|d| {
            let hold = held(d, "hold", &[]);
            held(d, "more", &[hold]);
        }),
        sale(1).fingerprint,
        sale(2).fingerprint,
    ];
    for (i, shape) in shapes.iter().enumerate() {
        assert!(!shapes[..i].contains(shape), "shape {i} has the fingerprint of an earlier one");
    }
    // What may be tuned while sagas run is no shape.
    let patient = one(|d| {
        let step = begun(d, "hold", &[]).retry(RetryPolicy::UNDO).timeout(Duration::from_secs(9));
        step.compensated_by(UNDO, |c| c.input.clone());
    });
    assert_eq!(patient, shapes[0]);
}

#[test]
fn a_saga_is_pinned_to_the_version_and_the_shape_it_started_with() {
    let (one, two) = (sale(1).fingerprint, sale(2).fingerprint);
    let catalog = Catalog::default().with(sale(1)).with(sale(2));
    assert_eq!(catalog.highest("sale", |_| true).unwrap().version, 2);
    assert_eq!(catalog.highest("sale", |version| version != 2).unwrap().version, 1);
    assert!(catalog.highest("sale", |_| false).is_none());
    assert!(catalog.highest("return", |_| true).is_none());
    assert_eq!(catalog.pinned("sale", 1, &one).unwrap().version, 1);
    assert_eq!(
        catalog.pinned("sale", 1, &two).unwrap_err(),
        CatalogError::Changed { name: "sale".into(), version: 1 }
    );
    assert_eq!(
        catalog.pinned("sale", 3, &one).unwrap_err(),
        CatalogError::Unknown { name: "sale".into(), version: 3 }
    );
    assert_eq!(catalog.all().count(), 2);
}

#[test]
fn an_error_names_the_definition_or_the_step() {
    let error = Builder::new("sale", 1).build().unwrap_err();
    assert_eq!(error, DefinitionError::Empty("sale"));
}
