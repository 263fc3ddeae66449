//! I4: never a capture after a void, nor a void after a capture. Read from the order of the entries, at the bank and
//! in our ledger, with what else an account's entries can never do.

use super::Findings;
use crate::Invariant::CaptureOrVoid;
use crate::books::Participants;

pub(super) fn check(participants: &Participants, found: &mut Findings) {
    for account in participants.bank.iter().flat_map(|bank| &bank.accounts) {
        let entries = account.entries.iter().map(|entry| (entry.kind.as_str(), entry.amount_minor));
        for broken in walk(entries) {
            found.add(
                CaptureOrVoid,
                format!("At the bank, {broken}."),
                [("account", &account.id), ("payment", &account.reference), ("saga", &account.saga)],
                "sandbox: entries of this account, in the order of their numbers",
            );
        }
    }
    for payment in participants.payments.all.values() {
        let entries = payment.entries.iter().map(|(kind, amount, _)| (kind.as_str(), *amount));
        for broken in walk(entries) {
            found.add(
                CaptureOrVoid,
                format!("In our ledger, {broken}."),
                [("payment", &payment.id), ("order", &payment.order), ("saga", &payment.saga)],
                "payment: entries of this payment, in the order of their numbers",
            );
        }
    }
}

/// Follows the money of one account and tells every step that cannot follow the ones before.
fn walk<'a>(entries: impl Iterator<Item = (&'a str, i64)>) -> Vec<String> {
    let (mut authorized, mut captured, mut refunded, mut voided) = (0_i64, 0_i64, 0_i64, false);
    let mut broken = Vec::new();
    for (kind, amount) in entries {
        match kind {
            "authorized" => {
                if voided {
                    broken.push("a hold was taken after the void".to_owned());
                }
                authorized = authorized.saturating_add(amount);
            }
            "captured" => {
                if voided {
                    broken.push("a capture came after the void".to_owned());
                }
                captured = captured.saturating_add(amount);
                if captured > authorized {
                    broken.push(format!("{captured} were captured of {authorized} that were held"));
                }
            }
            "voided" => {
                if captured > 0 {
                    broken.push("a void came after the capture".to_owned());
                }
                if voided {
                    broken.push("it was voided twice".to_owned());
                }
                voided = true;
            }
            "refunded" => {
                refunded = refunded.saturating_add(amount);
                if refunded > captured {
                    broken.push(format!("{refunded} were refunded of {captured} that were captured"));
                }
            }
            "refund_failed" | "reversed" => refunded = refunded.saturating_sub(amount),
            _ => {}
        }
    }
    broken
}
