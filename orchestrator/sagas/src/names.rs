//! The names in sagas: of definitions, of steps, and of the things whose ids are derived from a saga's own.

use backstitch_core::Context;
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::ids::derived;

/// Names of the definitions.
pub mod definition {
    /// Buying a cart.
    pub const CHECKOUT: &str = "checkout";
    /// Giving goods back for money.
    pub const RETURN: &str = "return";
    /// The return of a whole checkout that cannot be delivered, and what else it takes to be rid of that checkout.
    pub const MAKE_GOOD: &str = "make_good";
    /// Taking back what an object at the payment provider holds or has taken and nobody owns.
    pub const REPAIR: &str = "repair";
    /// A refund that failed after it had been reported as done.
    pub const REFUND_CASE: &str = "refund_case";

    /// Whether sagas of this definition are returns.
    pub fn is_return(name: &str) -> bool {
        matches!(name, RETURN | MAKE_GOOD)
    }
}

/// Names of a return's steps, a repair's and a case's.
pub mod return_step {
    /// Claims the quantities that come back.
    pub const CREATE_RETURN: &str = "create_return";
    /// Gives the money back: the pivot.
    pub const REFUND_PAYMENT: &str = "refund_payment";
    /// What comes back is on hand again.
    pub const RESTOCK: &str = "restock";
    /// The parcel is called back, or received.
    pub const TAKE_BACK_SHIPMENT: &str = "take_back_shipment";
    /// Writes the credit note.
    pub const CREDIT_NOTE: &str = "credit_note";
    /// Where a checkout is made good: it holds its cart no more.
    pub const LET_GO_CART: &str = "let_go_cart";
    /// The customer is told.
    pub const NOTIFY: &str = "notify";
    /// Of a repair, and its pivot: cancels a hold, or refunds.
    pub const TAKE_BACK_OBJECT: &str = "take_back_object";
    /// Of a case, and its pivot: done when a person has written down how the customer got their money.
    pub const SETTLE_CASE: &str = "settle_case";
}

/// Names that the ids of a return's things are derived from. The return itself has its saga's id.
pub mod return_thing {
    /// Its refund.
    pub const REFUND: &str = "refund";
    /// What inventory books for it.
    pub const RESTOCK: &str = "restock";
    /// What shipping writes down for it.
    pub const RECEIPT: &str = "receipt";
    /// Its mail.
    pub const NOTICE: &str = "notice";
}

/// Names of a checkout's steps.
pub mod step {
    /// Holds the cart at the version that was priced.
    pub const HOLD_CART: &str = "hold_cart";
    /// Reserves all items or none.
    pub const RESERVE_STOCK: &str = "reserve_stock";
    /// Prices the sending.
    pub const QUOTE_SHIPPING: &str = "quote_shipping";
    /// Holds the money.
    pub const AUTHORIZE_PAYMENT: &str = "authorize_payment";
    /// Writes the pending order.
    pub const CREATE_ORDER: &str = "create_order";
    /// Takes the money: the pivot.
    pub const CAPTURE_PAYMENT: &str = "capture_payment";
    /// The order stands.
    pub const CONFIRM_ORDER: &str = "confirm_order";
    /// What was reserved is sold.
    pub const COMMIT_STOCK: &str = "commit_stock";
    /// What was bought leaves the cart.
    pub const CLEAR_CART: &str = "clear_cart";
    /// The parcel goes to the carrier.
    pub const CREATE_SHIPMENT: &str = "create_shipment";
    /// The customer is told.
    pub const NOTIFY: &str = "notify";
}

/// Names that the ids of a checkout's things are derived from.
pub mod thing {
    /// Its reservation.
    pub const RESERVATION: &str = "reservation";
    /// Its shipping quote.
    pub const QUOTE: &str = "quote";
    /// Its payment.
    pub const PAYMENT: &str = "payment";
    /// Its order.
    pub const ORDER: &str = "order";
    /// Its shipment.
    pub const SHIPMENT: &str = "shipment";
    /// Its confirmation mail.
    pub const CONFIRMATION: &str = "confirmation";
}

/// A checkout as its requests and checks see it: which saga it is, and what it was started with.
pub(crate) type Checkout = Context<CheckoutInput>;

/// The id of one of its things: always the same, so that asking again asks for the same thing.
pub(crate) fn id(c: &Checkout, thing: &str) -> String {
    derived(c.saga, thing).to_string()
}
