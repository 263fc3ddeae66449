//! The names in a checkout: of its steps, and of the things whose ids are derived from its own.

use backstitch_core::Context;
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::ids::derived;

/// Names of the steps.
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
