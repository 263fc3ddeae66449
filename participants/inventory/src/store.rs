//! The SQL of inventory, one statement per function, over whatever connection the caller's transaction is on.
//!
//! Knows no rules beyond the ones that the statements themselves keep; commits nothing.

mod products;
mod reservations;
mod rows;

pub(crate) use products::{
    find_product, insert_product, insert_stock, list_products, products_of, record_correction, set_on_hand,
    update_product,
};
pub(crate) use reservations::{
    commit_stock, find_reservation, forget, held, insert_lines, insert_reservation, insert_restock,
    insert_restock_lines, is_reserved_by, mark_sold, on_hand, release_stock, reserve_stock, restock,
};
